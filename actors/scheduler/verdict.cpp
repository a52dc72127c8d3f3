// Judging all nodes and wording the result.
#include "actors/scheduler/verdict.hpp"

#include <algorithm>
#include <map>

namespace troupe::scheduler {
namespace {

using histogram = std::map<std::string, std::int64_t>;

// "0/3 nodes are available: 1 x, 2 y." Kubernetes sorts the counted reasons as texts, so "10 x" comes before "2 y".
std::string sentence(std::int64_t nodes, const histogram& reasons) {
  std::vector<std::string> parts;
  for (auto& [reason, count] : reasons) parts.push_back(std::to_string(count) + " " + reason);
  std::sort(parts.begin(), parts.end());
  std::string out = "0/" + std::to_string(nodes) + " nodes are available:";
  for (std::size_t i = 0; i < parts.size(); ++i) out += (i ? ", " : " ") + parts[i];
  if (!parts.empty()) out += ".";
  return out;
}

std::string preemption_message(const verdict& v, const pod_info& pod) {
  if (pod.never_preempts) return "not eligible due to preemptionPolicy=Never.";
  std::int64_t candidates = std::count_if(v.nodes.begin(), v.nodes.end(), [](auto& n) { return n.resolvable; });
  histogram reasons;
  if (candidates > 0) reasons["No preemption victims found for incoming pod"] = candidates;
  if (v.node_count > candidates) reasons["Preemption is not helpful for scheduling"] = v.node_count - candidates;
  return sentence(v.node_count, reasons);
}

// Nodes that the pod's required names exclude are not looked at; Kubernetes words them by the plug-in that narrowed.
bool excluded(const cycle& pod, slot_id slot) {
  auto& c = pod.compiled();
  return c.restricts_names && !std::binary_search(c.only_names.begin(), c.only_names.end(), pod.table().name(slot));
}

}  // namespace

verdict judge(cycle& pod) {
  verdict v;
  v.node_count = static_cast<std::int64_t>(pod.table().order().size());
  for (auto& clause : pod.pod().unsupported) v.whole += (v.whole.empty() ? "" : ", ") + clause;
  if (v.whole.empty() && pod.compiled().restricts_names && pod.compiled().only_names.empty())
    v.whole = "pod affinity terms conflict";
  if (!v.whole.empty()) return v;
  for (auto slot : pod.table().order()) {
    node_verdict n;
    n.node = pod.table().name(slot);
    if (excluded(pod, slot)) {
      n.plugin = plugin_name(plugin::node_affinity);
      n.reasons = {"node(s) didn't satisfy plugin(s) [NodeAffinity]"};
    } else {
      auto by = pod.first_failure(slot);
      if (by == plugin::none) continue;
      n.plugin = plugin_name(by);
      n.reasons = pod.reasons(slot, by, n.resolvable);
    }
    v.nodes.push_back(std::move(n));
  }
  return v;
}

std::string message_of(const verdict& v, const pod_info& pod) {
  if (v.node_count == 0) return "no nodes available to schedule pods";
  std::string out;
  if (!v.whole.empty()) {
    out = sentence(v.node_count, {}) + " " + v.whole + ".";
  } else {
    histogram reasons;
    for (auto& n : v.nodes)
      for (auto& r : n.reasons) ++reasons[r];
    out = sentence(v.node_count, reasons);
  }
  // Pods without resource claims always hear this from DynamicResources' post-filter; then DefaultPreemption speaks.
  return out + " no new claims to deallocate, preemption: " + preemption_message(v, pod);
}

}  // namespace troupe::scheduler
