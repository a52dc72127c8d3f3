// Streams between a client and a container: exec, attach, port-forward.
//
//   gateway -> relay -> kubelet -> runtime driver, and back, by the same messages under one id.
//
// The api_server has judged the request and the relay (of the api_server's process) has had the stream opened before
// the client hears anything. Bytes travel as chunks of at most `chunk_bytes`. Each side may send `window_bytes` in its
// direction and then waits for credit, which the receiver gives as it gets rid of what it has: a slow reader slows the
// writer and costs nobody memory. The last piece that an end reads before it sees that its credit is gone may go beyond
// it.
//
// Ids: the relay gives out those of sessions, whose lower `connection_bits` are zero. exec and attach use the session's
// own; each connection of a port-forward has one of the client's choice within its session (session + n, n > 0).
#pragma once

#include <cstddef>
#include <cstdint>

#include <caf/typed_actor.hpp>

#include "messages/bytes.hpp"
#include "messages/container_runtime.hpp"
#include "messages/message.hpp"

namespace troupe::stream {

/// Kubernetes' channels of exec and attach. A forwarded connection uses `input` for bytes to the port, `output` for
/// bytes from it and `outcome` for the text of an error. For exec and attach `outcome` carries a Status as JSON, and
/// `resize` {"Width":80,"Height":24} of the client's terminal.
enum class channel : std::uint8_t { input = 0, output = 1, errors = 2, outcome = 3, resize = 4 };

inline constexpr std::int64_t window_bytes = 128 << 10;
inline constexpr std::size_t chunk_bytes = 16 << 10;
inline constexpr unsigned connection_bits = 24;

/// From the container's end: the stream is open, or cannot be opened. Errors: not_found, unimplemented (a simulated
/// runtime), unavailable.
struct opened {
  std::uint64_t id = 0;
  container::failure error;
  TROUPE_MESSAGE(opened, id, error)
};

/// Bytes of one channel, in either direction. `end`: that channel carries no more.
struct chunk {
  std::uint64_t id = 0;
  channel on = channel::input;
  shared_bytes data;
  bool end = false;
  TROUPE_MESSAGE(chunk, id, on, data, end)
};

/// The receiver has got rid of that many bytes: the sender may send as many more.
struct credit {
  std::uint64_t id = 0;
  std::uint32_t bytes = 0;
  TROUPE_MESSAGE(credit, id, bytes)
};

/// From a client with an open port-forward session: connect to that port of the pod. No answer when it succeeds; closed
/// when it does not.
struct connect {
  std::uint64_t id = 0;
  std::int32_t port = 0;
  TROUPE_MESSAGE(connect, id, port)
};

/// From the client's end: nobody is interested any more. A session takes its connections with it. No answer.
struct close {
  std::uint64_t id = 0;
  TROUPE_MESSAGE(close, id)
};

/// From the container's end: everything has been said, or `error` says why nothing more will be.
struct closed {
  std::uint64_t id = 0;
  container::failure error;
  TROUPE_MESSAGE(closed, id, error)
};

/// From the reader of a log (api::watch_format::raw): it has got rid of one of the pieces that were delivered.
struct log_taken {
  std::uint64_t watch_id = 0;
  TROUPE_MESSAGE(log_taken, watch_id)
};

/// What a client's end understands.
using client_actor = caf::typed_actor<caf::reacts_to<chunk>, caf::reacts_to<credit>, caf::reacts_to<closed>>;

/// Stands between clients and nodes. Messages about a stream count only from the client that it was opened for.
using relay_actor = caf::typed_actor<caf::reacts_to<connect>, caf::reacts_to<chunk>, caf::reacts_to<credit>,
                                     caf::reacts_to<close>, caf::reacts_to<log_taken>>;

/// The container's end, from `opened` to `closed`.
using source_actor = caf::typed_actor<caf::reacts_to<chunk>, caf::reacts_to<credit>, caf::reacts_to<close>>;

}  // namespace troupe::stream

MSGPACK_ADD_ENUM(troupe::stream::channel)
