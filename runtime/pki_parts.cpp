// See pki_parts.hpp.
#include "runtime/pki_parts.hpp"

#include <ctime>

#include <openssl/err.h>
#include <openssl/pem.h>

namespace troupe::pki {
namespace {

bio_ptr reader_of(const std::string& pem) { return bio_ptr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

cert_ptr next_certificate(BIO* from) { return cert_ptr(PEM_read_bio_X509(from, nullptr, nullptr, nullptr)); }

}  // namespace

cert_ptr read_certificate(const std::string& pem) { return next_certificate(reader_of(pem).get()); }

key_ptr read_key(const std::string& pem) {
  return key_ptr(PEM_read_bio_PrivateKey(reader_of(pem).get(), nullptr, nullptr, nullptr));
}

std::string text_of(const ASN1_STRING* from) {
  unsigned char* utf8 = nullptr;
  int size = ASN1_STRING_to_UTF8(&utf8, from);
  if (size < 0) return {};
  std::string text(reinterpret_cast<char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  return text;
}

std::uint64_t end_ms_of(const X509* certificate) {
  std::tm when{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &when) != 1) return 0;
  auto seconds = timegm(&when);
  return seconds < 0 ? 0 : static_cast<std::uint64_t>(seconds) * 1000;
}

const char* use_certificate(SSL_CTX* context, const std::string& certificate, const std::string& private_key) {
  auto chain = reader_of(certificate);
  auto leaf = next_certificate(chain.get());
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) return "certificate";
  while (auto next = next_certificate(chain.get()))
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1) return "certificate chain";
  ERR_clear_error();
  auto key = read_key(private_key);
  if (!key || SSL_CTX_use_PrivateKey(context, key.get()) != 1) return "private key";
  if (SSL_CTX_check_private_key(context) != 1) return "key does not belong to its certificate";
  return nullptr;
}

int trust(SSL_CTX* context, const std::string& authorities, bool announce) {
  auto reader = reader_of(authorities);
  int read = 0;
  while (auto authority = next_certificate(reader.get())) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
    if (announce) SSL_CTX_add_client_CA(context, authority.get());
    ++read;
  }
  ERR_clear_error();
  return read;
}

}  // namespace troupe::pki
