// Certificates by OpenSSL 3.
#include "runtime/pki.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "messages/schema/scalars.hpp"
#include "runtime/certificate_request.hpp"
#include "runtime/pki_parts.hpp"

namespace troupe::pki {

status openssl_error(const char* what) {
  char text[256] = "unknown";
  if (auto code = ERR_get_error()) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return internal_error(std::string("certificates: ") + what + ": " + text);
}

std::string to_text(BIO* bio) {
  char* data = nullptr;
  auto size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string private_pem(EVP_PKEY* key) {
  bio_ptr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return to_text(bio.get());
}

void add_name(X509_NAME* name, const char* field, const std::string& value) {
  X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                             static_cast<int>(value.size()), -1, 0);
}

namespace {

using extension_ptr = std::unique_ptr<X509_EXTENSION, deleter<X509_EXTENSION_free>>;

constexpr std::int64_t ten_years = std::int64_t{10} * 365 * 24 * 3600;
constexpr std::int64_t thirty_days = std::int64_t{30} * 24 * 3600;

std::string certificate_pem(X509* cert) {
  bio_ptr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), cert);
  return to_text(bio.get());
}

bool is_address(const std::string& name) {
  unsigned char out[16];
  return inet_pton(AF_INET, name.c_str(), out) == 1 || inet_pton(AF_INET6, name.c_str(), out) == 1;
}

bool add_extension(X509* cert, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  extension_ptr extension(X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str()));
  return extension && X509_add_ext(cert, extension.get(), -1) == 1;
}

// Version, serial, validity, subject and key: what every certificate has.
bool begin_certificate(X509* cert, EVP_PKEY* key, const subject& who) {
  unsigned char serial[16];
  if (RAND_bytes(serial, sizeof serial) != 1) return false;
  serial[0] &= 0x7f;
  std::unique_ptr<BIGNUM, deleter<BN_free>> number(BN_bin2bn(serial, sizeof serial, nullptr));
  BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(cert));
  X509_set_version(cert, X509_VERSION_3);
  // An hour of grace for clocks that lag, as kubeadm's client certificates have.
  time_t begin = who.not_before - 3600;
  time_t end = who.not_before + who.valid_seconds;
  ASN1_TIME_set(X509_getm_notBefore(cert), begin);
  ASN1_TIME_set(X509_getm_notAfter(cert), end);
  auto* name = X509_get_subject_name(cert);
  for (const auto& organization : who.organizations) add_name(name, "O", organization);
  add_name(name, "CN", who.common_name);
  return X509_set_pubkey(cert, key) == 1;
}

std::string alternative_names(const std::vector<std::string>& names) {
  std::string list;
  for (const auto& name : names)
    list += (list.empty() ? "" : ",") + std::string(is_address(name) ? "IP:" : "DNS:") + name;
  return list;
}

result<std::string> load_text(const std::string& path) { return read_file(path); }

// One pair of files; made anew by `make` when missing or not `good`.
template <class Make, class Good>
status keep(const std::string& base, key_pair& out, Make make, Good good) {
  auto certificate = load_text(base + ".crt");
  auto key = load_text(base + ".key");
  if (certificate && key) {
    out = {*certificate, *key};
    if (good(out)) return {};
  }
  result<key_pair> made = make();
  if (!made) return made.error();
  out = *made;
  if (auto bad = write_file(base + ".key", out.private_key, 0600); !bad.ok()) return bad;
  return write_file(base + ".crt", out.certificate, 0644);
}

bool signed_by(const std::string& certificate, const std::string& authority) {
  auto cert = read_certificate(certificate);
  auto issuer = read_certificate(authority);
  return cert && issuer && X509_verify(cert.get(), X509_get0_pubkey(issuer.get())) == 1;
}

}  // namespace

result<key_pair> make_authority(const std::string& common_name, std::int64_t now) {
  key_ptr key(EVP_EC_gen("P-256"));
  cert_ptr cert(X509_new());
  subject who;
  who.common_name = common_name;
  who.not_before = now;
  who.valid_seconds = ten_years;
  if (!key || !cert || !begin_certificate(cert.get(), key.get(), who)) return openssl_error("authority");
  X509_set_issuer_name(cert.get(), X509_get_subject_name(cert.get()));
  bool ok =
      add_extension(cert.get(), cert.get(), NID_basic_constraints, "critical,CA:TRUE") &&
      add_extension(cert.get(), cert.get(), NID_key_usage, "critical,digitalSignature,keyEncipherment,keyCertSign") &&
      add_extension(cert.get(), cert.get(), NID_subject_key_identifier, "hash");
  if (!ok || X509_sign(cert.get(), key.get(), EVP_sha256()) == 0) return openssl_error("authority");
  return key_pair{certificate_pem(cert.get()), private_pem(key.get())};
}

result<std::string> issue_for(const key_pair& authority, EVP_PKEY* key, const subject& who) {
  auto issuer = read_certificate(authority.certificate);
  auto issuer_key = read_key(authority.private_key);
  if (!issuer || !issuer_key) return openssl_error("reading the authority");
  cert_ptr cert(X509_new());
  if (!key || !cert || !begin_certificate(cert.get(), key, who)) return openssl_error("certificate");
  X509_set_issuer_name(cert.get(), X509_get_subject_name(issuer.get()));
  std::string usage = who.server && who.client ? "serverAuth,clientAuth" : who.server ? "serverAuth" : "clientAuth";
  bool ok = add_extension(cert.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE") &&
            add_extension(cert.get(), issuer.get(), NID_key_usage, "critical,digitalSignature,keyEncipherment") &&
            add_extension(cert.get(), issuer.get(), NID_ext_key_usage, usage) &&
            add_extension(cert.get(), issuer.get(), NID_authority_key_identifier, "keyid:always");
  if (ok && !who.names.empty())
    ok = add_extension(cert.get(), issuer.get(), NID_subject_alt_name, alternative_names(who.names));
  if (!ok || X509_sign(cert.get(), issuer_key.get(), EVP_sha256()) == 0) return openssl_error("signing");
  return certificate_pem(cert.get());
}

result<key_pair> issue(const key_pair& authority, const subject& who) {
  key_ptr key(EVP_EC_gen("P-256"));
  auto made = issue_for(authority, key.get(), who);
  if (!made) return made.error();
  return key_pair{*made, private_pem(key.get())};
}

result<key_pair> make_signing_key() {
  key_ptr key(EVP_EC_gen("P-256"));
  if (!key) return openssl_error("signing key");
  bio_ptr bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PUBKEY(bio.get(), key.get()) != 1) return openssl_error("signing key");
  return key_pair{to_text(bio.get()), private_pem(key.get())};
}

std::int64_t not_after(const std::string& certificate) {
  auto cert = read_certificate(certificate);
  if (!cert) return 0;
  tm when{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(cert.get()), &when) != 1) return 0;
  return timegm(&when);
}

std::int64_t not_before(const std::string& certificate) {
  auto cert = read_certificate(certificate);
  tm when{};
  if (!cert || ASN1_TIME_to_tm(X509_get0_notBefore(cert.get()), &when) != 1) return 0;
  return timegm(&when);
}

bool names_covered(const std::string& certificate, const std::vector<std::string>& names) {
  auto cert = read_certificate(certificate);
  if (!cert) return false;
  for (const auto& name : names) {
    bool ok = is_address(name) ? X509_check_ip_asc(cert.get(), name.c_str(), 0) == 1
                               : X509_check_host(cert.get(), name.data(), name.size(), 0, nullptr) == 1;
    if (!ok) return false;
  }
  return true;
}

std::int64_t renewal_window(std::int64_t valid_seconds) { return std::min(valid_seconds / 5, thirty_days); }

result<cluster_certificates> load_or_make(const std::string& dir, const issuing& how, std::int64_t now) {
  std::error_code failed;
  std::filesystem::create_directories(dir, failed);
  if (failed) return internal_error("certificates: cannot create " + dir + ": " + failed.message());
  cluster_certificates all;
  auto lasting = [&](const key_pair& pair) { return not_after(pair.certificate) > now + thirty_days; };
  auto bad = keep(
      dir + "/ca", all.authority, [&] { return make_authority("kubernetes", now); }, lasting);
  if (!bad.ok()) return bad;
  if (bad = renew_issued(dir, how, now, all); !bad.ok()) return bad;
  bad = keep(
      dir + "/sa", all.service_account, [] { return make_signing_key(); }, [](const key_pair&) { return true; });
  if (!bad.ok()) return bad;
  return all;
}

status renew_issued(const std::string& dir, const issuing& how, std::int64_t now, cluster_certificates& all) {
  // Names that no certificate is found to cover are issued for once, not at every look.
  const auto named = all.serving.certificate;
  auto good = [&](const key_pair& pair) {
    return not_after(pair.certificate) > now + renewal_window(how.valid_seconds) && key_matches(pair) &&
           signed_by(pair.certificate, all.authority.certificate);
  };
  subject serving{.common_name = "kube-apiserver",
                  .organizations = {},
                  .names = how.serving_names,
                  .server = true,
                  .client = false,
                  .not_before = now,
                  .valid_seconds = how.valid_seconds};
  auto bad = keep(
      dir + "/apiserver", all.serving, [&] { return issue(all.authority, serving); },
      [&](const key_pair& pair) {
        return good(pair) && (pair.certificate == named || names_covered(pair.certificate, how.serving_names));
      });
  if (!bad.ok()) return bad;

  subject admin{.common_name = "kubernetes-admin",
                .organizations = {"system:masters"},
                .names = {},
                .server = false,
                .client = true,
                .not_before = now,
                .valid_seconds = how.valid_seconds};
  return keep(
      dir + "/admin", all.admin, [&] { return issue(all.authority, admin); }, good);
}

std::string replace_client(std::string kubeconfig, const key_pair& before, const key_pair& now) {
  auto replace = [&](const std::string& old, const std::string& fresh) {
    auto encoded = schema::to_base64(old);
    auto at = kubeconfig.find(encoded);
    if (at == std::string::npos) return false;
    kubeconfig.replace(at, encoded.size(), schema::to_base64(fresh));
    return true;
  };
  bool had_both = replace(before.certificate, now.certificate) && replace(before.private_key, now.private_key);
  return had_both ? kubeconfig : std::string();
}

std::string make_kubeconfig(const std::string& server, const std::string& authority, const key_pair& client,
                            const std::string& cluster, const std::string& user) {
  return "apiVersion: v1\nkind: Config\nclusters:\n- name: " + cluster + "\n  cluster:\n    server: " + server +
         "\n    certificate-authority-data: " + schema::to_base64(authority) + "\ncontexts:\n- name: " + cluster +
         "\n  context:\n    cluster: " + cluster + "\n    user: " + user + "\ncurrent-context: " + cluster +
         "\nusers:\n- name: " + user +
         "\n  user:\n    client-certificate-data: " + schema::to_base64(client.certificate) +
         "\n    client-key-data: " + schema::to_base64(client.private_key) + "\n";
}

status write_file(const std::string& path, const std::string& content, unsigned mode) {
  auto temporary = path + ".new";
  auto fail = [&](const char* what) {
    auto why = std::string(std::strerror(errno));
    unlink(temporary.c_str());
    return internal_error(std::string(what) + " " + path + ": " + why);
  };
  unlink(temporary.c_str());
  int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (file < 0) return fail("cannot write");
  std::size_t done = 0;
  while (done < content.size()) {
    auto n = write(file, content.data() + done, content.size() - done);
    if (n < 0 && errno != EINTR) {
      close(file);
      return fail("cannot write");
    }
    if (n > 0) done += static_cast<std::size_t>(n);
  }
  bool synced = fsync(file) == 0;
  if (close(file) != 0 || !synced) return fail("cannot write");
  if (rename(temporary.c_str(), path.c_str()) != 0) return fail("cannot replace");
  return {};
}

result<std::string> read_file(const std::string& path) {
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return make_status(reason::not_found, "cannot read " + path + ": " + std::strerror(errno));
  std::string content;
  char buffer[4096];
  for (;;) {
    auto n = read(file, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    content.append(buffer, static_cast<std::size_t>(n));
  }
  close(file);
  return content;
}

}  // namespace troupe::pki
