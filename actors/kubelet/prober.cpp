// Probes over the network, by poll() in one thread.
#include "actors/kubelet/prober.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "messages/number.hpp"

namespace troupe::kubelet {

namespace {

constexpr std::size_t max_answer = 10 * 1024;

// The one place of the kubelet that reads a clock itself: its timeouts run beside the actors.
std::int64_t steady_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

bool has_header(const action_plan& a, std::string_view name) {
  for (auto& [key, value] : a.headers)
    if (key.size() == name.size() && strncasecmp(key.data(), name.data(), name.size()) == 0) return true;
  return false;
}

std::string http_request(const action_plan& a, const std::string& host) {
  auto path = a.path.empty() || a.path[0] != '/' ? "/" + a.path : a.path;
  std::string out = "GET " + path + " HTTP/1.1\r\n";
  if (!has_header(a, "Host")) out += "Host: " + host + ":" + std::to_string(a.port) + "\r\n";
  if (!has_header(a, "User-Agent")) out += "User-Agent: kube-probe/1.36\r\n";
  if (!has_header(a, "Accept")) out += "Accept: */*\r\n";
  for (auto& [key, value] : a.headers) out += key + ": " + value + "\r\n";
  return out + "Connection: close\r\n\r\n";
}

/// The three digits behind "HTTP/1.1 "; nothing when the answer does not begin so (net/http's readResponse).
std::optional<unsigned> status_code(std::string_view answer) {
  auto space = answer.find(' ');
  if (!answer.starts_with("HTTP/") || space == std::string_view::npos || answer.size() < space + 4) return std::nullopt;
  return number_in<unsigned>(answer.substr(space + 1, 3));
}

std::string url_of(const action_plan& a, const std::string& host) {
  auto path = a.path.empty() || a.path[0] != '/' ? "/" + a.path : a.path;
  return std::string(a.https ? "https" : "http") + "://" + host + ":" + std::to_string(a.port) + path;
}

struct tls_context {
  SSL_CTX* raw = SSL_CTX_new(TLS_client_method());  // probes do not verify certificates
  ~tls_context() { SSL_CTX_free(raw); }
};

}  // namespace

struct prober::connection {
  action_plan action;
  std::string host;
  std::int64_t deadline = 0;
  std::function<void(action_result)> done;
  int fd = -1;
  bool connected = false;
  SSL* tls = nullptr;
  bool shaken = false;
  std::string out;
  std::string in;
  short wants = POLLOUT;

  ~connection() {
    if (tls) SSL_free(tls);
    if (fd >= 0) close(fd);
  }
  void finish(probe_outcome outcome, std::string text) {
    if (done) done({outcome, std::move(text)});
    done = nullptr;
  }
  void fail(const std::string& why) {
    if (action.kind == action_kind::tcp) return finish(probe_outcome::failure, why);
    finish(probe_outcome::failure, "Get \"" + url_of(action, host) + "\": " + why);
  }
  void answer() {
    auto code = status_code(in);
    if (!code) return fail("malformed HTTP response");
    if (*code >= 200 && *code < 400) return finish(probe_outcome::success, "");
    finish(probe_outcome::failure, "HTTP probe failed with statuscode: " + std::to_string(*code));
  }
};

prober::prober() : wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), thread_([this] { loop(); }) {}

prober::~prober() {
  {
    std::lock_guard guard(mutex_);
    stop_ = true;
  }
  std::uint64_t one = 1;
  [[maybe_unused]] auto written = write(wake_fd_, &one, sizeof one);
  thread_.join();
  close(wake_fd_);
}

void prober::run(const action_plan& action, const std::string& host, std::int64_t timeout_ms,
                 std::function<void(action_result)> done) {
  auto c = std::make_unique<connection>();
  c->action = action;
  c->host = action.host.empty() ? host : action.host;
  c->deadline = steady_ms() + (timeout_ms > 0 ? timeout_ms : 30'000);
  c->done = std::move(done);
  {
    std::lock_guard guard(mutex_);
    fresh_.push_back(std::move(c));
  }
  std::uint64_t one = 1;
  [[maybe_unused]] auto written = write(wake_fd_, &one, sizeof one);
}

void prober::begin(connection& c) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST;  // a resolver could block the thread
  addrinfo* found = nullptr;
  if (getaddrinfo(c.host.c_str(), std::to_string(c.action.port).c_str(), &hints, &found) != 0)
    return c.finish(probe_outcome::unknown, "cannot use host \"" + c.host + "\": not an address");
  c.fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int failed = c.fd < 0 ? errno : 0;
  if (!failed && connect(c.fd, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS) failed = errno;
  freeaddrinfo(found);
  if (failed)
    c.fail("dial tcp " + c.host + ":" + std::to_string(c.action.port) + ": connect: " + std::strerror(failed));
}

/// One step of a connection that is ready; false when it is finished.
bool prober::turn(connection& c, short) {
  if (!c.connected) {
    int failed = 0;
    socklen_t size = sizeof failed;
    getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &failed, &size);
    if (failed) {
      std::string why = failed == ECONNREFUSED ? "connection refused" : std::strerror(failed);
      c.fail("dial tcp " + c.host + ":" + std::to_string(c.action.port) + ": connect: " + why);
      return false;
    }
    c.connected = true;
    if (c.action.kind == action_kind::tcp) return c.finish(probe_outcome::success, ""), false;
    c.out = http_request(c.action, c.host);
    if (c.action.https) {
      static tls_context context;
      c.tls = SSL_new(context.raw);
      SSL_set_fd(c.tls, c.fd);
      SSL_set_connect_state(c.tls);
    }
  }
  auto again = [&](int result) {
    auto why = SSL_get_error(c.tls, result);
    c.wants = why == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN;
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
  };
  if (c.tls && !c.shaken) {
    auto result = SSL_do_handshake(c.tls);
    if (result != 1) return again(result) || (c.fail("tls: handshake failure"), false);
    c.shaken = true;
  }
  while (!c.out.empty()) {
    auto sent = c.tls ? SSL_write(c.tls, c.out.data(), static_cast<int>(c.out.size()))
                      : static_cast<int>(send(c.fd, c.out.data(), c.out.size(), MSG_NOSIGNAL));
    if (sent <= 0) {
      if (c.tls) return again(sent) || (c.fail("write error"), false);
      c.wants = POLLOUT;
      return errno == EAGAIN || (c.fail(std::strerror(errno)), false);
    }
    c.out.erase(0, static_cast<std::size_t>(sent));
  }
  c.wants = POLLIN;
  char buffer[4096];
  while (true) {
    auto got = c.tls ? SSL_read(c.tls, buffer, sizeof buffer) : static_cast<int>(recv(c.fd, buffer, sizeof buffer, 0));
    if (got <= 0) {
      if (c.tls && again(got)) return true;
      if (!c.tls && got < 0 && errno == EAGAIN) return true;
      if (c.in.empty())
        c.fail("EOF");
      else
        c.answer();
      return false;
    }
    c.in.append(buffer, static_cast<std::size_t>(got));
    // The status line decides; the rest is not waited for.
    if (c.in.find("\r\n") != c.in.npos || c.in.size() > max_answer) return c.answer(), false;
  }
}

void prober::loop() {
  std::vector<std::unique_ptr<connection>> open;
  while (true) {
    std::vector<pollfd> watched{{wake_fd_, POLLIN, 0}};
    auto now = steady_ms();
    auto next = now + 60'000;
    for (auto& c : open) {
      watched.push_back({c->fd, c->wants, 0});
      next = std::min(next, c->deadline);
    }
    poll(watched.data(), watched.size(), static_cast<int>(std::max<std::int64_t>(next - now, 0)));
    std::uint64_t count = 0;
    [[maybe_unused]] auto drained = read(wake_fd_, &count, sizeof count);
    now = steady_ms();
    for (std::size_t i = 0; i < open.size(); ++i) {
      auto& c = *open[i];
      if (watched[i + 1].revents != 0 && !turn(c, watched[i + 1].revents)) c.done = nullptr;
      if (c.done && now >= c.deadline)
        c.fail("context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
    }
    std::erase_if(open, [](auto& c) { return !c->done; });
    std::deque<std::unique_ptr<connection>> fresh;
    {
      std::lock_guard guard(mutex_);
      if (stop_) return;
      fresh.swap(fresh_);
    }
    for (auto& c : fresh) {
      begin(*c);
      if (c->done) open.push_back(std::move(c));
    }
  }
}

}  // namespace troupe::kubelet
