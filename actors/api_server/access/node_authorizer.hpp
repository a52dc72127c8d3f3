// What kubelets may do: everything uniform by the role system:node, the rest by relation to their node (KEP-279).
#pragma once

#include <string>
#include <string_view>

#include "actors/api_server/access/access.hpp"
#include "actors/api_server/access/policy_rule.hpp"

namespace troupe::api {

/// "n1" for the user system:node:n1 in the group system:nodes; empty for everyone else.
std::string_view node_of(const user_info& user);

/// Kubernetes' node authorizer. Call it only for users with node_of() not empty. `node_rules` are those of the role
/// system:node; `cluster` answers which objects are related to the node: its pods, and what they refer to.
decision decide_for_node(std::string_view node_name, const attributes& what, const policy_rules& node_rules,
                         const cluster_view& cluster);

}  // namespace troupe::api
