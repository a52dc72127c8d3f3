// The end of one open link where no api_server is: to this process's components it is the api_server, when theirs is
// the link that requests go by, and to the kubelet it is whoever reads logs and has streams. It ends with its link;
// each link has its own, and the stable reference in front of them tells the components.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "messages/api_server.hpp"
#include "messages/kubelet.hpp"
#include "runtime/link/channel.hpp"
#include "runtime/link/limits.hpp"
#include "runtime/link/messages.hpp"
#include "runtime/stable_ref.hpp"

namespace troupe::link {

struct node_end_options {
  std::string node;        // or a component's user
  bool component = false;  // requests say as whom they are made
  std::uint64_t channel = 0;
  loop_handle loop;
  runtime::stable_ref<kubelet::kubelet_actor> kubelet;  // may be empty
  unread_bytes unread;
  outgoing unsent;
  /// The last id that a watch was given; shared by all links of the node, whose components tell watches by it.
  std::shared_ptr<std::atomic<std::uint64_t>> watch_ids;
  limits bounds;
};

node_end_actor spawn_node_end(caf::actor_system& system, node_end_options how);

/// An api_server that says nothing: what a node's components talk to while there is no link. What is sent to it counts
/// as lost when the link is there (api_session sends reads again and fails writes); until then the callers' deadlines
/// hold. Were messages parked instead, writes from the beginning of a long outage would be done at its end.
api::api_server_actor spawn_silent_server(caf::actor_system& system);

}  // namespace troupe::link
