#include "actors/controller_manager/node_lifecycle/taints.hpp"

#include <algorithm>

namespace troupe::controllers {
namespace {

bool tolerates(const core_v1::toleration_view& one, const taint& what) {
  if (!one.effect().empty() && one.effect() != what.effect) return false;
  if (!one.key().empty() && one.key() != what.key) return false;
  if (one.operator_() == "Exists") return true;
  return !one.key().empty() && one.value() == what.value;
}

}  // namespace

std::string condition_status(const core_v1::node_view& node, std::string_view type) {
  for (auto one : node.status().conditions())
    if (one.type() == type) return std::string(one.status());
  return {};
}

std::vector<taint> taints_of(const core_v1::node_view& node) {
  std::vector<taint> all;
  for (auto one : node.spec().taints())
    all.push_back(
        {std::string(one.key()), std::string(one.value()), std::string(one.effect()), std::string(one.time_added())});
  return all;
}

bool evicts(const taint& one) {
  return one.effect == "NoExecute" && (one.key == not_ready_taint || one.key == unreachable_taint);
}

std::vector<taint> wanted_taints(const core_v1::node_view& node, const std::string& now, bool may_evict) {
  auto ready = condition_status(node, "Ready");
  struct rule {
    const char* key;
    const char* effect;
    bool wanted;
  };
  // Ready absent: the kubelet has not reported yet; the node stays not ready.
  bool not_ready = ready == "False" || ready.empty(), unknown = ready == "Unknown";
  const rule rules[] = {
      {not_ready_taint, "NoSchedule", not_ready},
      {not_ready_taint, "NoExecute", may_evict && not_ready && !ready.empty()},
      {unreachable_taint, "NoSchedule", unknown},
      {unreachable_taint, "NoExecute", may_evict && unknown},
      {"node.kubernetes.io/memory-pressure", "NoSchedule", condition_status(node, "MemoryPressure") == "True"},
      {"node.kubernetes.io/disk-pressure", "NoSchedule", condition_status(node, "DiskPressure") == "True"},
      {"node.kubernetes.io/pid-pressure", "NoSchedule", condition_status(node, "PIDPressure") == "True"},
      {"node.kubernetes.io/network-unavailable", "NoSchedule", condition_status(node, "NetworkUnavailable") == "True"},
      {"node.kubernetes.io/unschedulable", "NoSchedule", node.spec().unschedulable()},
  };
  auto all = taints_of(node);
  for (const auto& one : rules) {
    taint wanted{one.key, {}, one.effect, std::string(one.effect) == "NoExecute" ? now : std::string()};
    auto found = std::find_if(all.begin(), all.end(), [&](const taint& other) { return other.same(wanted); });
    if (one.wanted && found == all.end()) all.push_back(wanted);
    if (!one.wanted && found != all.end()) all.erase(found);
  }
  return all;
}

bool same_taints(const std::vector<taint>& a, const std::vector<taint>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const taint& x, const taint& y) {
           return x.same(y) && x.value == y.value;
         });
}

std::optional<std::int64_t> stay_seconds(const core_v1::pod_view& pod, const std::vector<taint>& taints) {
  std::optional<std::int64_t> least;
  for (const auto& one : taints) {
    if (one.effect != "NoExecute") continue;
    bool borne = false;
    for (auto toleration : pod.spec().tolerations()) {
      if (!tolerates(toleration, one)) continue;
      borne = true;
      if (!toleration.has_toleration_seconds()) continue;
      auto seconds = std::max<std::int64_t>(0, toleration.toleration_seconds());
      least = least ? std::min(*least, seconds) : seconds;
    }
    if (!borne) return 0;
  }
  return least;
}

}  // namespace troupe::controllers
