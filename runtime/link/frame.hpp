// The cluster link's framing: what one machine sends another is a sequence of typed frames inside one TLS connection.
//
//   frame = payload length (4 bytes, big endian) | kind (1 byte) | payload (msgpack)
//
// Why not BASP, CAF's own protocol: a BASP peer may address any actor, registered name or CAF's spawn service, and a
// header may ask for 4 GiB; everything dangerous would have to be filtered out of a protocol we do not own. These
// frames have no addresses at all: each kind has one receiver, fixed here, and CAF's network module is not even loaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "messages/status.hpp"

namespace troupe::link {

/// Names are for logs. The numbers are on the wire: never renumber, only add.
enum class frame_kind : std::uint8_t {
  hello = 1,            // node: the first frame
  welcome = 2,          // control plane: its answer
  ping = 3,             // both: nothing was said for a while
  goodbye = 4,          // both: why the link ends
  request = 10,         // node, component: api::request
  watch_stop = 11,      // node, component: api::watch_stop
  log_chunk = 12,       // node: container::log_chunk, answer to read_log
  stream_opened = 13,   // node: stream::opened, answer to open_stream
  stream_output = 14,   // node: stream::chunk
  input_credit = 15,    // node: stream::credit
  stream_closed = 16,   // node: stream::closed
  response = 20,        // control plane: answer to request
  watch_delivery = 21,  // control plane: events of the peer's watches
  read_log = 22,        // control plane: kubelet::read_pod_log
  log_more = 23,        // control plane: container::log_more
  open_stream = 24,     // control plane: kubelet::open_pod_stream
  stream_input = 25,    // control plane: stream::chunk
  output_credit = 26,   // control plane: stream::credit
  stream_close = 27,    // control plane: stream::close
};
std::string_view kind_name(frame_kind kind);

/// The two ends of a link.
enum class side : std::uint8_t { control_plane, node };

/// Whether a frame of that kind may reach that end; the others end the link.
bool may_receive(side receiver, frame_kind kind);

struct frame {
  frame_kind kind = frame_kind::ping;
  std::string payload;
};

constexpr std::size_t frame_header_bytes = 5;

/// The frame's bytes. The payload is below 4 GiB; senders keep to the receiver's cap.
std::string encode_frame(frame_kind kind, std::string_view payload);

/// Cuts frames out of bytes as they come. Holds no more than has come, and refuses a frame by its header: before its
/// payload comes. Begins in the greeting, in which the only frame is the other end's hello (or welcome) of 4 KiB at
/// most.
class frame_reader {
 public:
  static constexpr std::size_t greeting_cap = 4096;  // payload bytes

  /// `payload_cap`: of one frame after the greeting, in bytes.
  frame_reader(side receiver, std::size_t payload_cap) : receiver_(receiver), payload_cap_(payload_cap) {}

  /// Adds bytes that came.
  void add(std::string_view bytes);
  /// The next whole frame; nothing while there is none. An error is final: the bytes are not of this protocol.
  result<std::optional<frame>> next();
  /// The greeting is over.
  void open() { open_ = true; }
  /// Bytes that are held.
  std::size_t held() const { return buffer_.size() - begin_; }

 private:
  status judge(std::uint32_t size, std::uint8_t kind) const;

  side receiver_;
  std::size_t payload_cap_;
  bool open_ = false;
  std::string buffer_;
  std::size_t begin_ = 0;  // of what is not yet taken
};

}  // namespace troupe::link
