// What the gateway's loops share and what outlives their crashes: the listening socket, the TLS context, counters,
// in-flight places.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "actors/api_server/gateway/counters.hpp"
#include "actors/api_server/gateway/limits.hpp"
#include "actors/api_server/gateway/tls.hpp"
#include "messages/status.hpp"

namespace troupe::gateway {

/// Accepted sockets on their way to one loop, and how many that loop serves. Thread-safe.
class loop_slot {
 public:
  loop_slot();
  ~loop_slot();
  loop_slot(const loop_slot&) = delete;
  loop_slot& operator=(const loop_slot&) = delete;

  /// Readable while sockets wait.
  int wake_fd() const { return wake_fd_; }
  /// Hands a socket over.
  void push(int socket);
  /// Takes those that wait.
  std::vector<int> take();

  std::atomic<bool> alive{false};
  std::atomic<std::int64_t> serving{0};  // connections, those that wait included

 private:
  int wake_fd_;
  std::mutex mutex_;
  std::vector<int> waiting_;
};

/// Opened once; its loops come and go.
class endpoint {
 public:
  /// Binds and listens on a numeric address ("127.0.0.1", "::1"); port 0 takes a free one. `loops`: how many threads.
  static result<std::shared_ptr<endpoint>> open(const std::string& address, std::uint16_t port,
                                                const tls_credentials& credentials, std::size_t loops,
                                                const limits& bounds);
  ~endpoint();
  endpoint(const endpoint&) = delete;
  endpoint& operator=(const endpoint&) = delete;

  /// The port that was bound.
  std::uint16_t port() const { return port_; }
  int listener() const { return listener_; }
  /// What new connections are served with. Thread-safe.
  ssl_context_ptr tls() const;
  /// New connections are served with this from now on; those that are open go on. Thread-safe.
  status renew(const tls_credentials& credentials);
  const limits& bounds() const { return bounds_; }
  gateway_counters& counts() { return counts_; }
  loop_slot& slot(std::size_t index) { return *slots_[index]; }
  std::size_t loops() const { return slots_.size(); }
  /// The living loop with the fewest connections; `self` where it is as good as any.
  std::size_t least_busy(std::size_t self) const;

  /// Takes an in-flight place. `always`: even when there is none.
  bool enter(bool mutating, bool always);
  void leave(bool mutating);

 private:
  endpoint() = default;

  int listener_ = -1;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  ssl_context_ptr tls_;
  limits bounds_;
  gateway_counters counts_;
  std::vector<std::unique_ptr<loop_slot>> slots_;
};

}  // namespace troupe::gateway
