// OpenSSL 3: contexts and certificates.
#include "actors/api_server/gateway/tls.hpp"

#include <array>
#include <utility>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "runtime/pki_parts.hpp"

namespace troupe::gateway {

namespace {

status tls_failure(const std::string& what) { return internal_error(what + ": " + take_ssl_error()); }

using object_id_ptr = std::unique_ptr<ASN1_OBJECT, pki::deleter<ASN1_OBJECT_free>>;

/// Keeps the first thing wrong with the presented chain and lets the handshake go on.
int record_verdict(int ok, X509_STORE_CTX* chain) {
  if (ok != 1) {
    auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
    if (SSL_get_app_data(ssl) == nullptr) {
      auto code = static_cast<std::intptr_t>(X509_STORE_CTX_get_error(chain));
      SSL_set_app_data(ssl, reinterpret_cast<void*>(code));  // NOLINT: a number in a pointer's place
    }
  }
  return 1;
}

status ask_for_client(SSL_CTX* context, const std::string& authorities) {
  if (authorities.empty()) return {};
  if (pki::trust(context, authorities, true) == 0) return internal_error("client authority: no certificate in it");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, record_verdict);
  SSL_CTX_set_verify_depth(context, 8);
  return {};
}

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned offered_size, void*) {
  static constexpr unsigned char ours[] = "\x02h2\x08http/1.1";
  unsigned char* picked = nullptr;
  if (SSL_select_next_proto(&picked, size, ours, sizeof ours - 1, offered, offered_size) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = picked;
  return SSL_TLSEXT_ERR_OK;
}

/// As Go's crypto/x509 words the same verdicts.
std::string verdict_text(long code) {
  switch (code) {
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "x509: certificate has expired or is not yet valid";
    case X509_V_ERR_INVALID_PURPOSE:
      return "x509: certificate specifies an incompatible key usage";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return "x509: certificate signed by unknown authority";
    default:
      return std::string("x509: ") + X509_verify_cert_error_string(code);
  }
}

std::string sha256_hex(X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  X509_digest(certificate, EVP_sha256(), digest.data(), &size);
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += digits[digest[i] >> 4];
    text += digits[digest[i] & 15];
  }
  return text;
}

api::user_ptr user_of(X509* certificate) {
  static const object_id_ptr uid_attribute(OBJ_txt2obj("1.3.6.1.4.1.57683.2", 1));
  auto user = std::make_shared<api::user_info>();
  auto* subject = X509_get_subject_name(certificate);
  for (int i = 0; i < X509_NAME_entry_count(subject); ++i) {
    const auto* entry = X509_NAME_get_entry(subject, i);
    auto* attribute = X509_NAME_ENTRY_get_object(entry);
    int nid = OBJ_obj2nid(attribute);
    auto text = pki::text_of(X509_NAME_ENTRY_get_data(entry));
    if (nid == NID_commonName) user->name = text;
    if (nid == NID_organizationName) user->groups.push_back(text);
    if (nid == NID_undef && OBJ_cmp(attribute, uid_attribute.get()) == 0) user->uid = text;
  }
  if (user->name.empty()) return nullptr;  // names nobody: as if there were no certificate
  user->extra.push_back({"authentication.kubernetes.io/credential-id", {"X509SHA256=" + sha256_hex(certificate)}});
  return user;
}

}  // namespace

std::string take_ssl_error() {
  std::array<char, 256> text{};
  auto code = ERR_get_error();
  if (code == 0) return "no details";
  ERR_error_string_n(code, text.data(), text.size());
  ERR_clear_error();
  return text.data();
}

result<tls_credentials> tls_credentials::from_files(const std::string& certificate_file, const std::string& key_file,
                                                    const std::string& client_authority_file) {
  tls_credentials read;
  for (auto [file, into] : {std::pair{&certificate_file, &read.certificate}, std::pair{&key_file, &read.private_key},
                            std::pair{&client_authority_file, &read.client_authority}}) {
    if (file->empty()) continue;
    auto text = pki::read_file(*file);
    if (!text) return text.error();
    *into = std::move(*text);
  }
  return read;
}

result<ssl_context_ptr> make_server_context(const tls_credentials& credentials) {
  ssl_context_ptr context(SSL_CTX_new(TLS_server_method()), ssl_context_free());
  if (!context) return tls_failure("TLS context");
  auto* c = context.get();
  SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
  SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
  // A resumed session would skip the verdict, and clients of an API server hold on to their connections.
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(c, 0);
  SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(c, 1);  // one read() for a whole record
  SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_alpn_select_cb(c, choose_protocol, nullptr);
  if (const auto* bad = pki::use_certificate(c, credentials.certificate, credentials.private_key))
    return tls_failure(std::string("serving ") + bad);
  if (auto failed = ask_for_client(c, credentials.client_authority); !failed.ok()) return failed;
  return context;
}

peer_identity peer_of(SSL* connection) {
  peer_identity peer;
  pki::cert_ptr certificate(SSL_get1_peer_certificate(connection));
  if (!certificate) return peer;
  auto verdict = reinterpret_cast<std::intptr_t>(SSL_get_app_data(connection));
  if (verdict != X509_V_OK) {
    peer.error = verdict_text(verdict);
    return peer;
  }
  peer.user = user_of(certificate.get());
  peer.end_ms = pki::end_ms_of(certificate.get());
  return peer;
}

bool speaks_h2(SSL* connection) {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(connection, &name, &size);
  return size == 2 && name[0] == 'h' && name[1] == '2';
}

}  // namespace troupe::gateway
