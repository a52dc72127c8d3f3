// What an authorizer keeps between decisions: the compiled index and the verdicts that held since it last changed.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "actors/api_server/access/access.hpp"
#include "actors/api_server/access/rbac_index.hpp"

namespace troupe::api {

struct authorizer::state {
 public:
  explicit state(const cluster_view& of) : cluster(of), index(of) {}

  /// The verdict; the reference holds until the next call. Cached until an RBAC object changes.
  const decision& judge(const user_info& user, const attributes& what);

  /// All rules the user holds in a namespace (empty: cluster-wide only), by cluster bindings first. `errors` gets the
  /// bindings whose role does not exist.
  policy_rules rules_for(const user_info& user, std::string_view namespace_name, std::vector<std::string>& errors);

  /// Rules of a role as the snapshots are now; null where it does not exist.
  const policy_rules* role_rules(bool cluster_role, std::string_view namespace_name, std::string_view name);

  /// The user with the group system:authenticated (system:unauthenticated for anonymous). Made once a user.
  user_ptr completed(const user_ptr& user);

  const cluster_view& cluster;
  rbac_index index;

 private:
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  template <class T>
  using by_text = std::unordered_map<std::string, T, text_hash, std::equal_to<>>;

  /// A user's grants per namespace ("": cluster-wide) and the verdicts that depend on no object name.
  struct user_memory {
    by_text<std::vector<grant>> grants;
    by_text<decision> verdicts;
  };

  void refresh();
  user_memory& memory_of(const user_info& user);
  decision by_rbac(user_memory& memory, const user_info& user, const attributes& what, bool& name_matters);

  by_text<user_memory> users_;
  std::size_t verdict_count_ = 0;
  /// From a user as it came to (itself, which keeps the address taken, and the completed one).
  std::unordered_map<const user_info*, std::pair<user_ptr, user_ptr>> completed_;
  std::string key_;  // scratch
  decision fresh_;   // a verdict that may not be kept
};

/// Whether the group is one of the user's.
bool in_group(const user_info& user, std::string_view group);

}  // namespace troupe::api
