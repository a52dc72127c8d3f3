#include "actors/controller_manager/endpointslice/slice.hpp"

#include <algorithm>

#include "actors/controller_manager/common/owner.hpp"
#include "messages/views/discovery_v1.hpp"

namespace troupe::controllers {
namespace {

bool is_ready(const core_v1::pod_view& pod) {
  for (auto condition : pod.status().conditions())
    if (condition.type() == "Ready") return condition.status() == "True";
  return false;
}

// The container port of that name and protocol; 0 when no container has it.
std::int64_t named_port(const core_v1::pod_view& pod, std::string_view name, std::string_view protocol) {
  auto search = [&](const auto& containers) -> std::int64_t {
    for (auto container : containers)
      for (auto port : container.ports())
        if (port.name() == name && port.protocol() == protocol) return port.container_port();
    return 0;
  };
  if (auto found = search(pod.spec().containers())) return found;
  return search(pod.spec().init_containers());
}

}  // namespace

bool endpoint_of(const core_v1::pod_view& pod, const core_v1::service_view& service, std::string_view family,
                 slice_endpoint& out) {
  auto phase = pod.status().phase();
  if (phase == "Succeeded" || phase == "Failed") return false;
  bool six = family == "IPv6";
  for (auto one : pod.status().pod_ips())
    if ((one.ip().find(':') != std::string_view::npos) == six && out.address.empty()) out.address = one.ip();
  if (out.address.empty()) return false;
  out.node_name = pod.spec().node_name();
  out.pod_name = pod.metadata().name();
  out.pod_namespace = pod.metadata().namespace_();
  out.pod_uid = pod.metadata().uid();
  if (!pod.spec().hostname().empty() && pod.spec().subdomain() == service.metadata().name())
    out.hostname = pod.spec().hostname();
  out.terminating = pod.metadata().has_deletion_timestamp();
  out.serving = is_ready(pod);
  out.ready = service.spec().publish_not_ready_addresses() || (out.serving && !out.terminating);
  return true;
}

std::vector<slice_port> ports_of(const core_v1::pod_view& pod, const core_v1::service_view& service) {
  std::vector<slice_port> out;
  for (auto port : service.spec().ports()) {
    slice_port made;
    made.name = port.name();
    made.protocol = port.protocol().empty() ? "TCP" : port.protocol();
    made.app_protocol = port.app_protocol();
    const auto* target = port.target_port();
    if (!target || target->is_null())
      made.port = port.port();
    else if (target->is_string())
      made.port = named_port(pod, target->string(), made.protocol);
    else
      made.port = target->integer();
    if (made.port > 0) out.push_back(std::move(made));
  }
  return out;
}

std::map<std::vector<slice_port>, std::vector<slice_endpoint>> endpoints_by_ports(
    const core_v1::service_view& service, const object& of, const label_matcher& selector, std::string_view family,
    const controller::caches::object_map& pods, const std::function<bool(const slice_endpoint&)>& counts) {
  std::map<std::vector<slice_port>, std::vector<slice_endpoint>> out;
  auto prefix = std::string(of.namespace_name) + "/";
  for (auto it = pods.lower_bound(prefix); it != pods.end() && it->first.starts_with(prefix); ++it) {
    if (!selector.matches(*it->second)) continue;
    auto content = decode(*it->second);
    core_v1::pod_view pod(content);
    slice_endpoint made;
    if (!endpoint_of(pod, service, family, made) || !counts(made)) continue;
    auto ports = ports_of(pod, service);
    if (ports.empty() && !service.spec().ports().empty()) continue;
    out[std::move(ports)].push_back(std::move(made));
  }
  for (auto& [ports, list] : out)
    std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.address < b.address; });
  return out;
}

std::string slice_json(const object& service, const core_v1::service_view& view, std::string_view family,
                       const std::vector<slice_port>& ports, const slice_endpoint* first, std::size_t count,
                       std::string_view name, std::string_view revision) {
  document made;
  made.make_object(made.root());
  made.set(made.root(), "apiVersion", "discovery.k8s.io/v1");
  made.set(made.root(), "kind", "EndpointSlice");
  discovery_v1::endpoint_slice_view slice(made);
  auto metadata = slice.mutable_metadata();
  if (name.empty()) {
    metadata.set_generate_name(std::string(service.name) + "-");
  } else {
    metadata.set_name(name);
    metadata.set_resource_version(revision);
  }
  metadata.set_namespace(service.namespace_name);
  // Sorted, as the api_server stores them: slices are compared as text.
  std::map<std::string_view, std::string_view> labels;
  for (auto [key, value] : view.metadata().labels()) labels[key] = value;
  labels["kubernetes.io/service-name"] = service.name;
  labels["endpointslice.kubernetes.io/managed-by"] = "endpointslice-controller.k8s.io";
  if (view.spec().cluster_ip() == "None") labels["service.kubernetes.io/headless"] = "";
  for (auto [key, value] : labels) metadata.mutable_labels().set(key, value);
  set_controller(metadata, "v1", "Service", service.name, service.uid);
  slice.set_address_type(family);
  for (const auto& port : ports) {
    auto added = slice.mutable_ports().append();
    added.set_name(port.name);
    added.set_protocol(port.protocol);
    added.set_port(port.port);
    if (!port.app_protocol.empty()) added.set_app_protocol(port.app_protocol);
  }
  slice.mutable_endpoints();
  for (const auto* one = first; one != first + count; ++one) {
    auto added = slice.mutable_endpoints().append();
    added.mutable_addresses().append(one->address);
    auto conditions = added.mutable_conditions();
    conditions.set_ready(one->ready);
    conditions.set_serving(one->serving);
    conditions.set_terminating(one->terminating);
    if (!one->hostname.empty()) added.set_hostname(one->hostname);
    if (!one->node_name.empty()) added.set_node_name(one->node_name);
    if (!one->zone.empty()) added.set_zone(one->zone);
    auto target = added.mutable_target_ref();
    target.set_kind("Pod");
    target.set_namespace(one->pod_namespace);
    target.set_name(one->pod_name);
    target.set_uid(one->pod_uid);
  }
  return to_json(made.root());
}

}  // namespace troupe::controllers
