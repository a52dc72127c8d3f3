// What code that handles certificates by OpenSSL shares. For sources only: whoever includes it sees OpenSSL.
#pragma once

#include <memory>
#include <string>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "runtime/pki.hpp"

namespace troupe::pki {

template <auto Free>
struct deleter {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using key_ptr = std::unique_ptr<EVP_PKEY, deleter<EVP_PKEY_free>>;
using cert_ptr = std::unique_ptr<X509, deleter<X509_free>>;
using bio_ptr = std::unique_ptr<BIO, deleter<BIO_free_all>>;

/// OpenSSL's last error as a status; forgets it.
status openssl_error(const char* what);
std::string to_text(BIO* bio);
std::string private_pem(EVP_PKEY* key);
/// Null for a text that is none.
cert_ptr read_certificate(const std::string& pem);
key_ptr read_key(const std::string& pem);
void add_name(X509_NAME* name, const char* field, const std::string& value);
std::string text_of(const ASN1_STRING* from);
/// Wall clock when the certificate expires; 0 for a time that is none.
std::uint64_t end_ms_of(const X509* certificate);
/// What this end proves itself with, PEM, the certificate with its intermediates. Null when it is good; else what is
/// not, and OpenSSL knows why.
const char* use_certificate(SSL_CTX* context, const std::string& certificate, const std::string& private_key);
/// Trusts the authorities of a PEM text; `announce`: clients are told of them. Returns how many there were.
int trust(SSL_CTX* context, const std::string& authorities, bool announce);
/// A certificate of the authority for that public key, PEM.
result<std::string> issue_for(const key_pair& authority, EVP_PKEY* key, const subject& who);

}  // namespace troupe::pki
