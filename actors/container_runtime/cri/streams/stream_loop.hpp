// The thread that holds the connections to a runtime's streaming server: one epoll loop for all streams of a driver.
#pragma once

#include <string>

#include <caf/actor_control_block.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include "messages/container_runtime.hpp"
#include "messages/streams.hpp"

namespace troupe::cri {

/// From the driver: connect to the URL and be the container's end of the reader's stream (messages/streams.hpp).
struct dial {
  std::string url;
  container::open_stream order;
  caf::strong_actor_ptr reader;
};

using stream_loop_actor = stream::source_actor::extend<caf::reacts_to<dial>>;

/// Starts the thread. A reader that ends takes its streams with it.
stream_loop_actor spawn_stream_loop(caf::actor_system& system);

}  // namespace troupe::cri

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::cri::dial)
