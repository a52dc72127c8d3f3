// RBAC's default policy, read from a compact text.
//
// One statement a line; a line starting with '+' continues the one before (its list goes on after a comma):
//   clusterrole NAME [into=G] [collect=G]   label aggregate-to-G; aggregationRule over the label aggregate-to-G
//   controller NAME                         ClusterRole system:controller:NAME, bound to kube-system's account NAME
//   role NAME                               in the namespace of the last `namespace` line
//     VERBS GROUPS RESOURCES [names=A,B]    a rule of the role above; `core` is the group ""
//     VERBS url PATHS
//     EVENTS                                create, update and patch of events in both groups
//   clusterbinding ROLE [users=..] [groups=..] [accounts=NS/NAME,..]
//   binding NAME [role=ROLE] ...            RoleBinding in the namespace; the role has its name unless given
// READ stands for get,list,watch; WRITE for create,update,patch,delete,deletecollection; ALL for both.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "actors/api_server/access/policy_rule.hpp"

namespace troupe::api {

/// The texts, in the order in which their objects are created.
std::span<const std::string_view> bootstrap_policy_texts();

/// Subject of a default binding.
struct policy_subject {
  std::string_view kind;  // User, Group, ServiceAccount
  std::string_view namespace_name, name;
};

/// One default object. Rules are sorted inside as Kubernetes stores them.
struct policy_object {
  enum class kind : std::uint8_t { cluster_role, role, cluster_role_binding, role_binding } what;
  std::string_view namespace_name;
  std::string name;
  std::string_view into, collect;  // aggregation, cluster roles only
  policy_rules rules;
  std::string role_name;  // bindings
  std::vector<policy_subject> subjects;
};

/// Reads the texts. Views point into them or into literals.
std::vector<policy_object> read_bootstrap_policy();

/// The rules of the role system:node, which the node authorizer judges by whether or not anybody is bound to it.
const policy_rules& node_policy_rules();

/// The object as JSON with kind and apiVersion.
std::string to_json(const policy_object& from, const std::vector<policy_object>& all);

}  // namespace troupe::api
