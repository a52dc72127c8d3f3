// A blocking HTTP/1.1 client over TLS, one connection: for set-up, checks and tests.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "tests/bench/client/response_reader.hpp"
#include "tests/bench/client/target.hpp"

namespace troupe::bench {

/// One request to send.
struct request {
  std::string method = "GET";
  std::string path;  // with query
  std::string body;
  std::string content_type = "application/json";
  std::string headers;  // further header lines, each ending in CRLF
};

/// The request's bytes in HTTP/1.1.
std::string to_h1(const request& what);

/// Throws std::runtime_error when the connection fails. Waits at most `patience` for bytes.
class client {
 public:
  explicit client(const target& where, std::chrono::milliseconds patience = std::chrono::seconds(20));
  ~client();
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  /// Sends and waits for the whole answer; reconnects once when a kept connection turns out to be closed.
  reply call(const request& what);
  reply get(std::string path);

  // Piecemeal.
  void send(std::string_view bytes);
  /// The next whole answer.
  reply receive(bool head_only = false);
  /// Some bytes of the connection; "" at its end.
  std::string receive_some();
  /// Bytes of the current streamed answer's body up to and including the next newline; "" at its end. The first call
  /// reads the answer's head too.
  std::string receive_line();
  int socket() const;
  /// Closes it as a client that just goes.
  void disconnect();
  void reconnect();

 private:
  std::size_t read(char* into, std::size_t size);
  tls_client tls_;
  std::chrono::milliseconds patience_;
  SSL* connection_ = nullptr;
  std::string input_;
  response_reader stream_;
  std::string lines_;
  bool used_ = false;
};

}  // namespace troupe::bench
