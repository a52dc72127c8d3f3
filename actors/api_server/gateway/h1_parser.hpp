// An incremental, strict HTTP/1.1 request parser. Pure: bytes in, one request out.
//
// Strictness is what keeps requests apart when something stands between client and gateway: every line must end in
// CRLF, folded headers, whitespace before the colon, repeated or conflicting Content-Length, Transfer-Encoding together
// with Content-Length or other than "chunked" are refused. All lengths are bounded. After a failure the connection must
// be closed, for nobody knows where the next request begins.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "actors/api_server/gateway/http.hpp"
#include "actors/api_server/gateway/limits.hpp"

namespace troupe::gateway {

/// Parses the requests of one connection, one after the other.
class h1_parser {
 public:
  explicit h1_parser(const limits& bounds) : bounds_(bounds) {}

  /// Takes bytes; returns how many belong to the current request (all, unless it became complete or failed).
  std::size_t feed(std::string_view data);

  /// Nothing of a request has arrived yet.
  bool idle() const { return step_ == step::request_line && head_bytes_ == 0; }
  /// The headers are known (and perhaps more).
  bool head_complete() const { return step_ > step::header_line; }
  bool complete() const { return step_ == step::complete; }
  bool failed() const { return step_ == step::failed; }
  const http_failure& failure() const { return failure_; }
  /// The request: its head once head_complete(), all of it once complete(). May be moved from then.
  http_request& request() { return request_; }
  /// Forgets the complete request and waits for the next.
  void reset();

 private:
  enum class step : std::uint8_t {
    request_line,
    header_line,
    sized_body,
    chunk_line,
    chunk_data,
    chunk_end,
    trailer_line,
    complete,
    failed
  };

  std::size_t feed_line(std::string_view data);
  std::size_t feed_body(std::string_view data);
  void on_line(std::string_view line);
  void on_request_line(std::string_view line);
  void on_header_line(std::string_view line);
  void on_header(std::string_view name, std::string_view value);
  void on_content_length(std::string_view value);
  void on_transfer_encoding(std::string_view value);
  void on_head_end();
  void on_chunk_line(std::string_view line);
  void begin_data(std::uint64_t size, step next);
  void fail(std::uint16_t code, std::string text);

  const limits& bounds_;
  step step_ = step::request_line;
  http_failure failure_;
  http_request request_;
  std::string line_;            // the beginning of a line whose end has not arrived
  std::string name_;            // scratch: the current header's name in lower case
  std::size_t head_bytes_ = 0;  // request line, headers, chunk lines beyond their data, trailers
  std::size_t header_count_ = 0;
  std::uint64_t data_left_ = 0;  // of the body or the chunk
  bool has_host_ = false;
};

}  // namespace troupe::gateway
