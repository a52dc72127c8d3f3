// Where a client connects to and as whom.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <openssl/ssl.h>

namespace troupe::bench {

/// A server and the client's certificate; all PEM texts. Without certificate the client is anonymous.
struct target {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  std::string authority;  // empty: the server is not verified
  std::string certificate;
  std::string private_key;
};

/// Reads the current context of a kubeconfig with embedded certificate data. Throws std::runtime_error.
target read_kubeconfig(const std::string& path);

/// Standard base64 to bytes; nullopt for text that is none.
std::optional<std::string> decode_base64(const std::string& text);

/// One TLS client context for many connections.
class tls_client {
 public:
  /// `h2`: offer HTTP/2 (and nothing else), else HTTP/1.1. Throws std::runtime_error.
  tls_client(const target& where, bool h2);

  /// A connected socket after the TLS handshake, blocking. Throws std::runtime_error.
  SSL* connect() const;
  /// Ends it and closes its socket.
  static void close(SSL* connection);

 private:
  target where_;
  std::shared_ptr<SSL_CTX> context_;
};

/// A connected TCP socket without TLS, for what a client should not do. Throws std::runtime_error.
int connect_plain(const target& where);

}  // namespace troupe::bench
