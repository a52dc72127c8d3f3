// Bounds log lines about what others do, so that they cannot fill the disk.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

namespace troupe::runtime {

/// 50 lines at once, then 10 a second.
class line_budget {
 public:
  /// Whether a line may be written now (steady clock). `left_out` says how many were not since the last.
  bool take(std::uint64_t now_us, std::uint64_t& left_out) {
    credit_ = std::min(burst, credit_ + static_cast<double>(now_us - filled_us_) / 1e6 * per_second);
    filled_us_ = now_us;
    if (credit_ < 1) {
      ++suppressed_;
      return false;
    }
    credit_ -= 1;
    left_out = std::exchange(suppressed_, 0);
    return true;
  }

 private:
  static constexpr double burst = 50, per_second = 10;
  double credit_ = burst;
  std::uint64_t filled_us_ = 0;
  std::uint64_t suppressed_ = 0;
};

/// What such a line ends with: " left_out=17", or nothing.
inline std::string left_out_text(std::uint64_t left_out) {
  return left_out > 0 ? " left_out=" + std::to_string(left_out) : std::string();
}

}  // namespace troupe::runtime
