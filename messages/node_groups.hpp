// The group of kubelets whose word on their pod range counts.
#pragma once

#include <string_view>

namespace troupe {

/// Borne, beside system:nodes, by the kubelets of the api_server's own process, whose pod ranges its configuration
/// gives. Nobody who comes by the cluster link or by the gateway gets it from this program: a link's session has groups
/// of its own making, and the approver of certificates takes no organization but system:nodes. Not in Kubernetes, where
/// no kubelet of a cluster sets its range.
constexpr std::string_view own_nodes_group = "troupe:own-nodes";

}  // namespace troupe
