// A closed loop of requests over many connections, driven by one epoll thread: the next request of a connection goes
// out when the last one is answered.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/bench/client/client.hpp"
#include "tests/bench/client/target.hpp"

namespace troupe::bench {

/// What to run. It ends after `requests` answers or `time`, whichever is first (zero: no such bound).
struct load {
  std::size_t connections = 32;
  std::size_t streams = 1;  // in flight on each connection; more than 1 for HTTP/2 only
  bool h2 = false;
  std::uint64_t requests = 0;
  std::chrono::milliseconds time{0};
  std::chrono::milliseconds patience{60'000};  // without any answer the run is given up
  /// Fills in request number `sequence`; called once for each.
  std::function<void(std::uint64_t sequence, request& into)> make;
  /// Sees each answer's code and body size; may be empty.
  std::function<void(int code, std::size_t body)> seen;
};

/// How a run went.
struct outcome {
  std::uint64_t answers = 0;   // with code < 400
  std::uint64_t failures = 0;  // with code >= 400, or cut off
  double seconds = 0;
  double client_cpu_seconds = 0;
  std::vector<std::uint32_t> latencies_us;  // of answers and failures, sorted
  std::string first_failure;

  double rate() const { return seconds > 0 ? static_cast<double>(answers) / seconds : 0; }
  /// The latency below which `part` (0..1) of all lie, in milliseconds.
  double percentile_ms(double part) const;
};

/// Connects, runs and disconnects; connecting is not timed. Throws std::runtime_error when it cannot connect.
outcome run(const target& where, const load& what);

/// Steady clock in microseconds.
std::uint64_t now_us();
/// CPU seconds of this process so far.
double own_cpu_seconds();

}  // namespace troupe::bench
