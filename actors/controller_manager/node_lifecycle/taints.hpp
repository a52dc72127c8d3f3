// Taints for nodes in trouble, and how long pods bear them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/views/core_v1.hpp"

namespace troupe::controllers {

struct taint {
  std::string key, value, effect, time_added;
  bool same(const taint& other) const { return key == other.key && effect == other.effect; }
};

constexpr const char* not_ready_taint = "node.kubernetes.io/not-ready";
constexpr const char* unreachable_taint = "node.kubernetes.io/unreachable";

/// "True", "False" or "Unknown"; empty without that condition.
std::string condition_status(const core_v1::node_view& node, std::string_view type);
std::vector<taint> taints_of(const core_v1::node_view& node);
/// Whether it evicts because the node is not ready.
bool evicts(const taint& one);
/// The taints the node should have by its conditions and spec.unschedulable, others kept; `now` (RFC 3339) for new
/// ones. `may_evict`: else it has none that evicts.
std::vector<taint> wanted_taints(const core_v1::node_view& node, const std::string& now, bool may_evict);
bool same_taints(const std::vector<taint>& a, const std::vector<taint>& b);

/// How long the pod may stay in view of the NoExecute taints, in seconds from when the earliest was added: 0 at once,
/// nothing for ever.
std::optional<std::int64_t> stay_seconds(const core_v1::pod_view& pod, const std::vector<taint>& taints);

}  // namespace troupe::controllers
