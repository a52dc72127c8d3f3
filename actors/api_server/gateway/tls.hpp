// The TLS side: server context, ALPN, and who a client certificate says the client is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/ssl.h>

#include "messages/api_server.hpp"
#include "messages/status.hpp"

namespace troupe::gateway {

/// What the server proves itself with and by whom it lets client certificates be signed. All PEM texts.
struct tls_credentials {
  std::string certificate;  // with intermediates
  std::string private_key;
  std::string client_authority;  // may hold several; empty: no client certificate is asked for

  /// Reads the texts from files; `client_authority_file` may be empty.
  static result<tls_credentials> from_files(const std::string& certificate_file, const std::string& key_file,
                                            const std::string& client_authority_file);
};

/// Who is at the other end of a connection.
struct peer_identity {
  api::user_ptr user;            // null without a certificate or with a bad one
  std::string error;             // why the presented certificate is refused; empty: it is not
  std::uint64_t end_ms = ~0ull;  // wall clock when the certificate expires; a connection may outlive it
};

struct ssl_context_free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using ssl_context_ptr = std::shared_ptr<SSL_CTX>;

/// A server context: TLS 1.2 and 1.3, h2 and http/1.1 by ALPN, no resumption. A client certificate is asked for, and
/// the handshake succeeds whatever it is; peer_of() gives the verdict.
result<ssl_context_ptr> make_server_context(const tls_credentials& credentials);

/// The user of an accepted connection (after the handshake), as Kubernetes' x509 authenticator sees it: name is the
/// subject's common name, groups are its organizations, uid its 1.3.6.1.4.1.57683.2 attribute.
peer_identity peer_of(SSL* connection);

/// Whether ALPN chose HTTP/2.
bool speaks_h2(SSL* connection);

/// What OpenSSL has to say about the last failure, and forgets it.
std::string take_ssl_error();

}  // namespace troupe::gateway
