// RBAC's PolicyRule: what it allows, what it covers, and how Kubernetes prints it.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "actors/api_server/access/access.hpp"
#include "messages/document.hpp"

namespace troupe::api {
inline namespace access_detail {

/// Strings kept once; the views it returns stay valid as long as the pool. Rules repeat the same few words.
class string_pool {
 public:
  std::string_view intern(std::string_view text) {
    auto found = texts_.find(text);
    return found != texts_.end() ? std::string_view(*found) : std::string_view(*texts_.emplace(text).first);
  }

 private:
  struct hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_set<std::string, hash, std::equal_to<>> texts_;
};

/// rbac.authorization.k8s.io/v1 PolicyRule. The views point into a string_pool or a document.
struct policy_rule {
  std::vector<std::string_view> verbs, groups, resources, names, urls;
  friend bool operator==(const policy_rule&, const policy_rule&) = default;
};
using policy_rules = std::vector<policy_rule>;

/// The rules in a role's `rules` array; null or another type gives none.
policy_rules read_rules(const node* rules, string_pool& pool);

/// Whether the rule allows what is asked. `name_matters` becomes true when only resourceNames kept or could keep it
/// from matching, so that a verdict must not be reused for another name.
bool rule_allows(const policy_rule& rule, const attributes& what, bool& name_matters);

/// The parts of `wanted`, one verb, group, resource, name or URL each, that no rule of `held` covers; empty: all held.
policy_rules missing_rules(const policy_rules& held, const policy_rules& wanted);

/// Rules for the same resource merged by joining their verbs, as Kubernetes does before printing them.
policy_rules compact_rules(const policy_rules& rules);

/// {APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}
std::string rule_text(const policy_rule& rule);

}  // namespace access_detail
}  // namespace troupe::api
