// The link's TLS: version 1.3 only, P-256 only, both ends with a certificate of the cluster's authority.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <openssl/ssl.h>

#include "messages/status.hpp"
#include "runtime/link/identity.hpp"

namespace troupe::link {

/// PEM texts: what this end proves itself with and by whom the other end's certificate must be signed.
struct credentials {
  std::string certificate;  // with intermediates
  std::string private_key;
  std::string authority;  // may hold several
};

struct ssl_context_free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct ssl_free {
  void operator()(SSL* connection) const { SSL_free(connection); }
};
using ssl_context_ptr = std::shared_ptr<SSL_CTX>;
using ssl_ptr = std::unique_ptr<SSL, ssl_free>;

/// The control plane's end: a client certificate is a must.
result<ssl_context_ptr> make_listening_context(const credentials& with);
/// The node's end.
result<ssl_context_ptr> make_dialing_context(const credentials& with);
/// A connection that dials `host`, an address or a name, which the peer's subject alternative names must cover.
result<ssl_ptr> dial(SSL_CTX* context, const std::string& host);

/// The peer's certificate; after the handshake, so it is verified.
peer_certificate certificate_of(SSL* connection);

/// How a failed handshake or read is told in logs and counted: a short stable word and OpenSSL's text.
struct tls_failure {
  std::string word;  // not_tls, no_certificate, unknown_authority, certificate_expired, wrong_name, wrong_usage, tls
  std::string text;
};
/// Judges the last failure of the connection and forgets it.
tls_failure take_failure(SSL* connection);

}  // namespace troupe::link
