// Nice values of single threads.
#include "runtime/background_thread.hpp"

#include <sys/resource.h>
#include <unistd.h>

namespace troupe::runtime {

void yield_to_serving() {
  constexpr int steps = 11;
  auto self = static_cast<id_t>(gettid());
  setpriority(PRIO_PROCESS, self, getpriority(PRIO_PROCESS, self) + steps);
}

}  // namespace troupe::runtime
