// Inputs from the outside world - time, chance, identifiers, the log - as one interface, so that a simulation can
// replace them all. Components reach it through runtime/component.hpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>

namespace troupe::trace {
class recorder;
}

namespace caf {
class actor_clock;
class mailbox_element;
}  // namespace caf

namespace troupe::runtime {

class actor_context;

enum class log_level : std::uint8_t { trace, debug, info, warn, error };

/// Where clock readings, random numbers, identifiers and log lines come from and go to. Thread-safe.
class services {
 public:
  virtual ~services() = default;

  /// Milliseconds since the Unix epoch.
  virtual std::uint64_t wall_now_ms() = 0;
  /// Microseconds of a clock that never jumps.
  virtual std::uint64_t steady_now_us() = 0;
  /// A uniformly distributed number; not for secrets.
  virtual std::uint64_t random_u64() = 0;
  /// One log line: a stable event name ("supervisor.restart") and "key=value" text.
  virtual void log(log_level level, std::string_view event, std::string_view text) = 0;

  /// A new version 4 UUID in its usual text form (metadata.uid).
  std::string new_uid();
};

/// The real clock, the system's entropy, spdlog.
class real_services final : public services {
 public:
  std::uint64_t wall_now_ms() override;
  std::uint64_t steady_now_us() override;
  std::uint64_t random_u64() override;
  void log(log_level level, std::string_view event, std::string_view text) override;
};

/// Virtual time and seeded chance: the same seed gives the same run.
class simulated_services final : public services {
 public:
  /// `start_ms` is what the wall clock shows when virtual time is zero.
  explicit simulated_services(std::uint64_t seed, std::uint64_t start_ms = 1'700'000'000'000);

  /// Time follows this clock from now on (CAF's test clock); before, it stands still.
  void attach(caf::actor_clock& clock) { clock_ = &clock; }
  void detach() { clock_ = nullptr; }
  /// Moves the wall clock alone, as an administrator or NTP would. Milliseconds, may be negative.
  void jump_wall(std::int64_t by_ms) { start_ms_ += static_cast<std::uint64_t>(by_ms); }

  std::uint64_t wall_now_ms() override;
  std::uint64_t steady_now_us() override;
  std::uint64_t random_u64() override;
  void log(log_level level, std::string_view event, std::string_view text) override;

  /// The most severe level seen so far; a run that logs an error has failed.
  log_level worst() const { return worst_; }
  const std::string& last_error() const { return last_error_; }

 private:
  std::mt19937_64 random_;
  std::uint64_t start_ms_;
  caf::actor_clock* clock_ = nullptr;
  log_level worst_ = log_level::trace;
  std::string last_error_;
};

/// What watches and disturbs messages between components: the simulator, or a test of real processes. Absent in
/// production.
class message_hooks {
 public:
  virtual ~message_hooks() = default;
  struct fate {
    bool drop = false;
    std::chrono::nanoseconds delay{0};
  };
  /// A message of another actor reaches `to`; runs in the sender's context. `now` is of CAF's clock, which a delay is
  /// added to. A message that was delayed comes by a second time. A component's own timers are never asked for.
  virtual fate sent(actor_context& to, caf::mailbox_element& message, std::chrono::nanoseconds now) = 0;
  /// `by` is about to handle the message.
  virtual void received(actor_context& by, caf::mailbox_element& message) = 0;
};

}  // namespace troupe::runtime
