// What both loops of the cluster link share: epoll, channels, deadlines, frames between channels and their actors.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/link/channel.hpp"
#include "runtime/link/messages.hpp"
#include "runtime/loop_actor.hpp"

namespace troupe::link {

/// An actor inside an epoll thread that owns channels. A channel's actor that ends takes its channel with it.
class link_loop : public runtime::loop_actor<loop_handle> {
 public:
  link_loop(caf::actor_config& settings, const std::string& name, const limits& bounds);
  ~link_loop() override;
  behavior_type make_behavior() override;
  void run() override;

 protected:
  /// The TLS handshake is over; the certificate has been verified. May end the channel or send.
  virtual void on_handshake(channel& by) = 0;
  /// The first frame; channel::open() and channel::actor are the answer to a good one.
  virtual void on_greeting(channel& by, const frame& what) = 0;
  /// The channel has ended and is forgotten after this.
  virtual void on_gone(channel& which) = 0;
  /// Every tick, and once at the start.
  virtual void on_tick() {}
  /// The file descriptor given to watch() is readable.
  virtual void on_readable() {}
  /// Milliseconds until on_tick() is wanted; at most.
  virtual int next_tick_ms() const;

  channel& add(int socket, ssl_ptr tls, side here, bool connecting);
  /// Sends a goodbye with the reason and ends the channel.
  void refuse(channel& which, std::string word, const std::string& why);
  /// Gives a channel its actor: what comes goes there, and it must not end before the channel does.
  void join(channel& which, caf::strong_actor_ptr actor);
  void watch(int descriptor);
  void unwatch(int descriptor);
  const std::unordered_map<std::uint64_t, std::unique_ptr<channel>>& channels() const { return channels_; }

  const limits bounds_;
  std::uint64_t now_us_ = 0;

 private:
  void turn();
  void progress(channel& of, bool readable);
  void pass_frames(channel& of);
  void tell_epoll(channel& of);
  void tick();
  void bury();
  void say_goodbye();

  int epoll_ = -1;
  std::unordered_map<std::uint64_t, std::unique_ptr<channel>> channels_;
  std::uint64_t next_channel_ = 1;
  std::uint64_t next_tick_us_ = 0;
};

}  // namespace troupe::link
