// WebSocket frames (RFC 6455) as a server reads and writes them. Pure: bytes in, calls out.
//
// Payloads are handed on as they come, so that no frame, however large it says it is, makes anybody keep it in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::wire {

enum class ws_opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// Status codes of close frames (RFC 6455, 7.4.1).
enum class ws_close : std::uint16_t { normal = 1000, going_away = 1001, protocol_error = 1002, too_big = 1009 };

/// Hears what a decoder finds. Pieces are unmasked and valid during the call only.
class websocket_sink {
 public:
  virtual ~websocket_sink() = default;
  /// A piece of a message's payload, fragments joined. `begins`, `ends`: the first, the last of its message; both calls
  /// come for each message, an empty one included.
  virtual void on_message(bool text, std::string_view piece, bool begins, bool ends) = 0;
  /// A ping, pong or close frame with its payload of at most 125 bytes.
  virtual void on_control(ws_opcode what, std::string_view payload) = 0;
};

/// Reads a client's frames, strictly: what RFC 6455 forbids a client ends the connection.
class websocket_decoder {
 public:
  explicit websocket_decoder(websocket_sink& to) : to_(to) {}

  /// Takes bytes; false when they break the protocol: failure() says how, and nothing more is read.
  bool feed(std::string_view data);
  /// The code to close with after feed() has returned false.
  ws_close failure() const { return failure_; }

 private:
  bool take_head(std::string_view& data);
  bool begin_frame();
  void take_payload(std::string_view& data);
  void end_frame();
  bool fail(ws_close why);

  websocket_sink& to_;
  std::string head_;  // of a frame, until it is complete
  std::size_t head_size_ = 2;
  bool in_payload_ = false;
  bool in_message_ = false;  // fragments of a message are to follow
  bool message_text_ = false;
  bool begins_ = false;  // the next piece is the first of its message
  bool fin_ = false;
  ws_opcode opcode_ = ws_opcode::binary;
  std::uint64_t left_ = 0;  // of the frame's payload
  std::uint32_t mask_ = 0;  // first byte of the key lowest
  std::uint64_t at_ = 0;    // in the frame's payload
  std::string control_;
  std::string piece_;  // unmasked
  ws_close failure_ = ws_close::normal;
  bool failed_ = false;
};

/// Appends the head of an unmasked, whole frame, as servers send them; its payload of that size follows.
void append_frame_head(std::string& out, ws_opcode what, std::size_t payload);
/// Appends a whole frame.
void append_frame(std::string& out, ws_opcode what, std::string_view payload);
/// Appends a close frame.
void append_close(std::string& out, ws_close why);

/// Sec-WebSocket-Accept for a Sec-WebSocket-Key.
std::string websocket_accept(std::string_view key);
/// Whether a Sec-WebSocket-Key is 16 bytes in base64, as it must be.
bool is_websocket_key(std::string_view key);

}  // namespace troupe::wire
