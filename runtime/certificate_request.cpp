// See certificate_request.hpp.
#include "runtime/certificate_request.hpp"

#include <arpa/inet.h>

#include <array>
#include <memory>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "runtime/pki_parts.hpp"

namespace troupe::pki {
namespace {

using request_ptr = std::unique_ptr<X509_REQ, deleter<X509_REQ_free>>;

void free_extensions(STACK_OF(X509_EXTENSION) * list) { sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free); }
using extensions_ptr = std::unique_ptr<STACK_OF(X509_EXTENSION), deleter<free_extensions>>;
using names_ptr = std::unique_ptr<GENERAL_NAMES, deleter<GENERAL_NAMES_free>>;

request_ptr parse(const std::string& pem) {
  bio_ptr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  request_ptr out(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  return out;
}

void read_subject(X509_NAME* from, request_content& out) {
  for (int i = 0; i < X509_NAME_entry_count(from); ++i) {
    const auto* entry = X509_NAME_get_entry(from, i);
    int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
    auto text = text_of(X509_NAME_ENTRY_get_data(entry));
    if (nid == NID_commonName)
      out.common_name = text;
    else if (nid == NID_organizationName)
      out.organizations.push_back(text);
  }
}

std::string address_of(const ASN1_OCTET_STRING* from) {
  char text[INET6_ADDRSTRLEN] = {};
  int family = ASN1_STRING_length(from) == 4 ? AF_INET : AF_INET6;
  return inet_ntop(family, ASN1_STRING_get0_data(from), text, sizeof text) ? text : "";
}

void read_names(X509_REQ* request, request_content& out) {
  extensions_ptr extensions(X509_REQ_get_extensions(request));
  if (!extensions) return;
  names_ptr names(
      static_cast<GENERAL_NAMES*>(X509V3_get_d2i(extensions.get(), NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const auto* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS)
      out.names.push_back(text_of(name->d.dNSName));
    else if (name->type == GEN_IPADD)
      out.names.push_back(address_of(name->d.iPAddress));
    else
      out.others = true;
  }
}

}  // namespace

result<signing_request> make_request(const subject& who) {
  key_ptr key(EVP_EC_gen("P-256"));
  request_ptr request(X509_REQ_new());
  if (!key || !request) return openssl_error("request");
  auto* name = X509_REQ_get_subject_name(request.get());
  for (const auto& organization : who.organizations) add_name(name, "O", organization);
  add_name(name, "CN", who.common_name);
  X509_REQ_set_version(request.get(), X509_REQ_VERSION_1);
  if (X509_REQ_set_pubkey(request.get(), key.get()) != 1 || X509_REQ_sign(request.get(), key.get(), EVP_sha256()) == 0)
    return openssl_error("request");
  bio_ptr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_REQ(bio.get(), request.get());
  return signing_request{to_text(bio.get()), private_pem(key.get())};
}

result<request_content> read_request(const std::string& pem) {
  auto request = parse(pem);
  if (!request) return bad_request("PEM block type must be CERTIFICATE REQUEST");
  if (X509_REQ_verify(request.get(), X509_REQ_get0_pubkey(request.get())) != 1) {
    ERR_clear_error();
    return bad_request("the request is not signed by its key");
  }
  request_content out;
  read_subject(X509_REQ_get_subject_name(request.get()), out);
  read_names(request.get(), out);
  return out;
}

result<std::string> sign_request(const key_pair& authority, const std::string& pem, const subject& grant) {
  auto request = parse(pem);
  if (!request) return bad_request("PEM block type must be CERTIFICATE REQUEST");
  auto content = read_request(pem);
  if (!content) return content.error();
  auto whole = grant;
  whole.common_name = content->common_name;
  whole.organizations = content->organizations;
  return issue_for(authority, X509_REQ_get0_pubkey(request.get()), whole);
}

namespace {

/// All PEM blocks of the text; an empty pointer stands for one that is no certificate.
std::vector<cert_ptr> pem_blocks(const std::string& pem) {
  std::vector<cert_ptr> out;
  bio_ptr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  while (PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1) {
    const unsigned char* at = data;
    bool plain = std::string_view(name) == PEM_STRING_X509 && *header == '\0';
    out.emplace_back(plain ? d2i_X509(nullptr, &at, size) : nullptr);
    if (at != data + size) out.back().reset();
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
  }
  ERR_clear_error();
  return out;
}

result<std::string> hash_of(X509* cert) {
  unsigned char* der = nullptr;
  int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
  if (size <= 0) return openssl_error("public key");
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  EVP_Digest(der, static_cast<std::size_t>(size), digest.data(), &length, EVP_sha256(), nullptr);
  OPENSSL_free(der);
  static constexpr char digits[] = "0123456789abcdef";
  std::string out = "sha256:";
  for (unsigned i = 0; i < length; ++i) {
    out += digits[digest[i] >> 4];
    out += digits[digest[i] & 15];
  }
  return out;
}

}  // namespace

result<std::string> public_key_hash(const std::string& certificate) {
  auto cert = read_certificate(certificate);
  if (!cert) return bad_request("not a certificate");
  return hash_of(cert.get());
}

result<std::string> pinned_certificate(const std::string& pem, const std::string& hash) {
  auto found = pem_blocks(pem);
  if (found.size() != 1)
    return make_status(reason::unauthorized,
                       "expected exactly one certificate of an authority, not " + std::to_string(found.size()));
  if (!found[0]) return make_status(reason::unauthorized, "what came is not a certificate of an authority");
  auto own = hash_of(found[0].get());
  if (!own) return own.error();
  if (*own != hash) return make_status(reason::unauthorized, "the authority has the hash " + *own + ", not " + hash);
  bio_ptr bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(bio.get(), found[0].get()) != 1) return openssl_error("certificate");
  return to_text(bio.get());
}

bool key_matches(const key_pair& pair) {
  auto cert = read_certificate(pair.certificate);
  auto key = read_key(pair.private_key);
  bool good = cert && key && X509_check_private_key(cert.get(), key.get()) == 1;
  ERR_clear_error();
  return good;
}

}  // namespace troupe::pki
