// See loop.hpp.
#include "runtime/link/loop.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

#include <sys/epoll.h>
#include <unistd.h>

#include "runtime/link/wire.hpp"

namespace troupe::link {
namespace {

// Tags of descriptors that are no channel; channels' ids are from 1 on.
constexpr std::uint64_t queue_tag = ~0ull;
constexpr std::uint64_t watched_tag = ~0ull - 1;

/// A peer that closes early is an error code of a write, not a signal: OpenSSL writes without MSG_NOSIGNAL, and the
/// signal goes to the thread that wrote.
void block_broken_pipe() {
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
}

}  // namespace

link_loop::link_loop(caf::actor_config& settings, const std::string& name, const limits& bounds)
    : loop_actor(settings, name), bounds_(bounds) {
  set_exit_handler([this](caf::exit_msg& order) {
    say_goodbye();
    quit(std::move(order.reason));
  });
  set_down_handler([this](caf::down_msg& down) {
    for (auto& [id, one] : channels_)
      if (one->actor && one->actor->address() == down.source) {
        one->actor = nullptr;
        refuse(*one, "actor_ended", "its actor has ended");
      }
  });
}

link_loop::~link_loop() = default;

link_loop::behavior_type link_loop::make_behavior() {
  return {[this](const send_frame& what) {
            auto found = channels_.find(what.channel);
            if (found == channels_.end()) return;
            found->second->unsent->posted.fetch_sub(what.payload.size());
            found->second->send(what.kind, what.payload.view());
            progress(*found->second, false);
          },
          [this](const close_channel& what) {
            auto found = channels_.find(what.channel);
            if (found != channels_.end()) refuse(*found->second, what.word, what.why);
          }};
}

void link_loop::run() {
  block_broken_pipe();
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  // Whatever ends the loop, an exception included: its channels' actors hear of it.
  struct cleaner {
    link_loop& self;
    ~cleaner() {
      for (auto& [id, one] : self.channels_) {
        one->end("loop_ended", "the link's loop has ended");
        self.on_gone(*one);
      }
      self.channels_.clear();
      ::close(self.epoll_);
    }
  } at_end{*this};
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = queue_tag;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_fd(), &event);
  now_us_ = steady_now_us();
  while (!ended()) turn();
}

void link_loop::watch(int descriptor) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = watched_tag;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
}

void link_loop::unwatch(int descriptor) { epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr); }

int link_loop::next_tick_ms() const {
  bool held = std::any_of(channels_.begin(), channels_.end(), [](const auto& one) { return !one.second->reading(); });
  return held ? 5 : channels_.empty() ? 1000 : 100;
}

void link_loop::turn() {
  std::array<epoll_event, 128> events;
  auto wait = next_tick_us_ > now_us_ ? static_cast<int>((next_tick_us_ - now_us_ + 999) / 1000) : 0;
  int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait);
  now_us_ = steady_now_us();
  bool messages = false, watched = false;
  for (int i = 0; i < ready; ++i) {
    auto& event = events[static_cast<std::size_t>(i)];
    messages = messages || event.data.u64 == queue_tag;
    watched = watched || event.data.u64 == watched_tag;
    auto found = channels_.find(event.data.u64);
    if (found != channels_.end()) progress(*found->second, (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0);
  }
  if (messages) drain();
  if (ended()) return;
  if (watched) on_readable();
  if (now_us_ >= next_tick_us_) tick();
  bury();
}

channel& link_loop::add(int socket, ssl_ptr tls, side here, bool connecting) {
  auto id = next_channel_++;
  auto made = std::make_unique<channel>(id, socket, std::move(tls), here, bounds_, connecting, now_us_);
  auto& out = *channels_.emplace(id, std::move(made)).first->second;
  epoll_event event{};
  event.events = EPOLLIN | (connecting ? EPOLLOUT : 0u);
  event.data.u64 = id;
  out.interest = event.events;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);
  return out;
}

void link_loop::progress(channel& of, bool readable) {
  auto before = of.at();
  of.pump(readable && of.reading(), now_us_);
  if (before < channel::phase::greeting && of.at() == channel::phase::greeting && !of.ended()) {
    on_handshake(of);
    // What came behind the handshake's last record waits inside OpenSSL, where epoll does not see it.
    of.pump(true, now_us_);
  }
  pass_frames(of);
  if (of.ended()) return;
  tell_epoll(of);
  // The actor looks again after it has said that it waits, so that one of the two sees the other.
  if (of.unsent->all() <= bounds_.feed_bytes / 2 && of.unsent->awaited.exchange(false))
    send_to(of.actor, link_drained{});
}

void link_loop::pass_frames(channel& of) {
  while (auto next = of.take_frame()) {
    if (next->kind == frame_kind::goodbye) {
      goodbye told;
      decode(next->payload, told);
      of.end("goodbye", told.why.substr(0, 300));
    } else if (of.at() != channel::phase::open) {
      on_greeting(of, *next);
      if (!of.ended()) of.pump(false, now_us_);
    } else if (next->kind != frame_kind::ping && of.actor) {
      of.unread->fetch_add(next->payload.size() + 256, std::memory_order_relaxed);
      send_to(of.actor, frame_arrived{next->kind, shared_bytes(std::move(next->payload))});
    }
  }
}

void link_loop::tell_epoll(channel& of) {
  std::uint32_t wanted = (of.reading() ? EPOLLIN : 0u) | (of.wants_write() ? EPOLLOUT : 0u);
  if (wanted == of.interest) return;
  of.interest = wanted;
  epoll_event event{};
  event.events = wanted;
  event.data.u64 = of.id();
  epoll_ctl(epoll_, EPOLL_CTL_MOD, of.socket(), &event);
}

void link_loop::refuse(channel& which, std::string word, const std::string& why) {
  if (which.at() >= channel::phase::greeting) {
    which.send(frame_kind::goodbye, to_msgpack(goodbye{why}));
    which.pump(false, now_us_);
  }
  which.end(std::move(word), why);
}

void link_loop::join(channel& which, caf::strong_actor_ptr actor) {
  monitor(actor);
  which.actor = std::move(actor);
}

void link_loop::tick() {
  auto wall = wall_now_ms();
  for (auto& [id, one] : channels_) {
    one->tick(now_us_, wall);
    if (!one->ended()) tell_epoll(*one);
  }
  on_tick();
  next_tick_us_ = now_us_ + static_cast<std::uint64_t>(next_tick_ms()) * 1000;
}

void link_loop::bury() {
  for (auto at = channels_.begin(); at != channels_.end();) {
    if (!at->second->ended()) {
      ++at;
      continue;
    }
    auto gone = std::move(at->second);
    at = channels_.erase(at);
    on_gone(*gone);
  }
}

void link_loop::say_goodbye() {
  for (auto& [id, one] : channels_)
    if (!one->ended()) refuse(*one, "stopped", "this end stops");
}

}  // namespace troupe::link
