// Every core that `troupe trace replay` can run again.
#pragma once

#include "runtime/trace/replay.hpp"

namespace troupe::runtime {

/// The scheduler, every controller, the kubelet's node and pod cores.
const trace::replay_registry& replayable_cores();

}  // namespace troupe::runtime
