// How long to wait before dialing again.
#pragma once

#include <algorithm>
#include <cstdint>

namespace troupe::link {

/// Milliseconds before try number `tries` + 1 (from 1): base doubled for each failure up to the cap, and of that a
/// random part between a half and the whole, so that nodes that lost one control plane do not return in step.
inline std::uint64_t backoff_ms(std::uint64_t tries, std::uint64_t base_ms, std::uint64_t cap_ms,
                                std::uint64_t random) {
  auto shift = std::min<std::uint64_t>(tries > 0 ? tries - 1 : 0, 20);
  auto whole = std::max<std::uint64_t>(std::min(base_ms << shift, cap_ms), 1);
  return whole / 2 + random % (whole / 2 + 1);
}

}  // namespace troupe::link
