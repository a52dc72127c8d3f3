// One connection of a load run: HTTP/1.1 or HTTP/2 over non-blocking TLS.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>

#include "tests/bench/client/client.hpp"

namespace troupe::bench {

/// What becomes of a request; `head` is empty for HTTP/2.
using on_answer = std::function<void(int code, std::size_t body)>;
/// Sees body bytes as they come, for streams that do not end.
using on_bytes = std::function<void(std::string_view)>;

/// Base of both protocols. Throws std::runtime_error when the server closes.
class channel {
 public:
  /// Takes the connection over and makes it non-blocking.
  explicit channel(SSL* connection);
  virtual ~channel();
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;

  virtual void start(const request& what, on_answer done, on_bytes bytes = {}) = 0;
  int socket() const { return SSL_get_fd(connection_); }
  /// The socket is ready; reads what there is and writes what waits.
  void on_ready();
  /// Bytes wait for the socket to take them.
  bool wants_write() const { return !output_.empty(); }
  /// Writes what waits.
  virtual void flush();

 protected:
  virtual void receive(std::string_view data) = 0;
  std::string output_;

 private:
  SSL* connection_;
};

class h1_channel final : public channel {
 public:
  using channel::channel;
  void start(const request& what, on_answer done, on_bytes bytes) override;

 private:
  void receive(std::string_view data) override;
  response_reader reader_;
  on_answer done_;
  std::size_t size_ = 0;
};

class h2_channel final : public channel {
 public:
  explicit h2_channel(SSL* connection);
  ~h2_channel() override;
  void start(const request& what, on_answer done, on_bytes bytes) override;
  void flush() override;

 private:
  struct stream {
    on_answer done;
    on_bytes bytes;
    std::string body;
    std::size_t sent = 0;
    std::size_t size = 0;
    int code = 0;
  };
  struct callbacks;
  void receive(std::string_view data) override;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<std::int32_t, std::unique_ptr<stream>> streams_;
};

}  // namespace troupe::bench
