// The side without an api_server: keeps one link open for each node or component of this process, whatever happens to
// the control plane.
//
//   link::dialer_options how;
//   how.servers = {"10.0.0.1:6444"};
//   how.nodes.push_back({"worker-1", [] { return read_credentials(); }, server_ref, kubelet_ref});
//   children.push_back(link::dialer_child(how));                                // under a supervisor
//
// While a link is down its `server` reference leads to an actor that says nothing (spawn_silent_server).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "messages/api_server.hpp"
#include "messages/kubelet.hpp"
#include "runtime/link/limits.hpp"
#include "runtime/link/messages.hpp"
#include "runtime/link/tls.hpp"
#include "runtime/stable_ref.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::link {

/// One node of this process, or one component.
struct linked_node {
  std::string name;  // a component's is its user (identity.hpp)
  /// Read before each handshake, so that a renewed certificate counts from the next one on.
  std::function<result<credentials>()> proof;
  runtime::stable_ref<api::api_server_actor> server;    // gets its targets here
  runtime::stable_ref<kubelet::kubelet_actor> kubelet;  // may be empty
  bool component = false;
};

struct dialer_options {
  std::vector<std::string> servers;  // ADDRESS:PORT or NAME:PORT of control planes; tried in turn
  std::vector<linked_node> nodes;
  limits bounds;
};

loop_handle spawn_dialer(caf::actor_system& system, dialer_options how);
/// The dialer as a child named "link".
runtime::child_spec dialer_child(dialer_options how);

}  // namespace troupe::link
