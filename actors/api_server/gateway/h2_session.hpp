// HTTP/2 on a connection, by nghttp2.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include <nghttp2/nghttp2.h>

#include "actors/api_server/gateway/connection.hpp"
#include "actors/api_server/gateway/session.hpp"

namespace troupe::gateway {

/// See session for the meaning of the calls.
class h2_session final : public session {
 public:
  h2_session(host& by, connection& on);
  ~h2_session() override;
  void receive(std::string_view data) override;
  bool input_ended() override { return false; }
  bool wants_input() const override { return true; }
  void fill(std::string& out, std::size_t room) override;
  void answer(exchange& which) override;
  void resume(exchange& which) override;
  void cut(exchange& which) override;
  void drain() override;
  bool finished() const override;
  bool leaves_input_unread() const override { return broken_; }
  bool is_patient() const override { return false; }
  void tick(std::uint64_t now_us) override;
  const connection& under() const override { return connection_; }

 private:
  struct stream {
    std::int32_t id = 0;
    http_request request;
    exchange* current = nullptr;
    std::size_t header_bytes = 0;
    std::size_t discarded = 0;      // body bytes after the request was refused
    std::uint64_t deadline_us = 0;  // for the complete request
    bool has_path = false;
    bool head_too_large = false;
    bool refused = false;
  };
  struct callbacks;
  friend struct callbacks;

  stream* find(std::int32_t id);
  int on_begin(std::int32_t id);
  int on_header(stream& s, std::string_view name, std::string_view value);
  void on_head(stream& s);
  void on_data(stream& s, std::string_view data);
  void on_end(stream& s);
  void on_closed(std::int32_t id);
  void refuse(stream& s, const status& why);
  void forget_body(stream& s);
  ssize_t read_length(stream& s, std::size_t length, std::uint32_t* flags);
  int send_data(stream& s, const std::uint8_t* frame_head, std::size_t length);

  host& host_;
  connection& connection_;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<std::int32_t, std::unique_ptr<stream>> streams_;
  std::size_t buffered_ = 0;    // request bodies
  std::string* out_ = nullptr;  // while fill() runs
  std::size_t room_ = 0;
  std::uint64_t deadline_us_ = 0;  // of an idle connection
  bool draining_ = false;
  bool broken_ = false;
};

}  // namespace troupe::gateway
