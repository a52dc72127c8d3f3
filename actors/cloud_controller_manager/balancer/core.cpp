#include "actors/cloud_controller_manager/balancer/core.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "actors/cloud_controller_manager/balancer/writes.hpp"
#include "messages/cloud.hpp"
#include "messages/document.hpp"
#include "messages/hash.hpp"
#include "messages/text_search.hpp"
#include "messages/views/discovery_v1.hpp"

namespace troupe::cloud {
namespace {

using controller::effect;

bool is_balancer(const core_v1::service_view& service) { return service.spec().type() == "LoadBalancer"; }

bool balanced(const core_v1::service_view& service) {
  return is_balancer(service) && service.spec().load_balancer_class().empty() &&
         !service.metadata().has_deletion_timestamp();
}

bool has_finalizer(const core_v1::service_view& service) {
  auto all = service.metadata().finalizers();
  return std::any_of(all.begin(), all.end(), [](auto one) { return one == balancer_finalizer; });
}

std::set<std::string> addresses_of(const core_v1::service_view& service) {
  std::set<std::string> out;
  for (auto ingress : service.status().load_balancer().ingress()) out.emplace(ingress.ip());
  return out;
}

std::string announcer_of(const core_v1::service_view& service) {
  for (auto [key, value] : service.metadata().annotations())
    if (key == announcer_annotation) return std::string(value);
  return {};
}

/// Where clients reach the node; empty for one that takes no part.
std::string address_of(const object& one) {
  auto content = document::parse(one.json.view());
  if (!content || one.label("node.kubernetes.io/exclude-from-external-load-balancers")) return {};
  core_v1::node_view node(*content);
  bool ready = false;
  for (auto condition : node.status().conditions())
    ready = ready || (condition.type() == "Ready" && condition.status() == "True");
  if (!ready || node.metadata().has_deletion_timestamp()) return {};
  std::string inside;
  for (auto address : node.status().addresses()) {
    if (address.type() == "ExternalIP") return std::string(address.address());
    if (address.type() == "InternalIP" && inside.empty()) inside = address.address();
  }
  return inside;
}

std::set<std::string> ports_of(const core_v1::service_view& service) {
  std::set<std::string> out;
  for (auto port : service.spec().ports())
    out.insert(fmt::format("{}/{}", port.port(), port.protocol().empty() ? "TCP" : port.protocol()));
  return out;
}

std::string service_of(const object& slice) {
  const auto* name = slice.label("kubernetes.io/service-name");
  return name ? fmt::format("{}/{}", slice.namespace_name, *name) : std::string();
}

/// Nodes with a ready endpoint of the Service.
std::set<std::string> nodes_behind(const std::string& key, const controller::caches::object_map& slices) {
  std::set<std::string> out;
  auto space = key.substr(0, key.find('/') + 1);
  for (auto at = slices.lower_bound(space); at != slices.end() && at->first.starts_with(space); ++at) {
    if (service_of(*at->second) != key) continue;
    auto content = document::parse(at->second->json.view());
    if (!content) continue;
    for (auto endpoint : discovery_v1::endpoint_slice_view(*content).endpoints())
      if (endpoint.conditions().ready(true)) out.emplace(endpoint.node_name());
  }
  return out;
}

}  // namespace

struct balancer_core::turn {
  const std::string& key;
  object_ptr object;
  core_v1::service_view service;
  const controller::caches& view;
};

std::vector<controller::source> balancer_core::sources() const {
  std::vector<controller::source> out = {{"/api/v1/services", {}, {}}, {"/api/v1/nodes", {}, {}}};
  if (pool_) out.push_back({"/apis/discovery.k8s.io/v1/endpointslices", {}, {}});
  return out;
}

std::vector<effect> balancer_core::observe(const controller::object_changed& change, const controller::caches& view) {
  if (change.source == services) return observe_service(change);
  if (change.source == nodes) return observe_node(change, view);
  // Where a Service's endpoints are matters to those only that have an address kept local.
  auto key = service_of(change.now ? *change.now : *change.before);
  auto service = view.find(services, key);
  if (!service || !has_text(service->json.view(), "\"externalTrafficPolicy\":\"Local\"")) return {};
  return {controller::enqueue{key, 0}};
}

std::vector<effect> balancer_core::observe_service(const controller::object_changed& change) {
  if (!change.now) {
    waiting_.erase(change.key);
    held_.erase(change.key);
    return wake_waiting();
  }
  auto text = change.now->json.view();
  bool concerned = has_text(text, "\"LoadBalancer\"") || has_text(text, balancer_finalizer);
  if (!concerned && held_.count(change.key) == 0) return {};
  auto content = document::parse(text);
  if (!content) return {};
  core_v1::service_view service(*content);
  std::optional<ipv4_address> shown;
  for (const auto& one : addresses_of(service))
    if (auto ip = ipv4_in(one); ip && pool_ && pool_->contains(*ip)) shown = ip;
  auto out = std::vector<effect>{controller::enqueue{change.key, 0}};
  if (shown) {
    held_[change.key] = *shown;
  } else if (!balanced(service)) {  // else its address may be on its way
    waiting_.erase(change.key);
    held_.erase(change.key);
    for (auto& one : wake_waiting()) out.push_back(std::move(one));
  }
  return out;
}

std::vector<effect> balancer_core::observe_node(const controller::object_changed& change,
                                                const controller::caches& view) {
  auto now = change.now ? address_of(*change.now) : std::string();
  auto known = ready_nodes_.find(change.key);
  // A node's heartbeat changes nothing here.
  if (known == ready_nodes_.end() ? now.empty() : known->second == now) return {};
  if (now.empty())
    ready_nodes_.erase(known);
  else
    ready_nodes_[change.key] = now;
  std::vector<effect> out;
  for (const auto& [key, service] : view.all(services))
    if (has_text(service->json.view(), "\"LoadBalancer\"")) out.emplace_back(controller::enqueue{key, 0});
  return out;
}

std::vector<effect> balancer_core::wake_waiting() {
  std::vector<effect> out;
  out.reserve(waiting_.size());
  for (const auto& key : waiting_) out.emplace_back(controller::enqueue{key, 0});
  waiting_.clear();
  return out;
}

std::vector<effect> balancer_core::reconcile(const controller::key_due& due, const controller::caches& view) {
  auto found = view.find(services, due.key);
  if (!found) return {};
  auto content = document::parse(found->json.view());
  if (!content) return {controller::failed{content.error().message}};
  turn now{due.key, found, core_v1::service_view(*content), view};
  if (has_finalizer(now.service) && (now.service.metadata().has_deletion_timestamp() || !is_balancer(now.service)))
    return release(now);
  return balanced(now.service) ? ensure(now) : std::vector<effect>{};
}

std::vector<effect> balancer_core::release(const turn& now) const {
  std::vector<effect> out;
  if (!addresses_of(now.service).empty())
    out.emplace_back(controller::note{now.object, false, "DeletingLoadBalancer", "Deleting load balancer"});
  out.emplace_back(release_balancer(*now.object, {announcer_of(now.service), {}}));
  out.emplace_back(controller::note{now.object, false, "DeletedLoadBalancer", "Deleted load balancer"});
  return out;
}

std::vector<effect> balancer_core::ensure(const turn& now) {
  auto wants = wanted(now);
  if (!wants) {
    waiting_.insert(now.key);
    return {controller::note{now.object, true, "SyncLoadBalancerFailed",
                             "Error syncing load balancer: failed to ensure load balancer: " + wants.error().message}};
  }
  waiting_.erase(now.key);
  const announcement by{announcer_of(now.service), wants->announcer};
  const bool same = addresses_of(now.service) == wants->addresses && has_finalizer(now.service);
  if (same && by.before == by.now) return {};
  std::vector<effect> out;
  if (pool_ && ready_nodes_.empty())
    out.emplace_back(
        controller::note{now.object, true, "UnAvailableLoadBalancer", "There are no available nodes for LoadBalancer"});
  if (!same) out.emplace_back(controller::note{now.object, false, "EnsuringLoadBalancer", "Ensuring load balancer"});
  out.emplace_back(ensure_balancer(*now.object, wants->addresses, by));
  if (same)
    out.emplace_back(
        controller::note{now.object, false, "UpdatedLoadBalancer", "Updated load balancer with new hosts"});
  else
    out.emplace_back(controller::note{now.object, false, "EnsuredLoadBalancer", "Ensured load balancer"});
  return out;
}

result<balancer_core::balance> balancer_core::wanted(const turn& now) {
  if (!nodes_answer_)
    return bad_request("no service proxy runs on the nodes (kube_proxy.enabled), so they would not answer");
  balance out;
  if (pool_) {
    auto address = address_for(now, *pool_);
    if (!address) return address.error();
    held_[now.key] = *address;
    out.addresses.insert(ipv4_text(*address));
    out.announcer = announcer_for(now);
    return out;
  }
  if (auto trouble = port_trouble(now); !trouble.empty()) return bad_request(trouble);
  for (const auto& [name, address] : ready_nodes_) out.addresses.insert(address);
  if (out.addresses.empty()) return bad_request("there are no available nodes for it");
  return out;
}

/// One of the pool that nobody else has. Of two that show the same one, as a client may have written it, the older
/// Service has it.
result<ipv4_address> balancer_core::address_for(const turn& now, const ipv4_pool& pool) {
  std::set<ipv4_address> used;
  for (const auto& [key, address] : held_) {
    if (key == now.key) continue;
    auto mine = held_.find(now.key);
    auto other = now.view.find(services, key);
    const bool younger = other && std::pair(other->created, key) > std::pair(now.object->created, now.key);
    if (mine == held_.end() || mine->second != address || !younger) used.insert(address);
  }
  if (auto asked = now.service.spec().load_balancer_ip(); !asked.empty()) {
    auto ip = ipv4_in(asked);
    if (!ip || !pool.contains(*ip))
      return bad_request(fmt::format("requested address {} is not in the pool {}", asked, pool_text_));
    if (used.count(*ip) > 0) return bad_request(fmt::format("requested address {} is used by another Service", asked));
    return *ip;
  }
  if (auto mine = held_.find(now.key); mine != held_.end() && used.count(mine->second) == 0) return mine->second;
  auto free = pool.first;
  for (auto taken : used)
    if (taken == free) ++free;
  if (!pool.contains(free)) return bad_request(fmt::format("no address of the pool {} is free", pool_text_));
  return free;
}

std::string balancer_core::announcer_for(const turn& now) const {
  std::vector<std::string> able;
  const bool local = now.service.spec().external_traffic_policy() == "Local";
  auto behind = local ? nodes_behind(now.key, now.view.all(slices)) : std::set<std::string>();
  for (const auto& [name, address] : ready_nodes_)
    if (!local || behind.count(name) > 0) able.push_back(name);
  if (able.empty()) return {};
  auto current = announcer_of(now.service);
  if (std::find(able.begin(), able.end(), current) != able.end()) return current;
  return able[fnv1a(now.key) % able.size()];
}

/// Which port of the nodes an older Service has; empty: none.
std::string balancer_core::port_trouble(const turn& now) const {
  for (const auto& [other_key, other] : now.view.all(services)) {
    if (other_key == now.key || other->created >= now.object->created) continue;
    if (!has_text(other->json.view(), "\"LoadBalancer\"")) continue;
    auto content = document::parse(other->json.view());
    if (!content) continue;
    core_v1::service_view that(*content);
    if (!balanced(that)) continue;
    auto taken = ports_of(that);
    for (const auto& port : ports_of(now.service))
      if (taken.count(port) > 0) return fmt::format("port {} of the nodes is used by Service {}", port, other_key);
  }
  return {};
}

}  // namespace troupe::cloud
