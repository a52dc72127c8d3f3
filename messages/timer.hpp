// What a component gets when a timer it started is due.
#pragma once

#include <cstdint>

#include "messages/message.hpp"

namespace troupe {

/// A timer started by the receiver (component::start_timer) is due. A timer cannot be cancelled: the receiver ignores
/// tokens it no longer waits for.
struct timer_due {
  std::uint64_t token = 0;
  TROUPE_MESSAGE(timer_due, token)
};

}  // namespace troupe
