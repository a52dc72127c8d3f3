// See runtime_stream.hpp.
#include "actors/container_runtime/cri/streams/runtime_stream.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace troupe::cri {
namespace {

using container::fault;
using stream::channel;

constexpr std::size_t max_head = 16 << 10;
constexpr std::size_t frame_bytes = 32 << 10;
constexpr std::size_t max_early = 1 << 20;

std::string upgrade_request(const container::open_stream& order, const stream_place& at) {
  bool forward = order.kind == container::stream_kind::port_forward;
  return "POST " + at.path + " HTTP/1.1\r\nHost: " + at.authority +
         "\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: " +
         (forward ? "portforward.k8s.io" : "v4.channel.k8s.io") + "\r\nContent-Length: 0\r\n\r\n";
}

}  // namespace

result<stream_place> parse_stream_url(std::string_view url) {
  auto refuse = [&] {
    return bad_request("the container runtime's streaming URL cannot be used: " + std::string(url));
  };
  constexpr std::string_view scheme = "http://";
  if (!url.starts_with(scheme)) return refuse();
  auto rest = url.substr(scheme.size());
  auto slash = rest.find('/');
  stream_place out;
  out.authority = rest.substr(0, slash);
  out.path = slash == std::string_view::npos ? "/" : std::string(rest.substr(slash));
  std::string_view authority = out.authority;
  auto colon = authority.rfind(':');
  auto host = authority.substr(0, colon);
  auto port = colon == std::string_view::npos ? std::string_view() : authority.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  out.host = host;
  auto [end, wrong] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (wrong != std::errc() || end != port.data() + port.size() || out.port == 0 || host.empty()) return refuse();
  for (char c : url)
    if (static_cast<unsigned char>(c) <= ' ') return refuse();
  return out;
}

runtime_stream::runtime_stream(const container::open_stream& order, const stream_place& at, stream_events& to)
    : outgoing(upgrade_request(order, at)), order_(order), to_(to) {}

void runtime_stream::finish(const container::failure& why) {
  if (std::exchange(stage_, stage::over) != stage::over) to_.on_closed(why);
}

void runtime_stream::receive(std::string_view data) {
  if (over()) return;
  if (stage_ == stage::head) {
    head_.append(data);
    return take_head();
  }
  if (!decoder_.feed(data) && !over()) finish({fault::unavailable, "the container runtime broke the SPDY protocol"});
}

void runtime_stream::take_head() {
  auto end = head_.find("\r\n\r\n");
  if (end == std::string::npos) {
    if (head_.size() > max_head) finish({fault::unavailable, "the container runtime's answer has no end"});
    return;
  }
  if (!head_.starts_with("HTTP/1.1 101")) {
    auto text = head_.substr(end + 4, 1024);
    if (text.empty()) text = head_.substr(0, head_.find("\r\n"));
    return finish({fault::unknown, "the container runtime refused the stream: " + text});
  }
  auto rest = head_.substr(end + 4);
  head_.clear();
  stage_ = stage::streams;
  begin_streams();
  if (!rest.empty()) receive(rest);
}

void runtime_stream::add_stream(channel on, const char* type) {
  wire::spdy_headers headers{{"streamtype", type}};
  if (order_.kind == container::stream_kind::port_forward) {
    headers.emplace_back("port", std::to_string(order_.port));
    headers.emplace_back("requestid", "0");
  }
  encoder_.stream(outgoing, next_, headers);
  channels_[next_] = on;
  unanswered_.insert(next_);
  next_ += 2;
}

/// The error stream comes first; the rest must be what the runtime was told, for it waits for exactly those.
void runtime_stream::begin_streams() {
  add_stream(channel::outcome, "error");
  if (order_.kind == container::stream_kind::port_forward) {
    writable_[channel::input] = next_;
    return add_stream(channel::output, "data");
  }
  if (order_.stdin_open) {
    writable_[channel::input] = next_;
    add_stream(channel::input, "stdin");
  }
  if (order_.stdout_open) add_stream(channel::output, "stdout");
  if (order_.stderr_open && !order_.tty) add_stream(channel::errors, "stderr");
  if (order_.tty) {
    writable_[channel::resize] = next_;
    add_stream(channel::resize, "resize");
  }
}

void runtime_stream::send(const stream::chunk& what) {
  auto found = writable_.find(what.on);
  if (found == writable_.end() || !is_open()) return;
  auto rest = what.data.view();
  do {
    auto piece = rest.substr(0, frame_bytes);
    rest.remove_prefix(piece.size());
    encoder_.data(outgoing, found->second, piece, what.end && rest.empty());
  } while (!rest.empty());
  if (what.end) writable_.erase(found);
}

void runtime_stream::on_stream(std::uint32_t id, const wire::spdy_headers&, bool) {
  encoder_.reset(outgoing, id, wire::spdy_reset::refused_stream);
}

void runtime_stream::tell(channel on, std::string_view data, bool end) {
  if (is_open()) return to_.on_chunk(on, data, end);
  early_bytes_ += data.size();
  if (early_bytes_ > max_early) return finish({fault::unavailable, "the container runtime does not open the stream"});
  early_.push_back({on, std::string(data), end});
}

void runtime_stream::open() {
  stage_ = stage::open;
  to_.on_opened();
  for (auto& one : std::exchange(early_, {})) to_.on_chunk(one.on, one.data, one.end);
  if (all_said()) input_ended();
}

/// Bytes that come before a stream's reply are dropped by Go's implementation: hence the wait.
void runtime_stream::on_reply(std::uint32_t id, bool fin) {
  if (over()) return;
  unanswered_.erase(id);
  if (fin) channel_ended(id);
  if (stage_ == stage::streams && unanswered_.empty()) open();
}

void runtime_stream::on_data(std::uint32_t id, std::string_view piece, bool fin) {
  auto found = channels_.find(id);
  if (over() || found == channels_.end()) return;
  if (!piece.empty()) {
    if (found->second == channel::outcome) outcome_said_ = true;
    tell(found->second, piece, false);
  }
  if (fin) channel_ended(id);
}

bool runtime_stream::all_said() const {
  return std::all_of(channels_.begin(), channels_.end(),
                     [](auto& entry) { return entry.second == channel::input || entry.second == channel::resize; });
}

void runtime_stream::channel_ended(std::uint32_t id) {
  auto found = channels_.find(id);
  if (over() || found == channels_.end()) return;
  auto on = found->second;
  channels_.erase(found);
  tell(on, {}, true);
  if (is_open() && all_said()) input_ended();
}

void runtime_stream::on_reset(std::uint32_t id) {
  if (over() || !channels_.contains(id)) return;
  if (unanswered_.contains(id)) return finish({fault::unavailable, "the container runtime refused a stream"});
  channel_ended(id);
}

void runtime_stream::on_ping(std::uint32_t id) {
  if (id % 2 == 0) encoder_.ping(outgoing, id);
}

void runtime_stream::on_goaway() { input_ended(); }

void runtime_stream::input_ended(std::string_view why) {
  bool forward = order_.kind == container::stream_kind::port_forward;
  if (is_open() && (outcome_said_ || (forward && why.empty()))) return finish({});
  finish({fault::unavailable, "the container runtime ended the stream" + (why.empty() ? "" : ": " + std::string(why))});
}

}  // namespace troupe::cri
