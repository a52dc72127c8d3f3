#include "actors/cloud_controller_manager/route/core.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "messages/ipv4.hpp"
#include "messages/views/core_v1.hpp"
#include "messages/wall_time.hpp"

namespace troupe::cloud {
namespace {

using controller::effect;

/// Status of NetworkUnavailable; empty: there is none yet.
std::string unavailable(const core_v1::node_view& node) {
  for (auto one : node.status().conditions())
    if (one.type() == "NetworkUnavailable") return std::string(one.status());
  return {};
}

}  // namespace

std::vector<effect> route_core::observe(const controller::object_changed& change, const controller::caches&) {
  facts now;
  if (change.now) {
    auto content = document::parse(change.now->json.view());
    if (!content) return {};
    core_v1::node_view node(*content);
    now.pod_cidr = node.spec().pod_cidr();
    auto addresses = node.status().addresses();
    now.has_address =
        std::any_of(addresses.begin(), addresses.end(), [](auto one) { return one.type() == "InternalIP"; });
    now.routed = unavailable(node) == "False";
  }
  auto before = known_.find(change.key) == known_.end() ? facts() : known_[change.key];
  if (change.now)
    known_[change.key] = now;
  else
    known_.erase(change.key);
  if (change.before && change.now && before == now) return {};
  // Whoever claims the range that this node had or has may be the one to get the route.
  std::vector<effect> out;
  for (const auto& [name, one] : known_)
    if (name == change.key ||
        (!one.pod_cidr.empty() && (one.pod_cidr == before.pod_cidr || one.pod_cidr == now.pod_cidr)))
      out.emplace_back(controller::enqueue{name, 0});
  return out;
}

bool route_core::can_be_routed(const std::string& node) const {
  const auto& mine = known_.at(node);
  if (!mine.has_address || !is_pod_range(cluster_, mine.pod_cidr)) return false;
  // Who has the range keeps it; else it is the first one's by name.
  for (const auto& [name, other] : known_) {
    if (name == node || !other.has_address || other.pod_cidr != mine.pod_cidr) continue;
    if (other.routed ? !mine.routed || name < node : !mine.routed && name < node) return false;
  }
  return true;
}

std::vector<effect> route_core::reconcile(const controller::key_due& due, const controller::caches& view) {
  auto found = view.find(nodes, due.key);
  if (!found || known_.at(due.key).pod_cidr.empty()) return {};
  auto content = document::parse(found->json.view());
  if (!content) return {controller::failed{content.error().message}};
  const bool good = can_be_routed(due.key);
  const std::string wanted = good ? "False" : "True";
  if (unavailable(core_v1::node_view(*content)) == wanted) return {};
  auto time = time_text(due.now_ms);
  controller::write order;
  order.request.verb = api::method::patch;
  order.request.target = fmt::format("/api/v1/nodes/{}/status", due.key);
  order.request.content_type = "application/strategic-merge-patch+json";
  order.request.body = shared_bytes(fmt::format(
      R"({{"status":{{"conditions":[{{"type":"NetworkUnavailable","status":"{}","reason":"{}","message":"{}",)"
      R"("lastHeartbeatTime":"{}","lastTransitionTime":"{}"}}]}}}})",
      wanted, good ? "RouteCreated" : "NoRouteCreated",
      good ? "RouteController created a route" : "RouteController failed to create a route", time, time));
  order.seen_by = nodes;
  order.tolerated = {reason::not_found};
  return {std::move(order)};
}

}  // namespace troupe::cloud
