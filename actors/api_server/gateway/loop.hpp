// One gateway thread: an epoll loop with an actor inside.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "actors/api_server/gateway/connection.hpp"
#include "actors/api_server/gateway/gateway.hpp"
#include "actors/api_server/gateway/session.hpp"
#include "runtime/line_budget.hpp"
#include "runtime/loop_actor.hpp"
#include "runtime/trace/recorder.hpp"

namespace troupe::gateway {

/// The actor answers to its connections and talks to the api_server. An exit message drains it: open requests are
/// answered, watches are ended, then the actor ends.
class loop final : public runtime::loop_actor<gateway_actor>, private host, private stream_port {
 public:
  loop(caf::actor_config& settings, options with, std::size_t index);
  ~loop() override;
  behavior_type make_behavior() override;
  void run() override;

 private:
  // host
  const limits& bounds() const override { return with_.where->bounds(); }
  gateway_counters& counts() override { return with_.where->counts(); }
  std::uint64_t now_us() const override { return now_us_; }
  const std::string& date() override;
  exchange& begin(session& by, const peer_identity& peer, std::int32_t stream, http_request&& request) override;
  exchange& refuse(session& by, std::int32_t stream, http_request&& request, const status& why) override;
  void release(exchange& which) override;
  void tell_refused(const connection& by, std::string_view reason, std::string_view why) override;
  void flush_soon(connection& which) override;

  // stream_port
  void pass(stream::chunk&& what) override { send(with_.relay.handle(), std::move(what)); }
  void pass(const stream::credit& what) override { send(with_.relay.handle(), what); }
  void pass(const stream::connect& what) override { send(with_.relay.handle(), what); }
  void pass(const stream::close& what) override { send(with_.relay.handle(), what); }

  // sockets
  void watch_fd(int fd, void* tag, std::uint32_t events);
  void listen(bool on);
  void accept_some();
  void adopt(int socket);
  void turn(int timeout_ms);
  int timeout_ms() const;
  void flush_all();
  void bury();
  void tick();
  void begin_drain();
  bool drained();

  // exchanges
  exchange& make(session& by, std::int32_t stream, const http_request& request);
  void authenticate(const peer_identity& peer, api::request& call);
  void fail(exchange& x, const status& why);
  void fail_plainly(exchange& x, std::uint16_t code, std::string text);
  void present(exchange& x);
  void tell_unauthorized(const exchange& x);
  void choose_encoding(exchange& x);
  void start_watch(exchange& x);
  void stop_watch(exchange& x);
  void leave_flight(exchange& x);
  void on_response(api::response& answer);
  void on_delivery(const api::watch_delivery& delivery);
  void on_api_server_gone();
  void start_stream(exchange& x);
  void end_stream(exchange& x);
  void decline(const api::response& answer);
  exchange* stream_of(std::uint64_t id);
  void on_relay_gone();
  void begin_trace(exchange& x, const api::request& call);
  void end_trace(exchange& x);
  void record_written(std::uint64_t at);
  void fail_unanswered(exchange& x);

  options with_;
  loop_slot& slot_;
  int epoll_ = -1;
  bool listening_ = false;
  std::uint64_t now_us_ = 0;
  std::uint64_t next_tick_us_ = 0;
  std::uint64_t tick_us_ = 1'000'000;
  std::uint64_t drain_deadline_us_ = 0;
  bool draining_ = false;
  std::uint64_t api_incarnation_ = 0;
  bool api_up_ = false;
  std::uint64_t next_id_ = 1;
  std::uint64_t date_second_ = 0;
  std::string date_;
  std::unordered_map<connection*, std::unique_ptr<connection>> connections_;
  std::vector<connection*> to_flush_;
  std::vector<trace::hop> to_record_;  // answered in this turn; recorded once they are written
  std::unordered_map<std::uint64_t, std::unique_ptr<exchange>> exchanges_;  // by request id
  std::unordered_map<std::uint64_t, exchange*> watches_;                    // by watch id
  std::unordered_map<std::uint64_t, exchange*> streams_;                    // by id of the session
  std::uint64_t relay_incarnation_ = 0;
  runtime::line_budget lines_;  // about clients that were refused
};

}  // namespace troupe::gateway
