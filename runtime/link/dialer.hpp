// The side without an api_server: keeps a link to every control plane open for each node or component of this process,
// whatever happens to them.
//
//   link::dialer_options how;
//   how.servers = {"10.0.0.1:6444", "10.0.0.2:6444"};
//   how.nodes.push_back({"worker-1", [] { return read_credentials(); }, server_ref, kubelet_ref});
//   children.push_back(link::dialer_child(how));                                // under a supervisor
//
// The node's requests and watches go by one of its links until that ends; by all of them its logs can be read and
// streams opened. While none is open its `server` reference leads to an actor that says nothing (spawn_silent_server).
//
// A link whose certificate was replaced is made again beside the open one, which gives its place up and closes once
// nothing that was begun on it is left.
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
  /// Read before each handshake.
  std::function<result<credentials>()> proof;
  runtime::stable_ref<api::api_server_actor> server;    // gets its targets here
  runtime::stable_ref<kubelet::kubelet_actor> kubelet;  // may be empty
  bool component = false;
  /// Another number when `proof` has changed; 0: nobody knows. Empty: it never does.
  std::function<std::uint64_t()> stamp = {};
};

struct dialer_options {
  /// ADDRESS:PORT or NAME:PORT of control planes. A name is one of them, however many addresses it has: they are tried
  /// in turn until one answers.
  std::vector<std::string> servers;
  std::vector<linked_node> nodes;
  limits bounds;
};

loop_handle spawn_dialer(caf::actor_system& system, dialer_options how);
/// The dialer as a child named "link".
runtime::child_spec dialer_child(dialer_options how);

}  // namespace troupe::link
