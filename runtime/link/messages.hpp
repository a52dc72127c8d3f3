// What the actors of one end of a link tell each other. Never leaves the process.
#pragma once

#include <cstdint>
#include <string>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

#include "messages/api_server.hpp"
#include "messages/container_runtime.hpp"
#include "messages/kubelet.hpp"
#include "messages/streams.hpp"
#include "runtime/link/frame.hpp"

namespace troupe::link {

/// To a link's actor: the other end sent this; it may be sent by the other end, nothing else of it is checked.
struct frame_arrived {
  frame_kind kind = frame_kind::ping;
  shared_bytes payload;
};
/// To a link's actor: the link is gone; it ends.
struct link_ended {
  std::string why;
};
/// To a session that waits for it (outgoing_bytes::awaited): the link has taken what it was sent.
struct link_drained {};
/// To a node's end: a newer link to the same control plane has its place. It goes on with what it has, but for watches,
/// which open again on the newer one, and closes its link when nothing is left.
struct link_retired {};
/// To the loop: send this to the other end. Ignored when the channel is gone.
struct send_frame {
  std::uint64_t channel = 0;
  frame_kind kind = frame_kind::ping;
  shared_bytes payload;
};
/// To the loop: say goodbye and close. Ignored when the channel is gone.
struct close_channel {
  std::uint64_t channel = 0;
  std::string word;  // for logs and counters: bad_frame, ...
  std::string why;
};

/// A loop that owns links' sockets.
using loop_handle = caf::typed_actor<caf::reacts_to<send_frame>, caf::reacts_to<close_channel>>;

/// The control plane's end of one link: the one actor that a node's certificate reaches.
using session_actor =
    caf::typed_actor<caf::reacts_to<frame_arrived>, caf::reacts_to<link_ended>, caf::reacts_to<link_drained>,
                     caf::reacts_to<api::response>,          // answers to the node's requests
                     caf::reacts_to<api::watch_delivery>,    // events of the node's watches
                     caf::reacts_to<kubelet::read_pod_log>,  // passed on to the node; answers container::log_chunk
                     caf::reacts_to<container::log_more>,
                     caf::reacts_to<kubelet::open_pod_stream>,  // passed on to the node; answers stream::opened
                     caf::reacts_to<stream::chunk>, caf::reacts_to<stream::credit>, caf::reacts_to<stream::close>>;

/// The node's end of one link: an api_server to this process's components, and to the kubelet whoever asks for logs and
/// has streams.
using node_end_actor =
    caf::typed_actor<caf::reacts_to<frame_arrived>, caf::reacts_to<link_ended>, caf::reacts_to<link_retired>,
                     caf::reacts_to<api::request>, caf::reacts_to<api::watch_stop>,
                     caf::reacts_to<container::log_chunk>, caf::reacts_to<stream::opened>,
                     caf::reacts_to<stream::chunk>, caf::reacts_to<stream::credit>, caf::reacts_to<stream::closed>>;

}  // namespace troupe::link

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::link::frame_arrived)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::link::link_ended)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::link::link_drained)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::link::link_retired)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::link::send_frame)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::link::close_channel)
