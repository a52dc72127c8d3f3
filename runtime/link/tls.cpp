// See tls.hpp.
#include "runtime/link/tls.hpp"

#include <array>

#include <arpa/inet.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "runtime/pki_parts.hpp"

namespace troupe::link {
namespace {

std::string take_error() {
  std::array<char, 256> text{};
  auto code = ERR_peek_last_error();
  if (code != 0) ERR_error_string_n(code, text.data(), text.size());
  ERR_clear_error();
  return code == 0 ? "no details" : text.data();
}

status failure(const std::string& what) { return internal_error("link " + what + ": " + take_error()); }

result<ssl_context_ptr> make_context(const SSL_METHOD* method, const credentials& with, bool listening) {
  ssl_context_ptr context(SSL_CTX_new(method), ssl_context_free());
  if (!context) return failure("TLS context");
  auto* c = context.get();
  SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION);
  SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
  // A resumed session would skip the verdict over the certificate.
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(c, 0);
  SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify_depth(c, 4);
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER | (listening ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  // In TLS 1.3 a signature algorithm names its curve: certificates of other keys cannot prove themselves.
  if (SSL_CTX_set1_groups_list(c, "P-256") != 1 || SSL_CTX_set1_sigalgs_list(c, "ECDSA+SHA256") != 1)
    return failure("TLS parameters");
  if (const auto* bad = pki::use_certificate(c, with.certificate, with.private_key)) return failure(bad);
  if (pki::trust(c, with.authority, listening) == 0) return internal_error("link authority: no certificate in it");
  return context;
}

bool is_address(const std::string& name) {
  unsigned char out[16];
  return inet_pton(AF_INET, name.c_str(), out) == 1 || inet_pton(AF_INET6, name.c_str(), out) == 1;
}

std::string verdict_word(long verdict) {
  switch (verdict) {
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "certificate_expired";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "wrong_name";
    case X509_V_ERR_INVALID_PURPOSE:
      return "wrong_usage";
    default:
      return "unknown_authority";
  }
}

}  // namespace

result<ssl_context_ptr> make_listening_context(const credentials& with) {
  return make_context(TLS_server_method(), with, true);
}

result<ssl_context_ptr> make_dialing_context(const credentials& with) {
  return make_context(TLS_client_method(), with, false);
}

result<ssl_ptr> dial(SSL_CTX* context, const std::string& host) {
  ssl_ptr made(SSL_new(context));
  if (!made) return failure("TLS connection");
  SSL_set_connect_state(made.get());
  auto* wanted = SSL_get0_param(made.get());
  bool good = is_address(host) ? X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1
                               : SSL_set1_host(made.get(), host.c_str()) == 1 &&
                                     SSL_set_tlsext_host_name(made.get(), host.c_str()) == 1;
  if (!good) return failure("name of the control plane");
  return made;
}

peer_certificate certificate_of(SSL* connection) {
  peer_certificate out;
  pki::cert_ptr certificate(SSL_get1_peer_certificate(connection));
  if (!certificate) return out;
  auto* subject = X509_get_subject_name(certificate.get());
  for (int i = 0; i < X509_NAME_entry_count(subject); ++i) {
    const auto* entry = X509_NAME_get_entry(subject, i);
    int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
    if (nid == NID_commonName) out.common_name = pki::text_of(X509_NAME_ENTRY_get_data(entry));
    if (nid == NID_organizationName) out.organizations.push_back(pki::text_of(X509_NAME_ENTRY_get_data(entry)));
  }
  out.end_ms = pki::end_ms_of(certificate.get());
  return out;
}

tls_failure take_failure(SSL* connection) {
  tls_failure out{"tls", {}};
  auto verdict = SSL_get_verify_result(connection);
  auto reason = ERR_GET_REASON(ERR_peek_error());
  if (verdict != X509_V_OK) {
    out.word = verdict_word(verdict);
    out.text = X509_verify_cert_error_string(verdict);
    ERR_clear_error();
    return out;
  }
  if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) out.word = "no_certificate";
  if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST ||
      reason == SSL_R_UNEXPECTED_MESSAGE || reason == SSL_R_BAD_PACKET_LENGTH || reason == SSL_R_PACKET_LENGTH_TOO_LONG)
    out.word = "not_tls";
  out.text = take_error();
  return out;
}

}  // namespace troupe::link
