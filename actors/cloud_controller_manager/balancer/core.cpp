#include "actors/cloud_controller_manager/balancer/core.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "messages/document.hpp"

namespace troupe::cloud {
namespace {

using controller::effect;

bool balanced(const core_v1::service_view& service) {
  return service.spec().type() == "LoadBalancer" && service.spec().load_balancer_class().empty() &&
         !service.metadata().has_deletion_timestamp();
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

std::set<std::string> addresses(const controller::caches::object_map& nodes) {
  std::set<std::string> out;
  for (const auto& [name, node] : nodes)
    if (auto address = address_of(*node); !address.empty()) out.insert(std::move(address));
  return out;
}

std::set<std::string> ports_of(const core_v1::service_view& service) {
  std::set<std::string> out;
  for (auto port : service.spec().ports())
    out.insert(fmt::format("{}/{}", port.port(), port.protocol().empty() ? "TCP" : port.protocol()));
  return out;
}

controller::write set_ingress(const object& service, const std::set<std::string>& wanted) {
  document body;
  body.make_object(body.root());
  core_v1::service_view changes(body);
  auto balancer = changes.mutable_status().mutable_load_balancer();
  balancer.mutable_ingress();
  for (const auto& one : wanted) balancer.mutable_ingress().append().set_ip(one);
  controller::write out;
  out.request.verb = api::method::patch;
  out.request.target = fmt::format("/api/v1/namespaces/{}/services/{}/status", service.namespace_name, service.name);
  out.request.content_type = "application/merge-patch+json";
  out.request.body = shared_bytes(to_json(body.root()));
  out.seen_by = 0;
  out.tolerated = {reason::not_found};
  return out;
}

}  // namespace

std::vector<controller::source> balancer_core::sources() const {
  return {{"/api/v1/services", {}, {}}, {"/api/v1/nodes", {}, {}}};
}

std::vector<effect> balancer_core::observe(const controller::object_changed& change, const controller::caches& view) {
  // A node's heartbeat changes nothing here.
  if (change.source == nodes && change.before && change.now && address_of(*change.before) == address_of(*change.now))
    return {};
  std::vector<effect> out;
  auto concerns_all = change.source == nodes || !change.now;  // a port may be free again
  if (!concerns_all) return {controller::enqueue{change.key, 0}};
  for (const auto& [key, service] : view.all(services))
    if (service->json.view().find("\"LoadBalancer\"") != std::string_view::npos)
      out.emplace_back(controller::enqueue{key, 0});
  return out;
}

/// Why the Service has to wait; empty when it has not.
std::string balancer_core::trouble_with(const std::string& key, const core_v1::service_view& service,
                                        const controller::caches& view) const {
  if (!nodes_answer_) return "no service proxy runs on the nodes (kube_proxy.enabled), so they would not answer";
  auto mine = view.find(services, key);
  for (const auto& [other_key, other] : view.all(services)) {
    if (other_key == key || other->created >= mine->created) continue;
    auto content = document::parse(other->json.view());
    if (!content) continue;
    core_v1::service_view that(*content);
    if (!balanced(that)) continue;
    auto taken = ports_of(that);
    for (const auto& port : ports_of(service))
      if (taken.count(port) > 0) return fmt::format("port {} of the nodes is used by Service {}", port, other_key);
  }
  return {};
}

std::vector<effect> balancer_core::reconcile(const controller::key_due& due, const controller::caches& view) {
  auto found = view.find(services, due.key);
  if (!found) return {};
  auto content = document::parse(found->json.view());
  if (!content) return {controller::failed{content.error().message}};
  core_v1::service_view service(*content);
  std::set<std::string> current;
  for (auto ingress : service.status().load_balancer().ingress()) current.emplace(ingress.ip());
  if (service.spec().type() == "LoadBalancer" && !balanced(service)) return {};
  std::set<std::string> wanted;
  std::vector<effect> out;
  if (balanced(service)) {
    auto trouble = trouble_with(due.key, service, view);
    if (trouble.empty()) wanted = addresses(view.all(nodes));
    if (trouble.empty() && wanted.empty()) trouble = "there are no available nodes for it";
    if (!trouble.empty())
      out.emplace_back(controller::note{found, true, "SyncLoadBalancerFailed",
                                        "Error syncing load balancer: failed to ensure load balancer: " + trouble});
  }
  if (wanted == current) return out;
  out.emplace_back(set_ingress(*found, wanted));
  if (!wanted.empty()) out.emplace_back(controller::note{found, false, "EnsuredLoadBalancer", "Ensured load balancer"});
  return out;
}

}  // namespace troupe::cloud
