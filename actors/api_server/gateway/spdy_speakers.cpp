// Streams over SPDY: exec and attach of older clients, port-forward of all.
#include <charconv>
#include <map>
#include <string>
#include <utility>

#include "actors/api_server/gateway/speakers.hpp"
#include "messages/status.hpp"
#include "runtime/wire/spdy.hpp"

namespace troupe::gateway {
namespace {

using stream::channel;

// Go's servers wait that long for the streams that belong together (remotecommand's DefaultStreamCreationTimeout).
constexpr std::uint64_t creation_us = 30'000'000;
// Connections of one tunnel at a time: with their windows they bound what it may keep in memory.
constexpr std::size_t max_connections = 128;

/// What both have in common: frames in and out.
class spdy_speaker : public dialect_speaker, protected wire::spdy_sink {
 public:
  spdy_speaker(std::uint64_t stream_id, client_side& client) : id_(stream_id), client_(client) {}

  bool hear(std::string_view bytes, bool, bool) override { return decoder_.feed(bytes); }

 protected:
  void on_reply(std::uint32_t, bool) override {}
  void on_ping(std::uint32_t id) override {
    if (id % 2 == 0) return;  // an answer to a ping of ours, which there are none of
    say([&](std::string& out) { encoder_.ping(out, id); });
  }
  void on_goaway() override { client_.end(wire::ws_close::normal); }

  template <class Write>
  void say(Write write) {
    std::string out;
    write(out);
    client_.say(out, {}, id_, 0);
  }
  void reply(std::uint32_t id) {
    say([&](std::string& out) { encoder_.reply(out, id); });
  }
  void reset(std::uint32_t id, wire::spdy_reset why) {
    say([&](std::string& out) { encoder_.reset(out, id, why); });
  }
  /// Data of a stream, worth that much credit.
  void data(std::uint32_t id, std::string_view bytes, bool fin, std::uint64_t stream_id, std::size_t credit) {
    std::string out;
    encoder_.data(out, id, bytes, fin);
    client_.say(out, {}, stream_id, credit);
  }

  const std::uint64_t id_;
  client_side& client_;
  wire::spdy_encoder encoder_;

 private:
  wire::spdy_decoder decoder_{*this};
};

class spdy_exec final : public spdy_speaker {
 public:
  spdy_exec(std::uint64_t stream_id, const wanted_streams& wanted, client_side& client)
      : spdy_speaker(stream_id, client), wanted_(wanted) {}

  bool wants_input() const override { return credit_ > 0 || input_over_; }

  void on_chunk(const stream::chunk& what) override {
    if (what.data.empty()) return;
    if (what.on == channel::outcome) outcome_said_ = true;
    auto found = streams_.find(what.on);
    if (found == streams_.end())
      held_.push_back(what);  // no more than the window: its credit is given when it is out
    else
      data(found->second, what.data.view(), false, id_, what.data.size());
  }
  void on_credit(const stream::credit& what) override { credit_ += what.bytes; }
  void on_closed(const stream::closed& what) override {
    over_ = true;
    if (!what.error.ok() && !outcome_said_)
      on_chunk({id_, channel::outcome, shared_bytes(to_json(internal_error(what.error.message))), true});
    end_when_heard();
  }
  void tick(std::uint64_t now_us) override {
    if (deadline_us_ == 0) deadline_us_ = now_us + creation_us;
    if (!complete() && now_us >= deadline_us_) client_.end(wire::ws_close::protocol_error);
  }

 private:
  void on_stream(std::uint32_t id, const wire::spdy_headers& headers, bool fin) override {
    auto type = wire::spdy_header(headers, "streamtype");
    auto on = type == "stdin"    ? channel::input
              : type == "stdout" ? channel::output
              : type == "stderr" ? channel::errors
              : type == "error"  ? channel::outcome
                                 : channel::resize;
    if ((on == channel::resize && type != "resize") || !streams_.emplace(on, id).second)
      return reset(id, wire::spdy_reset::refused_stream);
    reply(id);
    if (fin) on_data(id, {}, true);
    std::vector<stream::chunk> held;
    held.swap(held_);
    for (auto& one : held) on_chunk(one);
    end_when_heard();
  }
  void on_data(std::uint32_t id, std::string_view piece, bool fin) override {
    for (auto& [on, stream_of] : streams_) {
      if (stream_of != id || (on != channel::input && on != channel::resize)) continue;
      if (on == channel::input && std::exchange(input_over_, input_over_ || fin)) return;
      credit_ -= static_cast<std::int64_t>(piece.size());
      client_.port().pass(
          stream::chunk{id_, on, piece.empty() ? shared_bytes() : shared_bytes(std::string(piece)), fin});
      return;
    }
  }
  void on_reset(std::uint32_t id) override { on_data(id, {}, true); }

  bool complete() const {
    auto there = [this](bool wanted, channel on) { return !wanted || streams_.contains(on); };
    return there(true, channel::outcome) && there(wanted_.input, channel::input) &&
           there(wanted_.output, channel::output) && there(wanted_.errors, channel::errors);
  }
  /// What was said before the client had made its streams must still reach it.
  void end_when_heard() {
    if (!over_ || !complete()) return;
    for (auto& [on, id] : streams_)
      if (on != channel::input && on != channel::resize) data(id, {}, true, id_, 0);
    client_.end(wire::ws_close::normal);
  }

  const wanted_streams wanted_;
  std::map<channel, std::uint32_t> streams_;
  std::vector<stream::chunk> held_;
  std::int64_t credit_ = stream::window_bytes;
  bool input_over_ = false;
  bool outcome_said_ = false;
  bool over_ = false;
  std::uint64_t deadline_us_ = 0;
};

class spdy_forward final : public spdy_speaker {
 public:
  using spdy_speaker::spdy_speaker;

  bool wants_input() const override {
    for (auto& [number, one] : connections_)
      if (one.begun && one.credit <= 0) return false;
    return true;
  }

  void on_chunk(const stream::chunk& what) override {
    auto found = connections_.find(what.id - id_);
    if (found == connections_.end()) return client_.port().pass(stream::close{what.id});
    auto& one = found->second;
    bool error = what.on == channel::outcome;
    if (what.data.empty() && (error || !what.end)) return;
    data(error ? one.error : one.data, what.data.view(), !error && what.end, what.id, what.data.size());
    if (!error && what.end) one.data_ended = true;
  }
  void on_credit(const stream::credit& what) override {
    if (auto found = connections_.find(what.id - id_); found != connections_.end()) found->second.credit += what.bytes;
  }
  void on_closed(const stream::closed& what) override {
    if (what.id == id_) return client_.end(wire::ws_close::normal);
    auto found = connections_.find(what.id - id_);
    if (found == connections_.end()) return;
    auto one = found->second;
    connections_.erase(found);
    if (!what.error.ok()) data(one.error, what.error.message, false, what.id, 0);
    if (!one.data_ended) data(one.data, {}, true, what.id, 0);
    data(one.error, {}, true, what.id, 0);
  }
  void tick(std::uint64_t now_us) override {
    for (auto at = connections_.begin(); at != connections_.end();) {
      auto& one = at->second;
      if (one.deadline_us == 0) one.deadline_us = now_us + creation_us;
      bool late = !one.begun && now_us >= one.deadline_us;
      if (late) reset(one.error != 0 ? one.error : one.data, wire::spdy_reset::cancel);
      at = late ? connections_.erase(at) : std::next(at);
    }
  }

 private:
  /// Two streams of the client; begun once both are there.
  struct connection_of_port {
    std::string request;
    std::int32_t port = 0;
    std::uint32_t error = 0, data = 0;  // SPDY's numbers; 0: not there yet
    std::int64_t credit = stream::window_bytes;
    bool begun = false;
    bool input_over = false;
    bool data_ended = false;  // towards the client
    std::uint64_t deadline_us = 0;
  };

  connection_of_port* of_request(std::string_view request) {
    for (auto& [number, one] : connections_)
      if (!one.begun && one.request == request) return &one;
    return nullptr;
  }

  void on_stream(std::uint32_t id, const wire::spdy_headers& headers, bool fin) override {
    auto type = wire::spdy_header(headers, "streamtype");
    auto request = wire::spdy_header(headers, "requestid");
    auto text = wire::spdy_header(headers, "port");
    std::int32_t port = 0;
    auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), port);
    bool sound = wrong == std::errc() && end == text.data() + text.size() && port > 0 && port < 65536;
    if (!sound || request.empty() || (type != "error" && type != "data"))
      return reset(id, wire::spdy_reset::protocol_error);
    auto* one = of_request(request);
    if (!one) {
      if (connections_.size() >= max_connections || next_ >> stream::connection_bits != 0)
        return reset(id, wire::spdy_reset::refused_stream);
      one = &connections_[next_++];
      one->request = request;
      one->port = port;
    }
    auto& place = type == "error" ? one->error : one->data;
    if (place != 0 || one->port != port) return reset(id, wire::spdy_reset::protocol_error);
    place = id;
    reply(id);
    if (fin && type == "data") one->input_over = true;
    if (one->error != 0 && one->data != 0) begin(*one);
  }
  void begin(connection_of_port& one) {
    one.begun = true;
    auto id = id_of(one);
    client_.port().pass(stream::connect{id, one.port});
    if (one.input_over) client_.port().pass(stream::chunk{id, channel::input, {}, true});
  }
  std::uint64_t id_of(const connection_of_port& wanted) const {
    for (auto& [number, one] : connections_)
      if (&one == &wanted) return id_ + number;
    return id_;
  }
  std::map<std::uint64_t, connection_of_port>::iterator by_data(std::uint32_t id) {
    auto at = connections_.begin();
    while (at != connections_.end() && at->second.data != id) ++at;
    return at;
  }

  void on_data(std::uint32_t id, std::string_view piece, bool fin) override {
    auto found = by_data(id);
    if (found == connections_.end() || found->second.input_over) return;
    auto& one = found->second;
    one.input_over = fin;
    // Bytes before the connection's second stream are kept by nobody: clients send them when both are there.
    if (!one.begun) return;
    one.credit -= static_cast<std::int64_t>(piece.size());
    client_.port().pass(stream::chunk{id_ + found->first, channel::input,
                                      piece.empty() ? shared_bytes() : shared_bytes(std::string(piece)), fin});
  }
  /// kubectl resets the data stream when either side is over, and waits for the end of the error stream. When it was
  /// the container's, what went wrong is still to be said: a connection that is refused ends before its reason is
  /// known.
  void on_reset(std::uint32_t id) override {
    auto found = by_data(id);
    if (found == connections_.end()) return;
    auto& one = found->second;
    auto stream_id = id_ + found->first;
    if (one.begun && one.data_ended) {
      if (!std::exchange(one.input_over, true)) client_.port().pass(stream::chunk{stream_id, channel::input, {}, true});
      return;
    }
    if (one.begun) client_.port().pass(stream::close{stream_id});
    if (one.error != 0) data(one.error, {}, true, stream_id, 0);
    connections_.erase(found);
  }

  std::map<std::uint64_t, connection_of_port> connections_;
  std::uint64_t next_ = 1;
};

}  // namespace

std::unique_ptr<dialect_speaker> make_spdy_exec(std::uint64_t stream_id, const wanted_streams& wanted,
                                                client_side& client) {
  return std::make_unique<spdy_exec>(stream_id, wanted, client);
}

std::unique_ptr<dialect_speaker> make_spdy_forward(std::uint64_t stream_id, client_side& client) {
  return std::make_unique<spdy_forward>(stream_id, client);
}

}  // namespace troupe::gateway
