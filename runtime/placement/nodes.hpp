// The nodes of a local cluster: a runtime driver and a kubelet each.
#pragma once

#include <string>
#include <vector>

#include "messages/api_server.hpp"
#include "runtime/config.hpp"
#include "runtime/placement/log_relay.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::runtime {

/// Settles nodes.runtime "auto" and refuses what this machine cannot do.
status check_runtime(configuration& config);

/// The names of this process's nodes.
std::vector<std::string> node_names(const configuration& config);

/// One supervisor child a node: "hollow-0", "hollow-1", ... Kubelets are entered into the directory.
std::vector<child_spec> node_children(caf::actor_system& system, const configuration& config,
                                      const stable_ref<api::api_server_actor>& server, kubelet_directory& kubelets);

}  // namespace troupe::runtime
