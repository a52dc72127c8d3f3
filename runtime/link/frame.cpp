// See frame.hpp.
#include "runtime/link/frame.hpp"

namespace troupe::link {
namespace {

std::uint32_t size_at(const char* from) {
  std::uint32_t size = 0;
  for (int i = 0; i < 4; ++i) size = size << 8 | static_cast<unsigned char>(from[i]);
  return size;
}

std::string name_of(std::uint8_t kind) {
  auto name = kind_name(static_cast<frame_kind>(kind));
  return name.empty() ? "unknown kind " + std::to_string(kind) : std::string(name);
}

}  // namespace

std::string_view kind_name(frame_kind kind) {
  switch (kind) {
    case frame_kind::hello:
      return "hello";
    case frame_kind::welcome:
      return "welcome";
    case frame_kind::ping:
      return "ping";
    case frame_kind::goodbye:
      return "goodbye";
    case frame_kind::request:
      return "request";
    case frame_kind::watch_stop:
      return "watch_stop";
    case frame_kind::log_chunk:
      return "log_chunk";
    case frame_kind::stream_opened:
      return "stream_opened";
    case frame_kind::stream_output:
      return "stream_output";
    case frame_kind::input_credit:
      return "input_credit";
    case frame_kind::stream_closed:
      return "stream_closed";
    case frame_kind::response:
      return "response";
    case frame_kind::watch_delivery:
      return "watch_delivery";
    case frame_kind::read_log:
      return "read_log";
    case frame_kind::log_more:
      return "log_more";
    case frame_kind::open_stream:
      return "open_stream";
    case frame_kind::stream_input:
      return "stream_input";
    case frame_kind::output_credit:
      return "output_credit";
    case frame_kind::stream_close:
      return "stream_close";
  }
  return {};
}

bool may_receive(side receiver, frame_kind kind) {
  switch (kind) {
    case frame_kind::ping:
    case frame_kind::goodbye:
      return true;
    case frame_kind::request:
    case frame_kind::watch_stop:
    case frame_kind::log_chunk:
    case frame_kind::stream_opened:
    case frame_kind::stream_output:
    case frame_kind::input_credit:
    case frame_kind::stream_closed:
      return receiver == side::control_plane;
    case frame_kind::response:
    case frame_kind::watch_delivery:
    case frame_kind::read_log:
    case frame_kind::log_more:
    case frame_kind::open_stream:
    case frame_kind::stream_input:
    case frame_kind::output_credit:
    case frame_kind::stream_close:
      return receiver == side::node;
    case frame_kind::hello:
    case frame_kind::welcome:
      return false;  // only in the greeting
  }
  return false;
}

std::string encode_frame(frame_kind kind, std::string_view payload) {
  std::string out;
  out.reserve(frame_header_bytes + payload.size());
  auto size = static_cast<std::uint32_t>(payload.size());
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift & 0xff);
  out += static_cast<char>(kind);
  out.append(payload);
  return out;
}

void frame_reader::add(std::string_view bytes) {
  if (begin_ > 0 && (begin_ == buffer_.size() || begin_ >= (std::size_t{1} << 16))) {
    buffer_.erase(0, begin_);
    begin_ = 0;
  }
  buffer_.append(bytes);
}

status frame_reader::judge(std::uint32_t size, std::uint8_t kind) const {
  auto what = static_cast<frame_kind>(kind);
  auto greeting = receiver_ == side::control_plane ? frame_kind::hello : frame_kind::welcome;
  // Whoever is not welcome is told why instead.
  bool refusal = receiver_ == side::node && what == frame_kind::goodbye;
  bool allowed = open_ ? may_receive(receiver_, what) : what == greeting || refusal;
  if (!allowed) return bad_request("frame not allowed here: " + name_of(kind));
  auto cap = open_ ? payload_cap_ : greeting_cap;
  if (size > cap)
    return bad_request(name_of(kind) + " frame of " + std::to_string(size) + " bytes exceeds " + std::to_string(cap));
  return {};
}

result<std::optional<frame>> frame_reader::next() {
  if (held() < frame_header_bytes) return std::optional<frame>();
  const char* at = buffer_.data() + begin_;
  auto size = size_at(at);
  auto kind = static_cast<std::uint8_t>(at[4]);
  if (auto bad = judge(size, kind); !bad.ok()) return bad;
  if (held() < frame_header_bytes + size) return std::optional<frame>();
  frame out{static_cast<frame_kind>(kind), buffer_.substr(begin_ + frame_header_bytes, size)};
  begin_ += frame_header_bytes + size;
  if (begin_ == buffer_.size()) {
    // What a large frame took is given back.
    if (buffer_.capacity() > (std::size_t{1} << 20)) buffer_ = std::string();
    buffer_.clear();
    begin_ = 0;
  }
  return std::optional<frame>(std::move(out));
}

}  // namespace troupe::link
