// One TLS connection of a link inside a loop: connect, handshake, frames in and out. Never blocks.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <caf/actor_control_block.hpp>

#include "runtime/link/frame.hpp"
#include "runtime/link/limits.hpp"
#include "runtime/link/tls.hpp"

namespace troupe::link {

/// Why a channel ended: a stable word for counters and logs, and what there is to say.
struct ending {
  std::string word;
  std::string text;
};

/// Bytes of frames that have been passed to an actor and not been handled by it. Shared with that actor.
using unread_bytes = std::shared_ptr<std::atomic<std::size_t>>;

/// Bytes on their way from an actor to the other end of its channel. Shared by both.
struct outgoing_bytes {
  std::atomic<std::size_t> posted{0};    // payloads in the loop's mailbox: the actor adds, the loop subtracts
  std::atomic<std::size_t> buffered{0};  // that the socket has not taken
  std::atomic<bool> awaited{false};      // the actor wants link_drained once there is room
  std::size_t all() const { return posted.load() + buffered.load(); }
};
using outgoing = std::shared_ptr<outgoing_bytes>;

/// See the top of this file.
class channel {
 public:
  enum class phase : std::uint8_t { connecting, handshaking, greeting, open };

  /// Takes the socket over. `here`: which end this is. `connecting`: connect() has not ended yet.
  channel(std::uint64_t id, int socket, ssl_ptr tls, side here, const limits& bounds, bool connecting,
          std::uint64_t now_us);
  ~channel();
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;

  /// Does what the socket allows; `readable`: there may be bytes. Afterwards take_frame() may have some.
  void pump(bool readable, std::uint64_t now_us);
  /// The next frame; a bad one ends the channel.
  std::optional<frame> take_frame();
  /// Queues a frame.
  void send(frame_kind kind, std::string_view payload);
  /// The greeting is over.
  void open();
  /// Ends the channel; the first reason stands.
  void end(std::string word, std::string text);
  /// Looks at the clock: deadlines, keepalive.
  void tick(std::uint64_t now_us, std::uint64_t wall_ms);

  std::uint64_t id() const { return id_; }
  int socket() const { return socket_; }
  phase at() const { return phase_; }
  const std::optional<ending>& ended() const { return ended_; }
  bool reading() const { return unread->load(std::memory_order_relaxed) <= bounds_.unread_bytes; }
  bool wants_write() const { return wants_write_ || phase_ == phase::connecting || sent_ < out_.size(); }
  peer_certificate certificate() const { return certificate_of(tls_.get()); }

  // The loop's notes.
  std::string peer;              // "10.0.0.7:41234"
  std::string address;           // "10.0.0.7"
  std::string node;              // whose link it is, once known: a node's name, a component's user
  bool component = false;        // it is a component's
  std::size_t link = 0;          // the dialer's link
  std::uint64_t end_ms = ~0ull;  // wall clock when the certificate expires
  std::uint32_t interest = 0;    // what epoll was told
  caf::strong_actor_ptr actor;   // gets frames, once open
  unread_bytes unread = std::make_shared<std::atomic<std::size_t>>(0);
  outgoing unsent = std::make_shared<outgoing_bytes>();

 private:
  void connected();
  void shake_hands();
  void read(std::uint64_t now_us);
  void write(std::uint64_t now_us);
  /// False when the result is final: the channel has ended.
  bool try_again(int result, const char* what);

  std::uint64_t id_;
  int socket_;
  ssl_ptr tls_;
  side here_;
  const limits& bounds_;
  phase phase_;
  frame_reader reader_;
  std::string out_;
  std::size_t sent_ = 0;
  bool wants_write_ = false;
  std::uint64_t begun_us_, heard_us_, said_us_;
  std::optional<ending> ended_;
};

}  // namespace troupe::link
