// The strategy of Services: fields that follow each other, and allocated values that stay.
#include <algorithm>
#include <string>
#include <vector>

#include "actors/api_server/admission/prepare.hpp"
#include "actors/api_server/defaults/defaults.hpp"
#include "actors/api_server/validation/access.hpp"
#include "actors/api_server/validation/services.hpp"

namespace troupe::api::rules {
namespace {

bool needs_cluster_ip(const node* spec) { return text(spec, "type") != "ExternalName"; }
bool needs_node_port(const node* spec) {
  const auto type = text(spec, "type");
  return type == "NodePort" || type == "LoadBalancer";
}

std::vector<std::int64_t> node_ports(const node* spec) {
  std::vector<std::int64_t> out;
  each(get(spec, "ports"), [&](const node& port, std::size_t) {
    if (const auto value = number(&port, "nodePort")) out.push_back(value);
  });
  return out;
}

bool contains(const std::vector<std::int64_t>& list, std::int64_t value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

void set_list(document& doc, node& spec, std::string_view value) {
  node& list = doc.set(spec, "clusterIPs");
  doc.clear(list);
  doc.make_array(list);
  doc.assign(doc.append(list), value);
}

void copy(document& doc, node& spec, const node* before, std::string_view field) {
  if (const node* old = get(before, field)) doc.set(spec, field, doc.clone(*old));
}

bool same_cluster_ips(const node* spec, const node* before) {
  return text(spec, "clusterIP") == text(before, "clusterIP") &&
         same(get(spec, "clusterIPs"), get(before, "clusterIPs"));
}

/// Old clients know clusterIP only.
void follow_cluster_ip(document& doc, node& spec, const node* before) {
  const auto now = text(&spec, "clusterIP"), old = text(before, "clusterIP");
  if (count(before, "clusterIPs") > 0 && count(&spec, "clusterIPs") == 0 && now == old)
    copy(doc, spec, before, "clusterIPs");
  if (now == old || !same(get(&spec, "clusterIPs"), get(before, "clusterIPs"))) return;
  if (!now.empty()) set_list(doc, spec, now);
}

/// Values that the server chose and the client left out.
void keep_allocated(document& doc, node& spec, const node* before) {
  if (needs_cluster_ip(before) && needs_cluster_ip(&spec)) {
    if (text(&spec, "clusterIP").empty()) copy(doc, spec, before, "clusterIP");
    if (count(&spec, "clusterIPs") == 0) copy(doc, spec, before, "clusterIPs");
    for (std::string_view field : {"ipFamilies", "ipFamilyPolicy"})
      if (!has(&spec, field)) copy(doc, spec, before, field);
  }
  if (needs_health_check(before) && needs_health_check(&spec) && number(&spec, "healthCheckNodePort") == 0)
    copy(doc, spec, before, "healthCheckNodePort");
  node* ports = spec.find("ports");
  if (!needs_node_port(before) || !needs_node_port(&spec) || !ports || !ports->is_array()) return;
  const auto used = node_ports(&spec);
  for (std::size_t i = 0; i < ports->size(); ++i) {
    node& port = ports->element(i);
    if (number(&port, "nodePort") != 0) continue;
    each(get(before, "ports"), [&](const node& old, std::size_t) {
      const auto value = number(&old, "nodePort");
      if (text(&old, "name") == text(&port, "name") && value != 0 && !contains(used, value))
        doc.set(port, "nodePort", value);
    });
  }
}

void drop_if_same(document& doc, node& spec, const node* before, std::string_view field) {
  if (same(get(&spec, field), get(before, field))) doc.remove(spec, field);
}

/// Fields that only the old type had a use for, unless the client changed them too.
void drop_useless(document& doc, node& spec, const node* before) {
  if (needs_cluster_ip(before) && !needs_cluster_ip(&spec)) {
    if (same_cluster_ips(&spec, before)) {
      doc.remove(spec, "clusterIP");
      doc.remove(spec, "clusterIPs");
    }
    drop_if_same(doc, spec, before, "ipFamilies");
    drop_if_same(doc, spec, before, "ipFamilyPolicy");
  }
  const auto before_ports = node_ports(before), now_ports = node_ports(&spec);
  const bool only_old =
      std::all_of(now_ports.begin(), now_ports.end(), [&](auto value) { return contains(before_ports, value); });
  node* ports = spec.find("ports");
  if (needs_node_port(before) && !needs_node_port(&spec) && only_old && ports && ports->is_array())
    for (std::size_t i = 0; i < ports->size(); ++i) doc.remove(ports->element(i), "nodePort");
  if (needs_health_check(before) && !needs_health_check(&spec)) drop_if_same(doc, spec, before, "healthCheckNodePort");
  if (text(before, "type") == "LoadBalancer" && text(&spec, "type") != "LoadBalancer") {
    drop_if_same(doc, spec, before, "allocateLoadBalancerNodePorts");
    drop_if_same(doc, spec, before, "loadBalancerClass");
  }
  if (externally_accessible(before) && !externally_accessible(&spec))
    drop_if_same(doc, spec, before, "externalTrafficPolicy");
}

}  // namespace

void prepare_service_create(document& object) {
  object.remove(object.root(), "status");
  node& spec = object_member(object, object.root(), "spec");
  const std::string cluster_ip(text(&spec, "clusterIP"));
  if (!cluster_ip.empty() && count(&spec, "clusterIPs") == 0) set_list(object, spec, cluster_ip);
}

void prepare_service_update(const node& previous, document& object) {
  node& spec = object_member(object, object.root(), "spec");
  const node* before = get(&previous, "spec");
  follow_cluster_ip(object, spec, before);
  keep_allocated(object, spec, before);
  drop_useless(object, spec, before);
  if (text(&spec, "type") == "LoadBalancer") return;
  if (node* status = object.root().find("status"); status && status->is_object())
    object.remove(*status, "loadBalancer");
}

}  // namespace troupe::api::rules
