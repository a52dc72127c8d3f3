// Non-blocking TLS over epoll, level-triggered.
#include "actors/api_server/gateway/connection.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <netdb.h>
#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/api_server/gateway/h1_session.hpp"
#include "actors/api_server/gateway/h2_session.hpp"

namespace troupe::gateway {

namespace {

constexpr std::size_t record_bytes = 16 * 1024;         // one TLS record
constexpr std::size_t flush_share = 16 * record_bytes;  // of one turn, then others get theirs
constexpr std::size_t read_share = 4 * record_bytes;
constexpr std::uint64_t max_lingering_bytes = 64 << 20;  // read and dropped after the final answer

/// Go's servers recognise these five-byte beginnings of plain HTTP; and a few more methods.
bool looks_like_http(std::string_view start) {
  for (std::string_view beginning : {"GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "PATCH", "DELET"})
    if (start == beginning) return true;
  return false;
}

}  // namespace

connection::connection(host& by, int epoll, int socket, SSL_CTX* context)
    : host_(by), epoll_(epoll), socket_(socket), ssl_(SSL_new(context)) {
  SSL_set_fd(ssl_, socket_);
  SSL_set_accept_state(ssl_);
  deadline_us_ = host_.now_us() + in_us(host_.bounds().handshake);
  listening_ = EPOLLIN | EPOLLRDHUP;
  epoll_event event{};
  event.events = listening_;
  event.data.ptr = this;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, socket_, &event);
  add<std::int64_t>(host_.counts().connections_open, 1);
}

connection::~connection() {
  session_.reset();
  SSL_free(ssl_);
  ::close(socket_);
  add<std::int64_t>(host_.counts().connections_open, -1);
}

void connection::kill() {
  if (phase_ == phase::dead) return;
  phase_ = phase::dead;
  epoll_ctl(epoll_, EPOLL_CTL_DEL, socket_, nullptr);
  host_.flush_soon(*this);  // so that the loop notices
}

std::string connection::address() const {
  sockaddr_storage from{};
  socklen_t size = sizeof from;
  auto* base = reinterpret_cast<sockaddr*>(&from);
  std::array<char, NI_MAXHOST> name{};
  std::array<char, NI_MAXSERV> port{};
  if (::getpeername(socket_, base, &size) != 0 ||
      ::getnameinfo(base, size, name.data(), name.size(), port.data(), port.size(), NI_NUMERICHOST | NI_NUMERICSERV))
    return "?";
  return std::string(name.data()).append(":").append(port.data());
}

void connection::listen_for(std::uint32_t events) {
  if (events == listening_ || phase_ == phase::dead) return;
  listening_ = events;
  epoll_event event{};
  event.events = events;
  event.data.ptr = this;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, socket_, &event);
}

void connection::on_events(std::uint32_t events) {
  if (phase_ == phase::first_byte) look_at_first_byte();
  if (phase_ == phase::handshake) handshake();
  if (phase_ == phase::lingering) return linger();
  if (phase_ != phase::open) {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) kill();
    return;
  }
  if ((events & (EPOLLIN | EPOLLRDHUP)) != 0 && !input_over_) read();
  if (phase_ != phase::open) return;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) return kill();
  if ((events & EPOLLOUT) != 0 || !unsent_.empty()) flush();
}

void connection::look_at_first_byte() {
  std::array<char, 5> start{};
  auto size = ::recv(socket_, start.data(), start.size(), MSG_PEEK);
  if (size <= 0) {
    if (size == 0 || (errno != EAGAIN && errno != EINTR)) kill();
    return;
  }
  phase_ = phase::handshake;
  if (!looks_like_http({start.data(), static_cast<std::size_t>(size)})) return;
  count(host_.counts().handshake_errors);
  host_.tell_refused(*this, "plain_http", "an HTTP request to an HTTPS server");
  static constexpr std::string_view text =
      "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
  (void)!::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
  ::shutdown(socket_, SHUT_WR);
  phase_ = phase::lingering;
  deadline_us_ = host_.now_us() + in_us(host_.bounds().linger);
}

void connection::handshake() {
  ERR_clear_error();
  int outcome = SSL_accept(ssl_);
  if (outcome != 1) {
    int why = SSL_get_error(ssl_, outcome);
    if (why == SSL_ERROR_WANT_READ) return listen_for(EPOLLIN | EPOLLRDHUP);
    if (why == SSL_ERROR_WANT_WRITE) return listen_for(EPOLLIN | EPOLLOUT | EPOLLRDHUP);
    count(host_.counts().handshake_errors);
    // One that goes away in the middle has not been refused: load balancers look that way whether somebody listens.
    if (why == SSL_ERROR_SSL) host_.tell_refused(*this, "tls", take_ssl_error());
    ERR_clear_error();
    return kill();
  }
  count(host_.counts().handshakes);
  deadline_us_ = 0;
  peer_ = peer_of(ssl_);
  phase_ = phase::open;
  listen_for(EPOLLIN | EPOLLRDHUP);
  if (speaks_h2(ssl_)) {
    session_ = std::make_unique<h2_session>(host_, *this);
  } else {
    session_ = std::make_unique<h1_session>(host_, *this);
  }
  host_.flush_soon(*this);
  // Whatever came with the last handshake bytes lies in OpenSSL's buffer, where epoll does not see it.
  if (SSL_has_pending(ssl_) == 1) read();
}

void connection::read() {
  static thread_local std::array<char, record_bytes> buffer;
  std::size_t total = 0;
  for (;;) {
    ERR_clear_error();
    int size = SSL_read(ssl_, buffer.data(), static_cast<int>(buffer.size()));
    if (size <= 0) return on_read_failure(size);
    add<std::uint64_t>(host_.counts().bytes_in, static_cast<std::uint64_t>(size));
    total += static_cast<std::size_t>(size);
    session_->receive({buffer.data(), static_cast<std::size_t>(size)});
    if (phase_ != phase::open) return;
    // With read-ahead whole records may wait inside OpenSSL: only an empty buffer sends us back to epoll.
    if (SSL_has_pending(ssl_) == 0) break;
    if (total >= read_share || !session_->wants_input()) {
      host_.flush_soon(*this);  // which reads on when it may
      break;
    }
  }
  if (!session_->wants_input()) listen_for(listening_ & ~static_cast<std::uint32_t>(EPOLLIN));
}

void connection::on_read_failure(int outcome) {
  int why = SSL_get_error(ssl_, outcome);
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return;
  ERR_clear_error();
  if (why == SSL_ERROR_SYSCALL && errno == ECONNRESET) return kill();
  on_input_end();
}

void connection::on_input_end() {
  input_over_ = true;
  if (!session_->input_ended()) return kill();
  listen_for(listening_ & ~static_cast<std::uint32_t>(EPOLLIN | EPOLLRDHUP));
}

bool connection::write(std::string_view data) {
  std::size_t sent = 0;
  while (sent < data.size()) {
    ERR_clear_error();
    int size = SSL_write(ssl_, data.data() + sent, static_cast<int>(data.size() - sent));
    if (size > 0) {
      sent += static_cast<std::size_t>(size);
      continue;
    }
    int why = SSL_get_error(ssl_, size);
    if (why != SSL_ERROR_WANT_WRITE && why != SSL_ERROR_WANT_READ) {
      ERR_clear_error();
      kill();
      return false;
    }
    break;
  }
  add<std::uint64_t>(host_.counts().bytes_out, sent);
  if (sent > 0) deadline_us_ = 0;
  if (unsent_.empty()) {
    unsent_.assign(data.substr(sent));
    unsent_from_ = 0;
  } else {
    unsent_from_ += sent;
    if (unsent_from_ == unsent_.size()) {
      unsent_.clear();
      unsent_.shrink_to_fit();
      unsent_from_ = 0;
    }
  }
  return unsent_.empty();
}

void connection::flush() {
  if (phase_ != phase::open) return;
  static thread_local std::string buffer;
  std::size_t written = 0;
  for (;;) {
    std::string_view data = std::string_view(unsent_).substr(unsent_from_);
    if (data.empty()) {
      buffer.clear();
      session_->fill(buffer, record_bytes);
      data = buffer;
    }
    if (data.empty() || phase_ != phase::open) break;
    auto size = data.size();
    if (!write(data)) {
      if (phase_ != phase::open) return;
      if (deadline_us_ == 0 && !session_->is_patient())
        deadline_us_ = host_.now_us() + in_us(host_.bounds().write_stall);
      return listen_for(listening_ | EPOLLOUT);
    }
    written += size;
    if (written >= flush_share) {
      host_.flush_soon(*this);
      break;
    }
  }
  if (phase_ != phase::open) return;
  auto wanted = input_over_ ? 0U : static_cast<std::uint32_t>(EPOLLRDHUP);
  if (!input_over_ && session_->wants_input()) wanted |= EPOLLIN;
  listen_for(wanted);
  if (written < flush_share && session_->finished()) return begin_close();
  // What was left inside OpenSSL while the session could take no more is unknown to epoll.
  if ((wanted & EPOLLIN) != 0 && SSL_has_pending(ssl_) == 1) read();
}

void connection::begin_close() {
  ERR_clear_error();
  SSL_shutdown(ssl_);
  ERR_clear_error();
  if (input_over_ || !session_->leaves_input_unread()) return kill();
  // Closing with unread bytes would reset the connection and could destroy the answer on its way.
  ::shutdown(socket_, SHUT_WR);
  session_.reset();
  phase_ = phase::lingering;
  deadline_us_ = host_.now_us() + in_us(host_.bounds().linger);
  listen_for(EPOLLIN | EPOLLRDHUP);
  linger();
}

void connection::linger() {
  static thread_local std::array<char, record_bytes> buffer;
  for (int turn = 0; turn < 16; ++turn) {
    auto size = ::recv(socket_, buffer.data(), buffer.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) return kill();
    discarded_ += static_cast<std::uint64_t>(size);
    if (discarded_ > max_lingering_bytes) return kill();
  }
}

void connection::drain() {
  if (phase_ == phase::open) return session_->drain();
  if (phase_ != phase::lingering) kill();
}

void connection::tick() {
  auto now = host_.now_us();
  if (deadline_us_ != 0 && now >= deadline_us_) {
    if (phase_ == phase::first_byte || phase_ == phase::handshake) {
      count(host_.counts().handshake_errors);
      host_.tell_refused(*this, phase_ == phase::first_byte ? "no_client_hello" : "handshake_timeout",
                         "the TLS handshake was not over in time");
    }
    return kill();
  }
  if (phase_ == phase::open) session_->tick(now);
}

}  // namespace troupe::gateway
