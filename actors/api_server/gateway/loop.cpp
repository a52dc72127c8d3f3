// The loop's sockets: epoll, accepting, flushing, deadlines, draining.
#include "actors/api_server/gateway/loop.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/log.hpp"

namespace troupe::gateway {

namespace {

// Tags of descriptors that are no connection.
char queue_tag, slot_tag, listener_tag;

/// A client that closes early is an error code of a write, not a signal. OpenSSL writes without MSG_NOSIGNAL, so this
/// thread blocks the signal, which is always delivered to the thread that wrote.
void block_broken_pipe() {
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
}

/// How often deadlines are looked at: often enough for the shortest, once a second for the usual ones.
std::uint64_t tick_for(const limits& bounds) {
  auto shortest = std::min({bounds.handshake, bounds.header_read, bounds.body_read, bounds.idle, bounds.write_stall,
                            bounds.response, bounds.linger, bounds.drain});
  return std::clamp<std::uint64_t>(in_us(shortest) / 4, 5'000, 1'000'000);
}

}  // namespace

loop::loop(caf::actor_config& settings, options with, std::size_t index)
    : loop_actor(settings, "gateway-" + std::to_string(index)),
      with_(std::move(with)),
      slot_(with_.where->slot(index)),
      tick_us_(tick_for(with_.where->bounds())) {
  set_exit_handler([this](caf::exit_msg&) { begin_drain(); });
}

loop::~loop() = default;

loop::behavior_type loop::make_behavior() {
  with_.api_server.observe(*this, [this](const supervision::ref_changed& change) {
    // Up: whatever was sent since it went down waits at the reference and reaches the new incarnation.
    bool unseen_restart = change.up && api_up_ && change.incarnation != api_incarnation_;
    api_incarnation_ = change.incarnation;
    api_up_ = change.up;
    if (!change.up || unseen_restart) on_api_server_gone();
  });
  if (with_.relay)
    with_.relay.observe(*this, [this](const supervision::ref_changed& change) {
      if (!change.up || change.incarnation != relay_incarnation_) on_relay_gone();
      relay_incarnation_ = change.incarnation;
    });
  return {[this](api::response& answer) { on_response(answer); },
          [this](const api::watch_delivery& delivery) { on_delivery(delivery); },
          [this](const stream::chunk& what) {
            auto* x = stream_of(what.id);
            if (!x) return pass(stream::close{what.id});
            x->tunnel->speaker().on_chunk(what);
            x->owner->resume(*x);
          },
          [this](const stream::credit& what) {
            auto* x = stream_of(what.id);
            if (!x) return;
            x->tunnel->speaker().on_credit(what);
            x->owner->resume(*x);
          },
          [this](const stream::closed& what) {
            auto* x = stream_of(what.id);
            if (!x) return;
            x->tunnel->speaker().on_closed(what);
            x->owner->resume(*x);
          }};
}

void loop::run() {
  block_broken_pipe();
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  // Whatever ends the loop, an exception included: its sockets are closed and others do not send it any more.
  struct cleaner {
    loop& self;
    ~cleaner() {
      self.slot_.alive = false;
      self.to_flush_.clear();
      add<std::int64_t>(self.slot_.serving, -static_cast<std::int64_t>(self.connections_.size()));
      self.connections_.clear();
      for (auto& [id, x] : self.exchanges_) self.leave_flight(*x);
      self.streams_.clear();
      self.exchanges_.clear();
      ::close(self.epoll_);
    }
  } at_end{*this};
  watch_fd(wake_fd(), &queue_tag, EPOLLIN);
  watch_fd(slot_.wake_fd(), &slot_tag, EPOLLIN);
  listen(true);
  slot_.alive = true;
  now_us_ = steady_now_us();
  next_tick_us_ = now_us_ + tick_us_;
  while (!ended() && !drained()) turn(timeout_ms());
}

void loop::watch_fd(int fd, void* tag, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = tag;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

void loop::listen(bool on) {
  if (on == listening_) return;
  listening_ = on;
  if (on)
    watch_fd(with_.where->listener(), &listener_tag, EPOLLIN | EPOLLEXCLUSIVE);
  else
    epoll_ctl(epoll_, EPOLL_CTL_DEL, with_.where->listener(), nullptr);
}

int loop::timeout_ms() const {
  if (!to_flush_.empty()) return 0;
  if (connections_.empty() && exchanges_.empty() && !draining_ && listening_) return -1;
  return next_tick_us_ > now_us_ ? static_cast<int>((next_tick_us_ - now_us_) / 1000 + 1) : 0;
}

void loop::turn(int timeout) {
  std::array<epoll_event, 256> events;
  int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout);
  now_us_ = steady_now_us();
  bool messages = false;
  for (int i = 0; i < ready; ++i) {
    auto& event = events[static_cast<std::size_t>(i)];
    if (event.data.ptr == &queue_tag) {
      messages = true;
    } else if (event.data.ptr == &slot_tag) {
      for (int socket : slot_.take()) adopt(socket);
    } else if (event.data.ptr == &listener_tag) {
      accept_some();
    } else if (auto* which = static_cast<connection*>(event.data.ptr); !which->dead()) {
      which->on_events(event.events);
    }
  }
  if (messages) drain();
  if (now_us_ >= next_tick_us_) tick();
  // The moment from which a client may have it: this thread may have to wait for its turn while the client reads.
  auto writes_at = steady_now_us();
  flush_all();
  if (!to_record_.empty()) record_written(writes_at);
  bury();
}

void loop::accept_some() {
  for (int turn = 0; turn < 64; ++turn) {
    int socket = ::accept4(with_.where->listener(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) {
      // Out of descriptors or memory: the listener would stay readable and this thread would spin.
      if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) listen(false);
      return;
    }
    count(counts().accepted);
    auto open = counts().connections_open.load(std::memory_order_relaxed);
    if (open >= static_cast<std::int64_t>(bounds().connections)) {
      count(counts().refused);
      ::close(socket);
      continue;
    }
    // Connections are few, long and unequal, so they are dealt out rather than left to whoever wakes first.
    auto self = static_cast<std::size_t>(0);
    while (&with_.where->slot(self) != &slot_) ++self;
    auto target = with_.where->least_busy(self);
    add<std::int64_t>(with_.where->slot(target).serving, 1);
    if (target == self)
      adopt(socket);
    else
      with_.where->slot(target).push(socket);
  }
}

void loop::adopt(int socket) {
  int yes = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  auto made = std::make_unique<connection>(static_cast<host&>(*this), epoll_, socket, with_.where->tls());
  auto* key = made.get();
  connections_.emplace(key, std::move(made));
  if (draining_) key->kill();
}

void loop::tell_refused(const connection& by, std::string_view reason, std::string_view why) {
  std::uint64_t left_out = 0;
  if (!lines_.take(now_us_, left_out)) return;
  auto text = "peer=" + by.address() + " reason=" + std::string(reason) + " why=" + runtime::log_value(why);
  log(runtime::log_level::warn, "gateway.refused", text.append(runtime::left_out_text(left_out)));
}

void loop::flush_soon(connection& which) {
  if (which.flush_pending) return;
  which.flush_pending = true;
  to_flush_.push_back(&which);
}

void loop::flush_all() {
  // A connection may ask for another turn while it is flushed: that turn comes after the next look at the sockets.
  auto now = std::move(to_flush_);
  to_flush_.clear();
  for (auto* which : now) {
    which->flush_pending = false;
    if (which->dead()) {
      flush_soon(*which);
    } else {
      which->flush();
    }
  }
}

void loop::bury() {
  auto dead = [](const connection* which) { return which->dead(); };
  for (std::size_t i = 0; i < to_flush_.size(); ++i) {
    if (!dead(to_flush_[i])) continue;
    connections_.erase(to_flush_[i]);
    add<std::int64_t>(slot_.serving, -1);
    to_flush_[i] = nullptr;
  }
  std::erase(to_flush_, nullptr);
}

void loop::tick() {
  next_tick_us_ = now_us_ + tick_us_;
  if (!draining_) listen(true);  // accepting may have been paused
  for (auto& [key, which] : connections_) which->tick();
  std::vector<std::uint64_t> late;
  for (auto& [id, x] : exchanges_)
    if (x->forwarded && now_us_ >= x->deadline_us) late.push_back(id);
  for (auto id : late) {
    auto found = exchanges_.find(id);
    if (found != exchanges_.end()) fail_unanswered(*found->second);
  }
}

void loop::begin_drain() {
  if (draining_) return;
  draining_ = true;
  slot_.alive = false;
  drain_deadline_us_ = steady_now_us() + in_us(bounds().drain);
  listen(false);
  std::vector<exchange*> open;
  open.reserve(watches_.size());
  for (auto& [id, x] : watches_) open.push_back(x);
  for (auto* x : open) {
    stop_watch(*x);
    x->watch->finish({});
    if (x->owner) x->owner->resume(*x);
  }
  for (auto& [key, which] : connections_) which->drain();
}

bool loop::drained() {
  if (!draining_) return false;
  return connections_.empty() || now_us_ >= drain_deadline_us_;
}

}  // namespace troupe::gateway
