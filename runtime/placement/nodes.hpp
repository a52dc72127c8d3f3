// The nodes of a local cluster: a runtime driver and a kubelet each.
#pragma once

#include <functional>
#include <vector>

#include "messages/api_server.hpp"
#include "runtime/config.hpp"
#include "runtime/placement/kubelet_directory.hpp"
#include "runtime/placement/machine.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::runtime {

/// The api_server as the node of that index reaches it.
using server_of_node = std::function<stable_ref<api::api_server_actor>(std::size_t index)>;

/// What the machine's nodes share, first, then one supervisor child a node ("hollow-0", ...). Kubelets are entered into
/// the directory.
std::vector<child_spec> node_children(caf::actor_system& system, const configuration& config, const machine& host,
                                      const server_of_node& server, kubelet_directory& kubelets);

}  // namespace troupe::runtime
