// The control loops of this process: scheduler, controller manager, cloud controller manager; by election where other
// processes may have the same.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/controller_manager/node_ipam/core.hpp"
#include "messages/api_server.hpp"
#include "runtime/config.hpp"
#include "runtime/pki.hpp"
#include "runtime/stable_ref.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::runtime {

/// What the surroundings give to the control loops.
struct loop_surroundings {
  /// The api_server as a component reaches it, by the component's name in `components`.
  std::function<stable_ref<api::api_server_actor>(std::string_view component)> server;
  std::string identity;   // of this process among several; empty: no other runs the same, nobody is elected
  std::string authority;  // PEM of the cluster's authority, published as kube-root-ca.crt
  pki::key_pair signer;   // the same with its key; empty: requests for certificates are not signed
  controllers::pod_ranges ranges;
  bool cloud = false;         // there are machines behind the nodes to tell about
  bool nodes_answer = false;  // a service proxy answers at the nodes' addresses
  std::string routed;         // range of pods between whose machines there are routes; empty: there is one machine
};

/// Those that the configuration wants here. By election they run below "managers", "planner" and "cloud".
std::vector<child_spec> control_loops(const configuration& config, const loop_surroundings& around);

}  // namespace troupe::runtime
