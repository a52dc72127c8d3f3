// See stream_loop.hpp.
#include "actors/container_runtime/cri/streams/stream_loop.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <system_error>
#include <utility>

#include "actors/container_runtime/cri/streams/runtime_stream.hpp"
#include "runtime/loop_actor.hpp"
#include "runtime/socket_address.hpp"

namespace troupe::cri {
namespace {

using container::failure;
using container::fault;

constexpr std::uint64_t open_limit_us = 20'000'000;

/// A socket that is connecting to a numeric address; -1 with errno.
int connect_to(const stream_place& at) {
  runtime::socket_address where{};
  auto size = runtime::parse_address(at.host, at.port, where);
  if (size == 0) {
    errno = EADDRNOTAVAIL;
    return -1;
  }
  int fd = ::socket(where.base.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (::connect(fd, &where.base, size) == 0 || errno == EINPROGRESS) return fd;
  int why = errno;
  ::close(fd);
  errno = why;
  return -1;
}

class stream_loop;

/// One stream's connection.
class held_stream final : private stream_events {
 public:
  held_stream(stream_loop& in, dial&& what, const stream_place& at, int fd, std::uint64_t deadline_us)
      : in_(in),
        reader_(std::move(what.reader)),
        id_(what.order.id),
        fd_(fd),
        deadline_us_(deadline_us),
        runtime_(what.order, at, *this) {}
  ~held_stream() override { ::close(fd_); }
  held_stream(const held_stream&) = delete;
  held_stream& operator=(const held_stream&) = delete;

  /// epoll reports the socket.
  void on_events(std::uint32_t events);
  void send(const stream::chunk& what);
  void add_credit(std::uint32_t bytes) { credit_ += bytes; }
  void judge(std::uint64_t now_us) {
    if (!opened_ && now_us >= deadline_us_) runtime_.input_ended("no answer in time");
  }
  /// What epoll is to report.
  std::uint32_t interest() const {
    return (credit_ > 0 ? EPOLLIN : 0U) | (runtime_.outgoing.empty() ? 0U : static_cast<std::uint32_t>(EPOLLOUT));
  }
  bool over() const { return runtime_.over(); }
  int fd() const { return fd_; }
  const caf::strong_actor_ptr& reader() const { return reader_; }
  std::uint64_t id() const { return id_; }
  std::uint32_t listening = 0;

 private:
  void read(bool all);
  void write();

  void on_opened() override;
  void on_chunk(stream::channel on, std::string_view data, bool end) override;
  void on_closed(const failure& why) override;

  stream_loop& in_;
  const caf::strong_actor_ptr reader_;
  const std::uint64_t id_;
  const int fd_;
  const std::uint64_t deadline_us_;
  bool opened_ = false;
  std::int64_t credit_ = stream::window_bytes;  // what the reader takes
  std::size_t owed_ = 0;                        // what the reader has sent and got no credit for
  runtime_stream runtime_;
};

/// The actor and its thread.
class stream_loop final : public runtime::loop_actor<stream_loop_actor> {
 public:
  explicit stream_loop(caf::actor_config& settings) : loop_actor(settings, "streams") {
    set_down_handler([this](const caf::down_msg& down) { on_down(down.source); });
  }

  behavior_type make_behavior() override {
    return {[this](stream::chunk& m) {
              if (auto* one = find(m.id)) one->send(m);
            },
            [this](const stream::credit& m) {
              if (auto* one = find(m.id)) one->add_credit(m.bytes);
            },
            [this](const stream::close& m) { forget(key_of(current_sender(), m.id)); },
            [this](dial& m) { begin(std::move(m)); }};
  }

  void run() override {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
    struct cleaner {
      stream_loop& self;
      ~cleaner() {
        self.streams_.clear();
        ::close(self.epoll_);
      }
    } at_end{*this};
    epoll_event event{};
    event.events = EPOLLIN;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_fd(), &event) != 0)
      throw std::system_error(errno, std::generic_category(), "epoll_ctl");
    while (!ended()) turn();
  }

  template <class Message>
  void tell(const caf::strong_actor_ptr& reader, Message&& what) {
    send_to(reader, std::forward<Message>(what));
  }

 private:
  using key = std::pair<std::uint64_t, std::uint64_t>;  // reader, id

  static key key_of(const caf::strong_actor_ptr& reader, std::uint64_t id) { return {reader ? reader->id() : 0, id}; }
  held_stream* find(std::uint64_t id) {
    auto found = streams_.find(key_of(current_sender(), id));
    return found == streams_.end() ? nullptr : found->second.get();
  }

  void begin(dial&& what) {
    auto refuse = [&](std::string text) {
      tell(what.reader, stream::opened{what.order.id, {fault::unavailable, std::move(text)}});
    };
    auto at = parse_stream_url(what.url);
    if (!at) return refuse(at.error().message);
    auto place = key_of(what.reader, what.order.id);
    if (streams_.contains(place)) return refuse("the stream is open already");
    int fd = connect_to(*at);
    if (fd < 0) return refuse("cannot connect to " + at->authority + ": " + std::strerror(errno));
    auto address = caf::actor_cast<caf::actor_addr>(what.reader);
    if (readers_.insert(address).second) monitor(address);
    auto made = std::make_unique<held_stream>(*this, std::move(what), *at, fd, steady_now_us() + open_limit_us);
    epoll_event event{};
    event.data.ptr = made.get();
    made->listening = event.events = made->interest();
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    streams_[place] = std::move(made);
  }

  void turn() {
    std::array<epoll_event, 64> events;
    int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), streams_.empty() ? -1 : 1000);
    bool messages = false;
    for (int i = 0; i < ready; ++i) {
      auto& event = events[static_cast<std::size_t>(i)];
      if (event.data.ptr)
        static_cast<held_stream*>(event.data.ptr)->on_events(event.events);
      else
        messages = true;
    }
    if (messages) drain();
    auto now = steady_now_us();
    for (auto at = streams_.begin(); at != streams_.end();) {
      auto& one = *at->second;
      one.judge(now);
      if (one.over()) {
        at = streams_.erase(at);
        continue;
      }
      listen(one);
      ++at;
    }
  }

  void listen(held_stream& one) {
    auto wanted = one.interest();
    if (wanted == one.listening) return;
    one.listening = wanted;
    epoll_event event{};
    event.events = wanted;
    event.data.ptr = &one;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, one.fd(), &event);
  }

  void forget(const key& which) { streams_.erase(which); }

  void on_down(const caf::actor_addr& who) {
    readers_.erase(who);
    std::erase_if(streams_, [&](auto& entry) { return entry.second->reader()->id() == who.id(); });
  }

  int epoll_ = -1;
  std::map<key, std::unique_ptr<held_stream>> streams_;
  std::set<caf::actor_addr> readers_;  // monitored
};

void held_stream::on_events(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) write();
  bool broken = (events & (EPOLLERR | EPOLLHUP)) != 0;
  if (!over() && (broken || (events & EPOLLIN) != 0)) read(broken);
}

/// `all`: the socket is broken; what it still has is in the kernel's buffer and may go beyond the credit.
void held_stream::read(bool all) {
  std::array<char, stream::chunk_bytes> buffer;
  for (int turn = 0; !over() && (all || (credit_ > 0 && turn < 4)); ++turn) {
    auto size = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (size > 0) {
      runtime_.receive({buffer.data(), static_cast<std::size_t>(size)});
      continue;
    }
    if (size < 0 && (errno == EINTR || (errno == EAGAIN && !all))) return;
    return runtime_.input_ended(size < 0 ? std::strerror(errno) : "");
  }
}

void held_stream::write() {
  auto& out = runtime_.outgoing;
  std::size_t sent = 0;
  while (sent < out.size()) {
    auto size = ::send(fd_, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
    if (size > 0) {
      sent += static_cast<std::size_t>(size);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) out.clear();  // what the other side has said before it closed is still to be read
    break;
  }
  out.erase(0, sent);
  if (owed_ <= out.size()) return;
  auto free = owed_ - out.size();
  owed_ -= free;
  in_.tell(reader_, stream::credit{id_, static_cast<std::uint32_t>(free)});
}

void held_stream::send(const stream::chunk& what) {
  owed_ += what.data.size();
  runtime_.send(what);
  write();
}

void held_stream::on_opened() {
  opened_ = true;
  in_.tell(reader_, stream::opened{id_, {}});
}

void held_stream::on_chunk(stream::channel on, std::string_view data, bool end) {
  credit_ -= static_cast<std::int64_t>(data.size());
  in_.tell(reader_, stream::chunk{id_, on, data.empty() ? shared_bytes() : shared_bytes(std::string(data)), end});
}

void held_stream::on_closed(const failure& why) {
  if (opened_)
    in_.tell(reader_, stream::closed{id_, why});
  else
    in_.tell(reader_, stream::opened{id_, why});
}

}  // namespace

stream_loop_actor spawn_stream_loop(caf::actor_system& system) { return runtime::spawn_loop<stream_loop>(system); }

}  // namespace troupe::cri
