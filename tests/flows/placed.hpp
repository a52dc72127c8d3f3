// Real placements for flows: the processes' own classes with everything they start, on the real clock, with hollow
// nodes.
#pragma once

#include <memory>
#include <string>

#include "tests/flows/cluster.hpp"

namespace troupe::flows {

/// "local": everything in one. "cluster": a control plane and a process of nodes, with the link over loopback between
/// them. Returns once the nodes are ready; throws when that does not come about, and for another word.
std::unique_ptr<cluster> place(const std::string& placement, std::size_t nodes);

}  // namespace troupe::flows
