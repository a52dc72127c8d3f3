// HTTP/1.1 (and 1.0) on a connection: one request at a time, pipelined ones wait.
#pragma once

#include "actors/api_server/gateway/connection.hpp"
#include "actors/api_server/gateway/h1_parser.hpp"
#include "actors/api_server/gateway/session.hpp"

namespace troupe::gateway {

/// See session for the meaning of the calls.
class h1_session final : public session {
 public:
  h1_session(host& by, connection& on);
  ~h1_session() override;
  void receive(std::string_view data) override;
  bool input_ended() override;
  bool wants_input() const override;
  void fill(std::string& out, std::size_t room) override;
  void answer(exchange& which) override;
  void resume(exchange& which) override;
  void cut(exchange& which) override;
  void drain() override;
  bool finished() const override { return closing_ && !current_ && ready_.empty(); }
  bool leaves_input_unread() const override { return was_upgraded_ || parser_.failed() || !parser_.idle(); }
  bool is_patient() const override;
  void tick(std::uint64_t now_us) override;
  const connection& under() const override { return connection_; }

 private:
  void parse(std::string_view data);
  void on_head();
  void on_failure();
  void refuse_plainly(std::uint16_t code, std::string_view text);
  void write_head(const exchange& x);
  void append_body(std::string& out, std::size_t room);
  void upgrade(exchange& x);
  void append_stream(std::string& out, std::size_t room);
  void end_exchange();
  void await_request();

  host& host_;
  connection& connection_;
  h1_parser parser_;
  std::string input_;  // behind the request that is being answered
  std::string ready_;  // to be sent before the current body
  exchange* current_ = nullptr;
  bool head_seen_ = false;
  bool keep_alive_ = true;
  bool http_1_0_ = false;
  bool chunked_ = false;
  bool closing_ = false;   // no further request is read
  bool draining_ = false;  // the next answer is the last
  bool was_upgraded_ = false;
  std::uint64_t deadline_us_ = 0;
};

}  // namespace troupe::gateway
