// Listening, and sharing connections out.
#include "actors/api_server/gateway/endpoint.hpp"

#include <cerrno>
#include <cstring>
#include <system_error>

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/socket_address.hpp"

namespace troupe::gateway {

loop_slot::loop_slot() : wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (wake_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

loop_slot::~loop_slot() {
  for (int socket : waiting_) ::close(socket);
  ::close(wake_fd_);
}

void loop_slot::push(int socket) {
  {
    std::lock_guard guard(mutex_);
    waiting_.push_back(socket);
  }
  std::uint64_t one = 1;
  (void)!::write(wake_fd_, &one, sizeof one);
}

std::vector<int> loop_slot::take() {
  std::uint64_t count = 0;
  (void)!::read(wake_fd_, &count, sizeof count);
  std::lock_guard guard(mutex_);
  std::vector<int> taken;
  taken.swap(waiting_);
  return taken;
}

result<std::shared_ptr<endpoint>> endpoint::open(const std::string& address, std::uint16_t port,
                                                 const tls_credentials& credentials, std::size_t loops,
                                                 const limits& bounds) {
  std::shared_ptr<endpoint> made(new endpoint());
  made->bounds_ = bounds;
  if (auto bad = made->renew(credentials); !bad.ok()) return bad;
  runtime::socket_address where{};
  auto size = runtime::parse_address(address, port, where);
  if (size == 0) return bad_request("listen address \"" + address + "\" is not an IP address");
  auto listening = runtime::listen_on(where, size, 4096);
  if (listening.descriptor < 0)
    return internal_error("listen on " + address + ":" + std::to_string(port) + ": " + std::strerror(errno));
  made->listener_ = listening.descriptor;
  made->port_ = listening.port;
  for (std::size_t i = 0; i < std::max<std::size_t>(loops, 1); ++i)
    made->slots_.push_back(std::make_unique<loop_slot>());
  return made;
}

endpoint::~endpoint() {
  if (listener_ >= 0) ::close(listener_);
}

ssl_context_ptr endpoint::tls() const {
  std::lock_guard guard(mutex_);
  return tls_;
}

status endpoint::renew(const tls_credentials& credentials) {
  auto made = make_server_context(credentials);
  if (!made) return made.error();
  std::lock_guard guard(mutex_);
  tls_ = std::move(*made);
  return {};
}

std::size_t endpoint::least_busy(std::size_t self) const {
  auto best = self;
  auto fewest = slots_[self]->serving.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    auto serving = slots_[i]->serving.load(std::memory_order_relaxed);
    if (!slots_[i]->alive.load(std::memory_order_relaxed) || serving >= fewest) continue;
    best = i;
    fewest = serving;
  }
  return best;
}

bool endpoint::enter(bool mutating, bool always) {
  auto& places = mutating ? counts_.mutating_in_flight : counts_.read_only_in_flight;
  auto limit = static_cast<std::int64_t>(mutating ? bounds_.mutating_in_flight : bounds_.read_only_in_flight);
  if (places.fetch_add(1, std::memory_order_relaxed) < limit || always) return true;
  leave(mutating);
  return false;
}

void endpoint::leave(bool mutating) {
  add<std::int64_t>(mutating ? counts_.mutating_in_flight : counts_.read_only_in_flight, -1);
}

}  // namespace troupe::gateway
