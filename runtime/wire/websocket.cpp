// See websocket.hpp.
#include "runtime/wire/websocket.hpp"

#include <algorithm>
#include <array>

#include <openssl/evp.h>

#include "messages/schema/scalars.hpp"

namespace troupe::wire {
namespace {

constexpr std::size_t max_control = 125;
// Far above what any client sends in one frame (32 KiB); it only keeps nonsense from being taken seriously.
constexpr std::uint64_t max_frame = 64ull << 20;

unsigned byte_at(std::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }

bool is_control(ws_opcode what) { return static_cast<unsigned>(what) >= 8; }

}  // namespace

bool websocket_decoder::fail(ws_close why) {
  failed_ = true;
  failure_ = why;
  return false;
}

bool websocket_decoder::feed(std::string_view data) {
  while (!failed_ && !data.empty()) {
    if (!in_payload_ && !take_head(data)) break;
    if (in_payload_) take_payload(data);
  }
  return !failed_;
}

/// False when more bytes are needed or the head is a bad one.
bool websocket_decoder::take_head(std::string_view& data) {
  while (head_.size() < head_size_ && !data.empty()) {
    auto taken = std::min(head_size_ - head_.size(), data.size());
    head_.append(data.substr(0, taken));
    data.remove_prefix(taken);
    if (head_.size() < 2 || head_size_ != 2) continue;
    // The two fixed bytes say how many follow them.
    auto length = byte_at(head_, 1) & 0x7f;
    if ((byte_at(head_, 1) & 0x80) == 0) return fail(ws_close::protocol_error);  // clients must mask
    head_size_ = 2U + (length == 126 ? 2U : length == 127 ? 8U : 0U) + 4U;
  }
  return head_.size() == head_size_ && begin_frame();
}

bool websocket_decoder::begin_frame() {
  auto first = byte_at(head_, 0);
  opcode_ = static_cast<ws_opcode>(first & 0x0f);
  fin_ = (first & 0x80) != 0;
  std::size_t at = 2;
  left_ = byte_at(head_, 1) & 0x7f;
  auto extended = left_ == 126 ? 2U : left_ == 127 ? 8U : 0U;
  if (extended > 0) left_ = 0;
  for (unsigned i = 0; i < extended; ++i) left_ = left_ << 8 | byte_at(head_, at++);
  mask_ = 0;
  for (unsigned i = 0; i < 4; ++i) mask_ |= byte_at(head_, at++) << (8 * i);
  head_.clear();
  head_size_ = 2;
  at_ = 0;
  in_payload_ = true;
  if ((first & 0x70) != 0) return fail(ws_close::protocol_error);  // no extension was agreed on
  if ((extended == 2 && left_ < 126) || (extended == 8 && left_ < 65536)) return fail(ws_close::protocol_error);
  if (left_ > max_frame) return fail(ws_close::too_big);
  switch (opcode_) {
    case ws_opcode::close:
    case ws_opcode::ping:
    case ws_opcode::pong:
      if (!fin_ || left_ > max_control) return fail(ws_close::protocol_error);
      break;
    case ws_opcode::continuation:
      if (!in_message_) return fail(ws_close::protocol_error);
      in_message_ = !fin_;
      break;
    case ws_opcode::text:
    case ws_opcode::binary:
      if (in_message_) return fail(ws_close::protocol_error);
      message_text_ = opcode_ == ws_opcode::text;
      begins_ = true;
      in_message_ = !fin_;
      break;
    default:
      return fail(ws_close::protocol_error);
  }
  if (left_ == 0) end_frame();
  return true;
}

void websocket_decoder::take_payload(std::string_view& data) {
  auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, data.size()));
  if (taken == 0) return;
  auto& into = is_control(opcode_) ? control_ : piece_;
  auto from = into.size();
  into.append(data.substr(0, taken));
  for (auto i = from; i < into.size(); ++i)
    into[i] = static_cast<char>(static_cast<unsigned char>(into[i]) ^ (mask_ >> (8 * (at_++ & 3)) & 0xff));
  data.remove_prefix(taken);
  left_ -= taken;
  if (left_ == 0) return end_frame();
  if (is_control(opcode_)) return;
  to_.on_message(message_text_, piece_, begins_, false);
  begins_ = false;
  piece_.clear();
}

void websocket_decoder::end_frame() {
  in_payload_ = false;
  if (is_control(opcode_)) {
    to_.on_control(opcode_, control_);
    control_.clear();
    return;
  }
  if (!piece_.empty() || begins_ || fin_) to_.on_message(message_text_, piece_, begins_, fin_);
  begins_ = false;
  piece_.clear();
}

void append_frame_head(std::string& out, ws_opcode what, std::size_t payload) {
  out += static_cast<char>(0x80 | static_cast<unsigned>(what));
  unsigned extended = payload < 126 ? 0 : payload < 65536 ? 2 : 8;
  out += static_cast<char>(extended == 0 ? payload : extended == 2 ? 126 : 127);
  for (unsigned i = extended; i > 0; --i) out += static_cast<char>(payload >> (8 * (i - 1)) & 0xff);
}

void append_frame(std::string& out, ws_opcode what, std::string_view payload) {
  append_frame_head(out, what, payload.size());
  out += payload;
}

void append_close(std::string& out, ws_close why) {
  auto code = static_cast<unsigned>(why);
  std::array<char, 2> payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  append_frame(out, ws_opcode::close, {payload.data(), payload.size()});
}

std::string websocket_accept(std::string_view key) {
  std::string text(key);
  text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455, 1.3
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  return schema::to_base64({reinterpret_cast<const char*>(digest.data()), size});
}

bool is_websocket_key(std::string_view key) {
  auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  return key.size() == 24 && key.ends_with("==") && std::all_of(key.begin(), key.end() - 2, plain);
}

}  // namespace troupe::wire
