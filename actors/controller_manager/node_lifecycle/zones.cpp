#include "actors/controller_manager/node_lifecycle/zones.hpp"

namespace troupe::controllers {
namespace {

constexpr std::uint64_t usual_pause_ms = 10'000;  // node-eviction-rate 0.1 a second
constexpr std::uint64_t slow_pause_ms = 100'000;  // secondary-node-eviction-rate 0.01 a second
constexpr std::size_t large_zone = 50;            // large-cluster-size-threshold
constexpr std::size_t unhealthy_percent = 55;     // unhealthy-zone-threshold
constexpr std::size_t few_nodes = 2;              // that are not ready are no disruption

}  // namespace

void zones::count(const member& who, int by) {
  auto& one = zones_[who.zone];
  auto& of = who.ready ? one.ready : one.not_ready;
  of = by > 0 ? of + 1 : of - 1;
  if (one.size() == 0) zones_.erase(who.zone);
  changed_ = true;
}

void zones::observe(const std::string& node, const std::string& zone, bool ready) {
  auto [known, fresh] = nodes_.try_emplace(node, member{zone, ready});
  if (!fresh && known->second.zone == zone && known->second.ready == ready) return;
  // First in: a zone's state and pace do not go with its only node's change.
  count({zone, ready}, 1);
  if (!fresh) count(known->second, -1);
  known->second = {zone, ready};
}

void zones::forget(const std::string& node) {
  auto known = nodes_.find(node);
  if (known == nodes_.end()) return;
  count(known->second, -1);
  nodes_.erase(known);
}

/// After a time without leave a zone waits the new pause, as does one that had its node a moment ago.
void zones::set_pause(tally& one, bool resumed, std::uint64_t now_ms) {
  const bool partial =
      one.ready > 0 && one.not_ready > few_nodes && one.not_ready * 100 >= one.size() * unhealthy_percent;
  const auto wanted = !partial ? usual_pause_ms : one.size() > large_zone ? slow_pause_ms : 0;
  if (wanted == one.pause_ms && !resumed) return;
  if (resumed || one.pause_ms == 0 || one.next_ms > now_ms) one.next_ms = now_ms + wanted;
  one.pause_ms = wanted;
}

zones::turn zones::settle(std::uint64_t now_ms) {
  if (!changed_) return turn::none;
  changed_ = false;
  const bool was = stopped_;
  bool any = false;
  stopped_ = true;
  for (const auto& [name, one] : zones_) {
    any = any || one.size() > 0;
    stopped_ = stopped_ && one.ready == 0;
  }
  stopped_ = stopped_ && any;
  for (auto& [name, one] : zones_) set_pause(one, was && !stopped_, now_ms);
  if (was == stopped_) return turn::none;
  return stopped_ ? turn::entered : turn::left;
}

std::optional<std::uint64_t> zones::take(const std::string& zone, std::uint64_t now_ms) {
  auto& one = zones_[zone];  // a new one, where no node counts
  if (stopped_ || one.pause_ms == 0) return std::nullopt;
  if (one.next_ms > now_ms) return one.next_ms - now_ms;
  one.next_ms = now_ms + one.pause_ms;
  return 0;
}

std::string zone_of(const core_v1::node_view& node) {
  std::string region, zone;
  for (auto [key, value] : node.metadata().labels()) {
    if (key == "topology.kubernetes.io/region") region = value;
    if (key == "topology.kubernetes.io/zone") zone = value;
  }
  if (region.empty() && zone.empty()) return {};
  return region.append(":").append(1, '\0').append(":").append(zone);
}

}  // namespace troupe::controllers
