// The verdict: why a pod can go nowhere, per node, and as the one sentence Kubernetes makes of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "actors/scheduler/filters.hpp"

namespace troupe::scheduler {

/// Why one node was rejected.
struct node_verdict {
  std::string node;
  std::string plugin;                // "NodeResourcesFit"
  std::vector<std::string> reasons;  // "Insufficient cpu"
  bool resolvable = false;           // removing pods could help
  MSGPACK_DEFINE(node, plugin, reasons, resolvable)
};

/// Why a pod was rejected everywhere.
struct verdict {
  std::int64_t node_count = 0;
  std::string whole;  // a reason that holds before any node is looked at
  std::vector<node_verdict> nodes;
  MSGPACK_DEFINE(node_count, whole, nodes)
};

/// Asks every node. Nodes that would take the pod are left out.
verdict judge(cycle& pod);

/// "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable." followed by what the post-filter
/// plug-ins say, as the pod's condition and event show it.
std::string message_of(const verdict& v, const pod_info& pod);

}  // namespace troupe::scheduler
