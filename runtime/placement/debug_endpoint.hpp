// /debug/troupe and /metrics: the live actor tree, crashing a component on purpose, the process's metrics. Requests
// come from the api_server's pipeline, authenticated and authorised.
#pragma once

#include <optional>

#include <caf/actor_system.hpp>

#include "messages/api_server.hpp"
#include "runtime/metrics.hpp"

namespace troupe::runtime {

/// GET /debug/troupe/actors answers {"actors":[{path,state,restarts,mailbox,processed,cpuMicroseconds,lastError}]};
/// POST /debug/troupe/crash?path=PATH sends supervision::crash to the component (403 unless debug.allow_crash);
/// POST /debug/troupe/stop?path=PATH stops a supervised child until POST /debug/troupe/start?path=PATH (the same rule);
/// GET /metrics answers Prometheus text. Nothing for other paths. Safe from any thread.
std::optional<api::response> answer_debug(caf::actor_system& system, const metrics::registry& measured,
                                          const api::request& asked);

}  // namespace troupe::runtime
