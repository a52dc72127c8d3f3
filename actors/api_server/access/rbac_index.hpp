// Roles and bindings of all cached RBAC objects, compiled for quick decisions.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "actors/api_server/access/policy_rule.hpp"
#include "actors/api_server/cacher/snapshot.hpp"

namespace troupe::api {
inline namespace access_detail {

/// One requirement of a label selector; `values` are empty for Exists and DoesNotExist.
struct label_requirement {
  std::string_view key;
  std::string_view op;  // In, NotIn, Exists, DoesNotExist
  std::vector<std::string_view> values;
};
using label_requirements = std::vector<label_requirement>;

/// A ClusterRole or Role with its rules read.
struct compiled_role {
  object_ptr object;
  policy_rules rules;
  /// aggregationRule: the rules are those of all ClusterRoles that one of these label selectors matches.
  bool aggregates = false;
  std::vector<label_requirements> selectors;
};

/// One subject of a ClusterRoleBinding or RoleBinding.
struct subject {
  enum class kind : std::uint8_t { user, group, service_account } what;
  std::string_view namespace_name;  // service accounts
  std::string_view name;
};

struct compiled_binding {
  object_ptr object;
  bool cluster = false;       // ClusterRoleBinding
  bool cluster_role = false;  // roleRef names a ClusterRole
  std::string_view role_name;
  std::vector<subject> subjects;
};

/// A binding that applies to some user, and which of its subjects made it so.
struct grant {
  const compiled_binding* binding;
  const subject* by;
  const policy_rules* rules;  // null: the role does not exist
};

/// Compiled RBAC objects. Rebuilt when one of the snapshots changes; roles and bindings that stayed the same are kept.
class rbac_index {
 public:
  explicit rbac_index(const cluster_view& cluster);
  rbac_index(const rbac_index&) = delete;
  rbac_index& operator=(const rbac_index&) = delete;

  /// Looks at the snapshots again. True: something changed, so every pointer handed out before is void.
  bool refresh();

  /// The grants of a user: of all ClusterRoleBindings, then, for a namespace, of its RoleBindings; each by name.
  std::vector<grant> grants(const user_info& user, std::string_view namespace_name) const;

  /// Rules of a role, aggregated ones collected; null where it does not exist.
  const policy_rules* role_rules(bool cluster_role, std::string_view namespace_name, std::string_view name) const;

  string_pool& words() { return words_; }

 private:
  struct source {
    std::uint16_t resource;
    snapshot_ptr seen;
    std::vector<object_ptr> objects;
  };
  using role_map = std::unordered_map<std::string_view, std::unique_ptr<compiled_role>>;

  bool refresh(source& from);
  void compile_roles(const source& from, role_map& into);
  void compile_bindings(const source& from, bool cluster, std::vector<std::unique_ptr<compiled_binding>>& into);
  std::unique_ptr<compiled_role> compile_role(const object_ptr& from);
  label_requirements read_selector(const node& selector);
  std::unique_ptr<compiled_binding> compile_binding(const object_ptr& from, bool cluster);
  void aggregate();
  std::string_view role_key(std::string_view namespace_name, std::string_view name) const;

  const cluster_view& cluster_;
  string_pool words_;
  source cluster_roles_, roles_, cluster_bindings_, bindings_;
  role_map cluster_role_by_name_;                                  // key: name
  role_map role_by_key_;                                           // key: "namespace/name"
  std::unordered_map<std::string_view, policy_rules> aggregated_;  // by ClusterRole name
  std::vector<std::unique_ptr<compiled_binding>> cluster_binding_list_;
  std::unordered_map<std::string_view, std::vector<std::unique_ptr<compiled_binding>>> bindings_by_namespace_;
};

/// Why a grant allows something: `ClusterRoleBinding "x" of ClusterRole "y" to User "z"`.
std::string grant_text(const grant& from);

/// `clusterrole.rbac.authorization.k8s.io "x" not found`, for a binding whose role does not exist.
std::string missing_role_text(const compiled_binding& from);

}  // namespace access_detail
}  // namespace troupe::api
