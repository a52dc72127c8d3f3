// Connections that the kernel remembers. libnetfilter_conntrack rather than the tool: one pass over the table serves
// every frontend of a batch, where the tool would run once for each pair of frontend and backend.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "actors/kube_proxy/core.hpp"

namespace troupe::kube_proxy {

/// Forgets UDP connections to the frontends that lead elsewhere than to the frontend's backends. `forgotten` counts.
/// Returns the error, empty when all was done; flows that end meanwhile are no error.
std::string forget_stale_flows(const std::vector<flow_check>& checks, std::size_t& forgotten);

}  // namespace troupe::kube_proxy
