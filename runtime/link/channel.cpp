// See channel.hpp.
#include "runtime/link/channel.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "runtime/link/wire.hpp"

namespace troupe::link {
namespace {

constexpr std::size_t record_bytes = 16 * 1024;  // most plain text of a TLS record
constexpr int records_a_turn = 16;               // so that one busy peer does not hold up the others

std::uint64_t in_us(std::chrono::milliseconds time) { return static_cast<std::uint64_t>(time.count()) * 1000; }

std::size_t cap_of(side here, const limits& bounds) {
  return here == side::control_plane ? bounds.from_node_bytes : bounds.from_control_bytes;
}

}  // namespace

channel::channel(std::uint64_t id, int socket, ssl_ptr tls, side here, const limits& bounds, bool connecting,
                 std::uint64_t now_us)
    : id_(id),
      socket_(socket),
      tls_(std::move(tls)),
      here_(here),
      bounds_(bounds),
      phase_(connecting ? phase::connecting : phase::handshaking),
      reader_(here, cap_of(here, bounds)),
      begun_us_(now_us),
      heard_us_(now_us),
      said_us_(now_us) {
  SSL_set_fd(tls_.get(), socket_);
}

channel::~channel() {
  if (phase_ >= phase::greeting) SSL_shutdown(tls_.get());
  ERR_clear_error();
  // With unread bytes a close would be a reset, which may overtake the goodbye.
  std::array<char, record_bytes> rest;
  ::shutdown(socket_, SHUT_WR);
  for (int turn = 0; turn<records_a_turn&& ::recv(socket_, rest.data(), rest.size(), MSG_DONTWAIT)> 0; ++turn) {
  }
  ::close(socket_);
}

void channel::end(std::string word, std::string text) {
  // A goodbye read after the connection was found closed is the better reason.
  if (!ended_ || (ended_->word == "closed" && word == "goodbye")) ended_ = ending{std::move(word), std::move(text)};
}

void channel::pump(bool readable, std::uint64_t now_us) {
  if (ended_) return;
  wants_write_ = false;
  if (phase_ == phase::connecting) connected();
  if (phase_ == phase::handshaking && !ended_) shake_hands();
  if (phase_ >= phase::greeting && readable && !ended_) read(now_us);
  if (phase_ >= phase::greeting && !ended_) write(now_us);
  unsent->buffered.store(out_.size() - sent_);
}

void channel::connected() {
  int failed = 0;
  socklen_t size = sizeof failed;
  getsockopt(socket_, SOL_SOCKET, SO_ERROR, &failed, &size);
  sockaddr_storage peer_address{};
  socklen_t length = sizeof peer_address;
  if (failed != 0) {
    end("unreachable", std::strerror(failed));
  } else if (getpeername(socket_, reinterpret_cast<sockaddr*>(&peer_address), &length) == 0) {
    phase_ = phase::handshaking;
  }
}

void channel::shake_hands() {
  ERR_clear_error();
  int done = SSL_do_handshake(tls_.get());
  if (done == 1) {
    phase_ = phase::greeting;
  } else {
    try_again(done, "handshake");
  }
}

bool channel::try_again(int result, const char* what) {
  int error_number = errno;
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return true;
    case SSL_ERROR_WANT_WRITE:
      wants_write_ = true;
      return true;
    case SSL_ERROR_ZERO_RETURN:
      end("closed", "by the other end");
      return false;
    case SSL_ERROR_SYSCALL:
      end("closed", error_number == 0 ? std::string(what) + ": cut off" : std::strerror(error_number));
      ERR_clear_error();
      return false;
    default: {
      // An abrupt end counts as a TLS error since OpenSSL 3.
      if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        ERR_clear_error();
        end("closed", std::string(what) + ": cut off");
        return false;
      }
      auto why = take_failure(tls_.get());
      end(why.word, std::string(what) + ": " + why.text);
      return false;
    }
  }
}

void channel::read(std::uint64_t now_us) {
  std::array<char, record_bytes> bytes;
  for (int turn = 0; turn < records_a_turn && !ended_; ++turn) {
    ERR_clear_error();
    int got = SSL_read(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
    if (got <= 0) {
      try_again(got, "read");
      return;
    }
    heard_us_ = now_us;
    reader_.add({bytes.data(), static_cast<std::size_t>(got)});
  }
}

void channel::write(std::uint64_t now_us) {
  while (sent_ < out_.size()) {
    ERR_clear_error();
    auto size = static_cast<int>(std::min<std::size_t>(out_.size() - sent_, 1 << 20));
    int done = SSL_write(tls_.get(), out_.data() + sent_, size);
    if (done <= 0) {
      if (try_again(done, "write")) wants_write_ = true;
      return;
    }
    said_us_ = now_us;
    sent_ += static_cast<std::size_t>(done);
  }
  if (out_.capacity() > (std::size_t{1} << 20))
    out_ = std::string();
  else
    out_.clear();
  sent_ = 0;
}

std::optional<frame> channel::take_frame() {
  if (ended_ && ended_->word != "closed") return std::nullopt;
  auto next = reader_.next();
  if (!next) {
    bool large = next.error().message.find("exceeds") != std::string::npos;
    end(large ? "frame_too_large" : "bad_frame", next.error().message);
    return std::nullopt;
  }
  return std::move(*next);
}

void channel::send(frame_kind kind, std::string_view payload) {
  if (ended_) return;
  if (payload.size() + out_.size() - sent_ > bounds_.unsent_bytes) {
    end("slow_reader", "the other end does not take what it is sent");
    return;
  }
  if (sent_ > (std::size_t{1} << 20)) {
    out_.erase(0, sent_);
    sent_ = 0;
  }
  out_ += encode_frame(kind, payload);
}

void channel::open() {
  phase_ = phase::open;
  reader_.open();
}

void channel::tick(std::uint64_t now_us, std::uint64_t wall_ms) {
  if (ended_) return;
  if (phase_ != phase::open) {
    if (now_us < begun_us_ + in_us(bounds_.handshake)) return;
    bool silent =
        here_ == side::control_plane && phase_ == phase::handshaking && BIO_number_read(SSL_get_rbio(tls_.get())) == 0;
    if (silent)
      end("no_client_hello", "nothing came within the deadline");
    else
      end("handshake_timeout", phase_ == phase::greeting     ? "no greeting within the deadline"
                               : phase_ == phase::connecting ? "no connection within the deadline"
                                                             : "no whole handshake within the deadline");
    return;
  }
  if (wall_ms >= end_ms) return end("certificate_expired", "the certificate expired while the link was open");
  if (!reading()) heard_us_ = now_us;  // that nothing is heard is this end's doing
  if (now_us >= heard_us_ + in_us(bounds_.silence)) return end("silent", "nothing was heard within the deadline");
  if (now_us >= said_us_ + in_us(bounds_.keepalive) && sent_ == out_.size()) {
    send(frame_kind::ping, {});
    write(now_us);
  }
}

}  // namespace troupe::link
