// Joining by way of a server that nobody vouches for: it may be anybody, say anything, or nothing.
#include "cli/join.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <ctime>
#include <filesystem>
#include <functional>
#include <thread>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "cli/http_client.hpp"
#include "runtime/certificate_request.hpp"
#include "runtime/placement/link_files.hpp"

using namespace troupe;

namespace {

using namespace std::chrono_literals;

pki::key_pair new_authority() {
  auto made = pki::make_authority("kubernetes", static_cast<std::int64_t>(std::time(nullptr)) - 60);
  REQUIRE(made);
  return *made;
}

/// A TLS server on loopback that answers every request with the same text, or does what it is told instead.
class strange_server {
 public:
  explicit strange_server(const pki::key_pair& proof, std::string answer)
      : answer_(std::move(answer)), context_(SSL_CTX_new(TLS_server_method())) {
    use(proof);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    REQUIRE(::listen(listener_, 8) == 0);
    REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    port = ntohs(at.sin_port);
  }
  ~strange_server() {
    ::shutdown(listener_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    ::close(listener_);
    SSL_CTX_free(context_);
  }
  strange_server(const strange_server&) = delete;
  strange_server& operator=(const strange_server&) = delete;

  void start() {
    thread_ = std::thread([this] {
      for (int fd; (fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0; ::close(fd)) serve(fd);
    });
  }

  std::uint16_t port = 0;
  std::atomic<int> requests{0};
  bool stays = false;  // keeps the connection after the answer, until its client leaves

 private:
  void use(const pki::key_pair& proof) {
    auto* text = BIO_new_mem_buf(proof.certificate.data(), static_cast<int>(proof.certificate.size()));
    auto* certificate = PEM_read_bio_X509(text, nullptr, nullptr, nullptr);
    BIO_free(text);
    text = BIO_new_mem_buf(proof.private_key.data(), static_cast<int>(proof.private_key.size()));
    auto* key = PEM_read_bio_PrivateKey(text, nullptr, nullptr, nullptr);
    BIO_free(text);
    SSL_CTX_use_certificate(context_, certificate);
    SSL_CTX_use_PrivateKey(context_, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  void serve(int fd) {
    auto* tls = SSL_new(context_);
    SSL_set_fd(tls, fd);
    char buffer[4096];
    if (SSL_accept(tls) == 1 && SSL_read(tls, buffer, sizeof buffer) > 0) {
      ++requests;
      SSL_write(tls, answer_.data(), static_cast<int>(answer_.size()));
      while (stays && SSL_read(tls, buffer, sizeof buffer) > 0) {
      }
      SSL_shutdown(tls);
    }
    SSL_free(tls);
  }

  std::string answer_;
  SSL_CTX* context_;
  int listener_ = -1;
  std::thread thread_;
};

std::string root_map(const std::string& bundle) {
  std::string escaped;
  for (char c : bundle) escaped += c == '\n' ? std::string("\\n") : std::string(1, c);
  auto body = R"({"kind":"ConfigMap","apiVersion":"v1","data":{"ca.crt":")" + escaped + "\"}}";
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

cli::connection_settings reach(std::uint16_t port) {
  cli::connection_settings out;
  out.host = "127.0.0.1";
  out.port = std::to_string(port);
  out.trusts_anybody = true;
  return out;
}

}  // namespace

TEST_CASE("an authority behind the pinned one is not trusted: nobody in between gets the token") {
  auto real = new_authority();
  auto evil = new_authority();
  pki::subject who;
  who.common_name = "kube-apiserver";
  who.server = true;
  who.names = {"127.0.0.1"};
  who.not_before = static_cast<std::int64_t>(std::time(nullptr)) - 60;
  who.valid_seconds = 3600;
  auto serving = pki::issue(evil, who);
  REQUIRE(serving);
  strange_server between(*serving, root_map(real.certificate + evil.certificate));
  between.start();
  auto folder = std::filesystem::temp_directory_path() / ("troupe-join-" + std::to_string(::getpid()));
  runtime::configuration config;
  config.data_dir = folder.string();
  cli::join_settings how;
  how.server = "127.0.0.1:" + std::to_string(between.port);
  how.token = "abcdef.0123456789abcdef";
  how.authority_hash = *pki::public_key_hash(real.certificate);
  auto joined = cli::join_cluster(how, config, {"worker-1"});
  CHECK(joined.code == 401);
  CHECK(joined.message.find("expected exactly one certificate") != std::string::npos);
  CHECK(between.requests == 1);  // that for the authority, which bears no token
  CHECK(!std::filesystem::exists(runtime::link_files(config, "worker-1").authority));
  std::filesystem::remove_all(folder);
}

TEST_CASE("a server that says nothing, or not all, is waited for no longer than the patience") {
  auto proof = new_authority();
  strange_server mute(proof, "");  // not started: the kernel takes the connection and nobody shakes hands
  strange_server slow(proof, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
  slow.stays = true;
  slow.start();
  for (auto port : {mute.port, slow.port}) {
    auto settings = reach(port);
    settings.patience = 300ms;
    cli::http_client client(settings);
    auto begun = std::chrono::steady_clock::now();
    auto answer = client.call("GET", "/x");
    REQUIRE(!answer);
    CHECK(answer.error().message.find("the server did not answer in time") != std::string::npos);
    CHECK(std::chrono::steady_clock::now() - begun < 5s);
  }
}

TEST_CASE("no more of an answer is held than its bound") {
  auto proof = new_authority();
  std::string much(300'000, 'x');
  for (const auto& answer :
       {"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + much, "HTTP/1.1 200 OK\r\n\r\n" + much,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n" + much,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n493e0\r\n" + much + "\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: " + much}) {
    strange_server server(proof, answer);
    server.start();
    auto settings = reach(server.port);
    settings.body_limit = 100'000;
    cli::http_client client(settings);
    auto got = client.call("GET", "/x");
    REQUIRE(!got);
    CHECK(got.error().message == "the server's answer is too large");
  }
  strange_server whole(proof, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  whole.start();
  auto got = cli::http_client(reach(whole.port)).call("GET", "/x");
  REQUIRE(got);
  CHECK(got->body == "abc");
}
