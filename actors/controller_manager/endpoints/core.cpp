#include "actors/controller_manager/endpoints/core.hpp"

#include "actors/controller_manager/common/owner.hpp"
#include "actors/controller_manager/common/requests.hpp"
#include "actors/controller_manager/endpointslice/slice.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::controllers {

using controller::effect;

namespace {

constexpr std::size_t max_addresses = 1000;  // upstream's maxCapacity
constexpr const char* capacity_key = "endpoints.kubernetes.io/over-capacity";
constexpr const char* managed_key = "endpoints.kubernetes.io/managed-by";
constexpr const char* manager = "endpoint-controller";

using subsets = std::map<std::vector<slice_port>, std::vector<slice_endpoint>>;

// Pods on their way out are no endpoints here, unless the Service publishes what is not ready.
bool is_served(const slice_endpoint& one, const core_v1::service_view& service) {
  return !one.terminating || service.spec().publish_not_ready_addresses();
}

subsets collect(const core_v1::service_view& service, const object& of, const label_matcher& selector,
                const controller::caches::object_map& pods) {
  auto families = service.spec().ip_families();
  auto family = families.empty() ? std::string("IPv4") : std::string(families[0]);
  return endpoints_by_ports(service, of, selector, family, pods,
                            [&](const slice_endpoint& one) { return is_served(one, service); });
}

void add_address(core_v1::endpoint_address_view to, const slice_endpoint& one) {
  to.set_ip(one.address);
  if (!one.hostname.empty()) to.set_hostname(one.hostname);
  if (!one.node_name.empty()) to.set_node_name(one.node_name);
  auto target = to.mutable_target_ref();
  target.set_kind("Pod");
  target.set_namespace(one.pod_namespace);
  target.set_name(one.pod_name);
  target.set_uid(one.pod_uid);
}

void add_ports(core_v1::endpoint_subset_view to, const std::vector<slice_port>& ports) {
  for (const auto& port : ports) {
    auto added = to.mutable_ports().append();
    if (!port.name.empty()) added.set_name(port.name);
    added.set_port(port.port);
    added.set_protocol(port.protocol);
    if (!port.app_protocol.empty()) added.set_app_protocol(port.app_protocol);
  }
}

// Adds the subsets, ready addresses before others; false when there are more than an object holds.
bool add_subsets(core_v1::endpoints_view out, const subsets& all) {
  std::size_t room = max_addresses;
  for (const auto& [ports, list] : all) {
    if (room == 0) return false;
    auto added = out.mutable_subsets().append();
    for (bool ready : {true, false})
      for (const auto& one : list) {
        if (one.ready != ready) continue;
        if (room == 0) break;
        --room;
        add_address(ready ? added.mutable_addresses().append() : added.mutable_not_ready_addresses().append(), one);
      }
    add_ports(added, ports);
  }
  std::size_t total = 0;
  for (const auto& [ports, list] : all) total += list.size();
  return total <= max_addresses;
}

document wanted_object(const core_v1::service_view& service, const object& of, const subsets& all) {
  document made;
  made.make_object(made.root());
  made.set(made.root(), "apiVersion", "v1");
  made.set(made.root(), "kind", "Endpoints");
  core_v1::endpoints_view out(made);
  auto metadata = out.mutable_metadata();
  metadata.set_name(of.name);
  metadata.set_namespace(of.namespace_name);
  std::map<std::string_view, std::string_view> labels;
  for (auto [key, value] : service.metadata().labels()) labels[key] = value;
  if (service.spec().cluster_ip() == "None") labels["service.kubernetes.io/headless"] = "";
  labels[managed_key] = manager;
  for (auto [key, value] : labels) metadata.mutable_labels().set(key, value);
  bool fits = add_subsets(out, all);
  if (!fits) out.mutable_metadata().mutable_annotations().set(capacity_key, "truncated");
  return made;
}

// What this controller decides, as text: two objects are the same when these are.
std::string endpoints_essence(const document& one) {
  std::string out;
  for (const node* part :
       {one.root().find("subsets"), one.root().find("metadata", "labels"), one.root().find("metadata", "annotations")})
    out += (part && !part->empty() ? to_json(*part) : std::string("-")) + "\n";
  return out;
}

}  // namespace

std::vector<controller::source> endpoints_core::sources() const {
  return {{"/api/v1/services", {}, {}}, {"/api/v1/pods", {}, {}}, {"/api/v1/endpoints", {}, {}}};
}

std::vector<effect> endpoints_core::observe(const controller::object_changed& change, const controller::caches&) {
  if (change.source == pods) {
    std::vector<effect> out;
    auto prefix = change.key.substr(0, change.key.find('/')) + "/";
    for (auto it = selectors_.lower_bound(prefix); it != selectors_.end() && it->first.starts_with(prefix); ++it)
      if ((change.now && it->second.matches(*change.now)) || (change.before && it->second.matches(*change.before)))
        out.emplace_back(controller::enqueue{it->first, 0});
    return out;
  }
  if (change.source == services) {
    selectors_.erase(change.key);
    if (!change.now) ended_.insert(change.key);
    if (change.now) {
      ended_.erase(change.key);
      auto content = decode(*change.now);
      auto selector = core_v1::service_view(content).spec().selector();
      if (!selector.empty()) selectors_.emplace(change.key, label_matcher(selector));
    }
  }
  return {controller::enqueue{change.key, 0}};
}

std::vector<effect> endpoints_core::reconcile(const controller::key_due& due, const controller::caches& view) {
  auto slash = due.key.find('/');
  auto space = due.key.substr(0, slash), name = due.key.substr(slash + 1);
  auto collection = collection_path("v1", space, "endpoints");
  auto service = view.find(services, due.key);
  auto existing = view.find(endpoints, due.key);
  if (!service) {
    bool ended = ended_.erase(due.key) > 0;
    const auto* by = existing ? existing->label(managed_key) : nullptr;
    if (!existing || (!ended && !(by && *by == manager))) return {};
    return {erase(collection + "/" + name, existing->uid, endpoints)};
  }
  auto selector = selectors_.find(due.key);
  if (selector == selectors_.end()) return {};  // its user keeps the Endpoints
  auto content = decode(*service);
  core_v1::service_view spec(content);
  if (spec.spec().type() == "ExternalName") return {};
  auto wanted = wanted_object(spec, *service, collect(spec, *service, selector->second, view.all(pods)));
  if (!existing) {
    auto order = create(collection, to_json(wanted.root()), endpoints);
    order.tolerated = {reason::already_exists};
    return {std::move(order)};
  }
  if (endpoints_essence(decode(*existing)) == endpoints_essence(wanted)) return {};
  core_v1::endpoints_view(wanted).mutable_metadata().set_resource_version(std::to_string(existing->revision));
  return {replace(collection + "/" + name, to_json(wanted.root()), endpoints)};
}

}  // namespace troupe::controllers
