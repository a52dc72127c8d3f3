// kubeconfig, OpenSSL's client side, sockets.
#include "tests/bench/client/target.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/socket.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

namespace troupe::bench {

namespace {

[[noreturn]] void broken(const std::string& what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  throw std::runtime_error(what + ": " + text.data() + " errno " + std::strerror(errno));
}

using bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
bio reader_of(const std::string& pem) { return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free}; }

std::string decoded(const YAML::Node& node) {
  auto bytes = decode_base64(node.as<std::string>(""));
  if (!bytes) throw std::runtime_error("kubeconfig: bad base64");
  return *bytes;
}

YAML::Node named(const YAML::Node& list, const std::string& name) {
  for (const auto& entry : list)
    if (entry["name"].as<std::string>() == name) return entry;
  throw std::runtime_error("kubeconfig: no " + name);
}

}  // namespace

std::optional<std::string> decode_base64(const std::string& text) {
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (c == '=' || c == '\n' || c == '\r') continue;
    auto value = alphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xff);
  }
  return bytes;
}

target read_kubeconfig(const std::string& path) {
  auto config = YAML::LoadFile(path);
  auto context = named(config["contexts"], config["current-context"].as<std::string>())["context"];
  auto cluster = named(config["clusters"], context["cluster"].as<std::string>())["cluster"];
  auto user = named(config["users"], context["user"].as<std::string>())["user"];
  auto server = cluster["server"].as<std::string>();
  auto colon = server.rfind(':');
  auto slashes = server.find("//");
  if (slashes == std::string::npos || colon == std::string::npos || colon < slashes + 2)
    throw std::runtime_error("kubeconfig: server " + server + " has no port");
  target made;
  made.address = server.substr(slashes + 2, colon - slashes - 2);
  made.port = static_cast<std::uint16_t>(std::stoi(server.substr(colon + 1)));
  made.authority = decoded(cluster["certificate-authority-data"]);
  made.certificate = decoded(user["client-certificate-data"]);
  made.private_key = decoded(user["client-key-data"]);
  return made;
}

tls_client::tls_client(const target& where, bool h2)
    : where_(where), context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free) {
  std::signal(SIGPIPE, SIG_IGN);  // a server that closes early is an error code
  auto* c = context_.get();
  SSL_CTX_set_read_ahead(c, 1);
  SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (!where.authority.empty()) {
    std::unique_ptr<X509, decltype(&X509_free)> authority(
        PEM_read_bio_X509(reader_of(where.authority).get(), nullptr, nullptr, nullptr), X509_free);
    if (!authority) broken("authority");
    X509_STORE_add_cert(SSL_CTX_get_cert_store(c), authority.get());
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
  }
  if (!where.certificate.empty()) {
    std::unique_ptr<X509, decltype(&X509_free)> certificate(
        PEM_read_bio_X509(reader_of(where.certificate).get(), nullptr, nullptr, nullptr), X509_free);
    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
        PEM_read_bio_PrivateKey(reader_of(where.private_key).get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
    if (!certificate || !key || SSL_CTX_use_certificate(c, certificate.get()) != 1 ||
        SSL_CTX_use_PrivateKey(c, key.get()) != 1)
      broken("client certificate");
  }
  static constexpr std::array<unsigned char, 3> only_h2{2, 'h', '2'};
  static constexpr std::array<unsigned char, 9> only_h1{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  h2 ? SSL_CTX_set_alpn_protos(c, only_h2.data(), only_h2.size())
     : SSL_CTX_set_alpn_protos(c, only_h1.data(), only_h1.size());
}

int connect_plain(const target& where) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(where.port);
  if (inet_pton(AF_INET, where.address.c_str(), &to.sin_addr) != 1) throw std::runtime_error("bad " + where.address);
  int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(socket, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
    ::close(socket);
    throw std::runtime_error("connect to port " + std::to_string(where.port) + ": " + std::strerror(errno));
  }
  int yes = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return socket;
}

SSL* tls_client::connect() const {
  int socket = connect_plain(where_);
  SSL* made = SSL_new(context_.get());
  SSL_set_fd(made, socket);
  ERR_clear_error();
  if (SSL_connect(made) != 1) {
    auto text = std::string("TLS handshake");
    close(made);
    broken(text);
  }
  return made;
}

void tls_client::close(SSL* connection) {
  int socket = SSL_get_fd(connection);
  SSL_shutdown(connection);
  SSL_free(connection);
  ERR_clear_error();
  ::close(socket);
}

}  // namespace troupe::bench
