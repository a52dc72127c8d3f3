// A client's connection after its upgrade: between the bytes on the wire and the chunks of streams.
//
// `upgraded` is the transport: WebSocket messages or plain bytes, the queue towards the client, credit for what has
// left it. What the bytes mean is the business of its dialect (channel_dialects, spdy_dialects).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "actors/api_server/gateway/upgrade.hpp"
#include "messages/streams.hpp"
#include "runtime/wire/websocket.hpp"

namespace troupe::gateway {

/// Takes what goes to the container's end of streams.
class stream_port {
 public:
  virtual ~stream_port() = default;
  virtual void pass(stream::chunk&& what) = 0;
  virtual void pass(const stream::credit& what) = 0;
  virtual void pass(const stream::connect& what) = 0;
  virtual void pass(const stream::close& what) = 0;
};

/// The client's side, as a dialect sees it.
class client_side {
 public:
  virtual ~client_side() = default;
  /// Sends bytes (one WebSocket message). When they are out, the stream gets that much credit.
  virtual void say(std::string_view head, std::string_view payload, std::uint64_t stream_id, std::size_t credit) = 0;
  /// Ends the connection once everything is out.
  virtual void end(wire::ws_close why) = 0;
  virtual stream_port& port() = 0;
};

/// What the bytes of an upgraded connection mean.
class dialect_speaker {
 public:
  virtual ~dialect_speaker() = default;
  /// Bytes of the client. `begins`, `ends`: of a WebSocket message. False when they break the dialect's rules.
  virtual bool hear(std::string_view bytes, bool begins, bool ends) = 0;
  /// False while what the client sends has nowhere to go.
  virtual bool wants_input() const = 0;
  virtual void on_chunk(const stream::chunk& what) = 0;
  virtual void on_credit(const stream::credit& what) = 0;
  virtual void on_closed(const stream::closed& what) = 0;
  /// Called now and then to judge deadlines.
  virtual void tick(std::uint64_t now_us) = 0;
};

/// Makes the speaker of a choice; `target` is the request's, with its query.
std::unique_ptr<dialect_speaker> make_speaker(const upgrade_choice& chosen, std::string_view target,
                                              std::uint64_t stream_id, client_side& client);

/// See the top of this file. Belongs to one exchange.
class upgraded final : private wire::websocket_sink, private client_side {
 public:
  /// `target`: of the request, with its query. `to` outlives it.
  upgraded(const upgrade_choice& chosen, std::string_view target, std::uint64_t stream_id, stream_port& to);
  /// Closes the stream.
  ~upgraded() override;
  upgraded(const upgraded&) = delete;
  upgraded& operator=(const upgraded&) = delete;

  /// Bytes of the client.
  void receive(std::string_view data);
  bool wants_input() const;
  /// Appends about `room` bytes for the client.
  void fill(std::string& out, std::size_t room);
  /// All has been said and sent.
  bool finished() const { return ending_ && queue_.empty(); }
  void tick(std::uint64_t now_us);
  /// The server goes away.
  void leave() { end(wire::ws_close::going_away); }

  dialect_speaker& speaker() { return *speaker_; }

 private:
  struct piece_out {
    std::string bytes;
    std::uint64_t stream_id = 0;
    std::size_t credit = 0;
  };

  void on_message(bool text, std::string_view piece, bool begins, bool ends) override;
  void on_control(wire::ws_opcode what, std::string_view payload) override;
  void say(std::string_view head, std::string_view payload, std::uint64_t stream_id, std::size_t credit) override;
  void end(wire::ws_close why) override;
  stream_port& port() override { return port_; }
  void put(std::string bytes);

  const bool websocket_;
  const std::uint64_t stream_id_;
  stream_port& port_;
  wire::websocket_decoder decoder_{*this};
  std::deque<piece_out> queue_;
  std::size_t queued_ = 0;  // bytes
  bool ending_ = false;
  std::uint64_t pong_due_us_ = 0;
  std::unique_ptr<dialect_speaker> speaker_;  // may speak as soon as it is made: behind all that this takes
};

}  // namespace troupe::gateway
