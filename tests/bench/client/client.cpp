// Blocking HTTP/1.1.
#include "tests/bench/client/client.hpp"

#include <array>
#include <stdexcept>
#include <utility>

#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace troupe::bench {

std::string to_h1(const request& what) {
  std::string bytes = what.method + " " + what.path + " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: troupe-bench/1\r\n" +
                      "Accept: application/json\r\n" + what.headers;
  if (!what.body.empty())
    bytes += "Content-Type: " + what.content_type + "\r\nContent-Length: " + std::to_string(what.body.size()) + "\r\n";
  return bytes + "\r\n" + what.body;
}

client::client(const target& where, std::chrono::milliseconds patience) : tls_(where, false), patience_(patience) {
  reconnect();
}

client::~client() { disconnect(); }

void client::disconnect() {
  if (connection_) tls_client::close(connection_);
  connection_ = nullptr;
}

void client::reconnect() {
  disconnect();
  connection_ = tls_.connect();
  timeval wait{};
  wait.tv_sec = patience_.count() / 1000;
  wait.tv_usec = patience_.count() % 1000 * 1000;
  setsockopt(socket(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  input_.clear();
  lines_.clear();
  stream_.reset();
  used_ = false;
}

int client::socket() const { return SSL_get_fd(connection_); }

void client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    ERR_clear_error();
    int size = SSL_write(connection_, bytes.data(), static_cast<int>(bytes.size()));
    if (size <= 0) throw std::runtime_error("the server takes no more");
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
}

std::size_t client::read(char* into, std::size_t size) {
  ERR_clear_error();
  int got = SSL_read(connection_, into, static_cast<int>(size));
  if (got > 0) return static_cast<std::size_t>(got);
  if (SSL_get_error(connection_, got) == SSL_ERROR_WANT_READ) throw std::runtime_error("no answer in time");
  return 0;
}

std::string client::receive_some() {
  if (!input_.empty()) return std::exchange(input_, {});
  std::array<char, 16384> buffer;
  return {buffer.data(), read(buffer.data(), buffer.size())};
}

reply client::receive(bool head_only) {
  response_reader reader;
  reader.reset(head_only);
  for (;;) {
    auto bytes = receive_some();
    if (bytes.empty()) {
      reader.end();
      if (!reader.complete()) throw std::runtime_error("connection closed");
      return std::move(reader.answer());
    }
    auto used = reader.feed(bytes);
    if (!reader.complete()) continue;
    input_ = bytes.substr(used);
    return std::move(reader.answer());
  }
}

std::string client::receive_line() {
  stream_.sink = [this](std::string_view data) { lines_.append(data); };
  for (;;) {
    auto end = lines_.find('\n');
    if (end != std::string::npos) {
      auto line = lines_.substr(0, end + 1);
      lines_.erase(0, end + 1);
      return line;
    }
    if (stream_.complete()) return {};
    auto bytes = receive_some();
    if (bytes.empty()) return {};
    stream_.feed(bytes);
  }
}

reply client::call(const request& what) {
  auto bytes = to_h1(what);
  bool head_only = what.method == "HEAD";
  if (used_) {
    try {
      send(bytes);
      return receive(head_only);
    } catch (const std::runtime_error&) {
      reconnect();
    }
  }
  used_ = true;
  send(bytes);
  return receive(head_only);
}

reply client::get(std::string path) {
  request what;
  what.path = std::move(path);
  return call(what);
}

}  // namespace troupe::bench
