// Real and simulated inputs of the outside world.
#include "runtime/services.hpp"

#include <chrono>

#include <spdlog/spdlog.h>
#include <caf/actor_clock.hpp>

namespace troupe::runtime {

std::string services::new_uid() {
  std::uint64_t high = random_u64();
  std::uint64_t low = random_u64();
  high = (high & ~std::uint64_t{0xf000}) | 0x4000;                     // version 4
  low = (low & ~(std::uint64_t{3} << 62)) | (std::uint64_t{2} << 62);  // RFC 4122 variant
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (int nibble = 0; nibble < 32; ++nibble) {
    if (nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20) text += '-';
    std::uint64_t half = nibble < 16 ? high : low;
    text += digits[(half >> (60 - 4 * (nibble % 16))) & 15];
  }
  return text;
}

std::uint64_t real_services::wall_now_ms() {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

std::uint64_t real_services::steady_now_us() {
  auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

std::uint64_t real_services::random_u64() {
  thread_local std::mt19937_64 generator = [] {
    std::random_device entropy;
    std::seed_seq seed{entropy(), entropy(), entropy(), entropy(), entropy(), entropy(), entropy(), entropy()};
    return std::mt19937_64(seed);
  }();
  return generator();
}

namespace {

spdlog::level::level_enum level_of(log_level level) {
  switch (level) {
    case log_level::trace:
      return spdlog::level::trace;
    case log_level::debug:
      return spdlog::level::debug;
    case log_level::info:
      return spdlog::level::info;
    case log_level::warn:
      return spdlog::level::warn;
    case log_level::error:
      break;
  }
  return spdlog::level::err;
}

}  // namespace

void real_services::log(log_level level, std::string_view event, std::string_view text) {
  spdlog::log(level_of(level), "{} {}", event, text);
}

simulated_services::simulated_services(std::uint64_t seed, std::uint64_t start_ms)
    : random_(seed), start_ms_(start_ms) {}

std::uint64_t simulated_services::wall_now_ms() { return start_ms_ + steady_now_us() / 1000; }

std::uint64_t simulated_services::steady_now_us() {
  if (clock_ == nullptr) return 0;
  auto now = clock_->now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

std::uint64_t simulated_services::random_u64() { return random_(); }

void simulated_services::log(log_level level, std::string_view event, std::string_view text) {
  if (level > worst_) worst_ = level;
  if (level == log_level::error) last_error_ = std::string(event) + " " + std::string(text);
  spdlog::log(level_of(level), "[{} us] {} {}", steady_now_us(), event, text);
}

}  // namespace troupe::runtime
