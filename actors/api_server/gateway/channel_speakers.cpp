// Streams over WebSocket messages whose first byte is a channel (v4.channel.k8s.io and v5.channel.k8s.io).
#include <charconv>
#include <string>
#include <utility>

#include "actors/api_server/gateway/speakers.hpp"
#include "messages/status.hpp"

namespace troupe::gateway {
namespace {

using stream::channel;

constexpr std::uint8_t close_signal = 255;

stream::chunk chunk_of(std::uint64_t id, channel on, std::string_view bytes, bool end) {
  return {id, on, bytes.empty() ? shared_bytes() : shared_bytes(std::string(bytes)), end};
}

class channels final : public dialect_speaker {
 public:
  channels(std::uint64_t stream_id, bool closes, client_side& client)
      : id_(stream_id), closes_(closes), client_(client) {}

  bool hear(std::string_view bytes, bool begins, bool) override {
    if (begins) to_ = -1;
    if (to_ < 0 && !bytes.empty()) {
      to_ = static_cast<unsigned char>(bytes.front());
      bytes.remove_prefix(1);
    }
    if (bytes.empty() || to_ < 0) return true;
    if (to_ == close_signal && closes_) {
      if (bytes.front() == static_cast<char>(channel::input)) pass(channel::input, {}, true);
    } else if (to_ == static_cast<int>(channel::input)) {
      pass(channel::input, bytes, false);
    } else if (to_ == static_cast<int>(channel::resize)) {
      pass(channel::resize, bytes, false);
    }
    return true;  // other channels are not a client's to write: passed over, as Kubernetes does
  }

  bool wants_input() const override { return credit_ > 0 || input_over_; }

  void on_chunk(const stream::chunk& what) override {
    if (what.data.empty()) return;
    if (what.on == channel::outcome) outcome_said_ = true;
    char head = static_cast<char>(what.on);
    client_.say({&head, 1}, what.data.view(), id_, what.data.size());
  }
  void on_credit(const stream::credit& what) override { credit_ += what.bytes; }
  void on_closed(const stream::closed& what) override {
    if (!what.error.ok() && !outcome_said_) {
      char head = static_cast<char>(channel::outcome);
      client_.say({&head, 1}, to_json(internal_error(what.error.message)), id_, 0);
    }
    client_.end(wire::ws_close::normal);
  }
  void tick(std::uint64_t) override {}

 private:
  void pass(channel on, std::string_view bytes, bool end) {
    if (on == channel::input && std::exchange(input_over_, input_over_ || end)) return;
    credit_ -= static_cast<std::int64_t>(bytes.size());
    client_.port().pass(chunk_of(id_, on, bytes, end));
  }

  const std::uint64_t id_;
  const bool closes_;
  client_side& client_;
  int to_ = -1;  // channel of the message that is coming in
  std::int64_t credit_ = stream::window_bytes;
  bool input_over_ = false;
  bool outcome_said_ = false;
};

class forwarded_channels final : public dialect_speaker {
 public:
  forwarded_channels(std::uint64_t stream_id, const std::vector<std::int32_t>& ports, client_side& client)
      : id_(stream_id), client_(client), ends_(ports.size()) {
    for (std::size_t i = 0; i < ports.size(); ++i) {
      char port[2] = {static_cast<char>(ports[i] & 0xff), static_cast<char>(ports[i] >> 8 & 0xff)};
      say(2 * i, {port, 2}, 0, 0);
      say(2 * i + 1, {port, 2}, 0, 0);
      client_.port().pass(stream::connect{id_ + i + 1, ports[i]});
    }
  }

  bool hear(std::string_view bytes, bool begins, bool) override {
    if (begins) to_ = -1;
    if (to_ < 0 && !bytes.empty()) {
      to_ = static_cast<unsigned char>(bytes.front());
      bytes.remove_prefix(1);
    }
    auto index = static_cast<std::size_t>(to_) / 2;
    if (to_ < 0 || to_ % 2 != 0 || index >= ends_.size() || bytes.empty() || ends_[index].closed) return true;
    ends_[index].credit -= static_cast<std::int64_t>(bytes.size());
    client_.port().pass(chunk_of(id_ + index + 1, channel::input, bytes, false));
    return true;
  }

  bool wants_input() const override {
    for (auto& one : ends_)
      if (!one.closed && one.credit <= 0) return false;
    return true;
  }

  void on_chunk(const stream::chunk& what) override {
    auto index = index_of(what.id);
    if (index >= ends_.size() || what.data.empty()) return;
    say(2 * index + (what.on == channel::output ? 0 : 1), what.data.view(), what.id, what.data.size());
  }
  void on_credit(const stream::credit& what) override {
    if (auto index = index_of(what.id); index < ends_.size()) ends_[index].credit += what.bytes;
  }
  void on_closed(const stream::closed& what) override {
    auto index = index_of(what.id);
    if (index < ends_.size()) {
      ends_[index].closed = true;
      if (!what.error.ok()) say(2 * index + 1, what.error.message, 0, 0);
    }
    bool all = true;
    for (auto& one : ends_) all = all && one.closed;
    if (all || what.id == id_) client_.end(wire::ws_close::normal);
  }
  void tick(std::uint64_t) override {}

 private:
  struct end_of_port {
    std::int64_t credit = stream::window_bytes;
    bool closed = false;
  };
  std::size_t index_of(std::uint64_t id) const { return static_cast<std::size_t>(id - id_ - 1); }
  void say(std::size_t on, std::string_view bytes, std::uint64_t id, std::size_t credit) {
    char head = static_cast<char>(on);
    client_.say({&head, 1}, bytes, id, credit);
  }

  const std::uint64_t id_;
  client_side& client_;
  std::vector<end_of_port> ends_;
  int to_ = -1;
};

/// As Go's conversion of a query to a bool: there and neither "false" nor "0".
bool is_set(std::string_view target, std::string_view name) {
  auto value = query_parameter(target, name);
  return value && *value != "false" && *value != "0";
}

std::vector<std::int32_t> ports_in(std::string_view target) {
  std::vector<std::int32_t> ports;
  auto rest = target.substr(std::min(target.find('?'), target.size()));
  while (!rest.empty()) {
    rest.remove_prefix(1);
    auto pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(pair.size());
    if (!pair.starts_with("ports=")) continue;
    for_each_token(pair.substr(6), [&](std::string_view token) {
      std::int32_t port = 0;
      auto [end, wrong] = std::from_chars(token.data(), token.data() + token.size(), port);
      bool whole = wrong == std::errc() && end == token.data() + token.size();
      // A channel is one byte.
      if (whole && port > 0 && port < 65536 && ports.size() < 120) ports.push_back(port);
    });
  }
  return ports;
}

}  // namespace

std::unique_ptr<dialect_speaker> make_channels(std::uint64_t stream_id, bool closes, client_side& client) {
  return std::make_unique<channels>(stream_id, closes, client);
}

std::unique_ptr<dialect_speaker> make_forwarded_channels(std::uint64_t stream_id,
                                                         const std::vector<std::int32_t>& ports, client_side& client) {
  return std::make_unique<forwarded_channels>(stream_id, ports, client);
}

std::unique_ptr<dialect_speaker> make_speaker(const upgrade_choice& chosen, std::string_view target,
                                              std::uint64_t stream_id, client_side& client) {
  bool terminal = is_set(target, "tty");
  wanted_streams wanted{is_set(target, "stdin"), is_set(target, "stdout"), is_set(target, "stderr") && !terminal,
                        terminal};
  switch (chosen.speaks) {
    case dialect::forwarded_channels:
      return make_forwarded_channels(stream_id, ports_in(target), client);
    case dialect::spdy_exec:
      return make_spdy_exec(stream_id, wanted, client);
    case dialect::tunnel:
    case dialect::spdy_forward:
      return make_spdy_forward(stream_id, client);
    default:
      return make_channels(stream_id, chosen.closes_channels(), client);
  }
}

}  // namespace troupe::gateway
