// What the gateway counts. Plain atomics: written by its threads, read by anyone.
#pragma once

#include <atomic>
#include <cstdint>

namespace troupe::gateway {

/// Counters since the endpoint was opened; those named *_open and in_flight are gauges.
struct gateway_counters {
  std::atomic<std::uint64_t> accepted{0};  // connections
  std::atomic<std::uint64_t> refused{0};   // connections over the bound
  std::atomic<std::int64_t> connections_open{0};
  std::atomic<std::uint64_t> handshakes{0};        // completed
  std::atomic<std::uint64_t> handshake_errors{0};  // failed or timed out
  std::atomic<std::uint64_t> requests{0};          // complete requests of both protocols
  std::atomic<std::int64_t> read_only_in_flight{0};
  std::atomic<std::int64_t> mutating_in_flight{0};
  std::atomic<std::uint64_t> rejected{0};         // answered 429
  std::atomic<std::uint64_t> protocol_errors{0};  // malformed HTTP, too large, too slow
  std::atomic<std::uint64_t> unanswered{0};       // the api_server did not answer
  std::atomic<std::int64_t> watches_open{0};
  std::atomic<std::uint64_t> watch_events{0};  // delivered to watches
  std::atomic<std::uint64_t> watches_cut{0};   // readers too slow
  std::atomic<std::int64_t> streams_open{0};   // exec, attach, port-forward
  std::atomic<std::uint64_t> bytes_in{0};      // plain text
  std::atomic<std::uint64_t> bytes_out{0};
};

/// Adds to a counter that carries no order.
template <class T>
void add(std::atomic<T>& to, T more) {
  to.fetch_add(more, std::memory_order_relaxed);
}
inline void count(std::atomic<std::uint64_t>& to) { add<std::uint64_t>(to, 1); }

}  // namespace troupe::gateway
