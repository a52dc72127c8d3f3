// Conditional defaults of core/v1 kinds other than pods.
#include "actors/api_server/defaults/defaults.hpp"
#include "actors/api_server/validation/access.hpp"

namespace troupe::api::rules {
namespace {

void session_affinity(document& doc, node& spec) {
  set_if_empty(doc, spec, "sessionAffinity", "None");
  const auto affinity = text(&spec, "sessionAffinity");
  if (affinity == "None") doc.remove(spec, "sessionAffinityConfig");
  if (affinity != "ClientIP" || get(&spec, "sessionAffinityConfig", "clientIP", "timeoutSeconds")) return;
  node& config = doc.set(spec, "sessionAffinityConfig");
  doc.make_object(config);
  doc.set(object_member(doc, config, "clientIP"), "timeoutSeconds", 10800);
}

void service_port(document& doc, node& port) {
  if (!port.is_object()) return;
  set_if_empty(doc, port, "protocol", "TCP");
  const node* target = get(&port, "targetPort");
  const bool unset = !target || (target->is_string() ? target->string().empty() : target->integer() == 0);
  if (unset) doc.set(port, "targetPort", number(&port, "port"));
}

void service_defaults(document& doc, node& service) {
  node& spec = object_member(doc, service, "spec");
  session_affinity(doc, spec);
  set_if_empty(doc, spec, "type", "ClusterIP");
  if (node* ports = spec.find("ports"); ports && ports->is_array())
    for (std::size_t i = 0; i < ports->size(); ++i) service_port(doc, ports->element(i));
  const auto type = text(&spec, "type");
  const bool load_balancer = type == "LoadBalancer", node_port = type == "NodePort", cluster_ip = type == "ClusterIP";
  if (load_balancer || node_port || (cluster_ip && count(&spec, "externalIPs") > 0))
    set_if_empty(doc, spec, "externalTrafficPolicy", "Cluster");
  if (load_balancer || node_port || cluster_ip)
    set_if_absent(doc, spec, "internalTrafficPolicy", std::string_view("Cluster"));
  if (!load_balancer) return;
  set_if_absent(doc, spec, "allocateLoadBalancerNodePorts", true);
  node* ingress = service.find("status", "loadBalancer", "ingress");
  if (!ingress || !ingress->is_array()) return;
  for (std::size_t i = 0; i < ingress->size(); ++i)
    if (!text(&ingress->element(i), "ip").empty())
      set_if_absent(doc, ingress->element(i), "ipMode", std::string_view("VIP"));
}

void replication_controller_defaults(document& doc, node& object) {
  const node* labels = get(&object, "spec", "template", "metadata", "labels");
  if (!labels || !labels->is_object()) return;
  node& spec = object_member(doc, object, "spec");
  if (count(&spec, "selector") == 0) doc.set(spec, "selector", doc.clone(*labels)).set_ordinal(0xffff);
  labels = get(&object, "spec", "template", "metadata", "labels");
  node& metadata = object_member(doc, object, "metadata");
  if (count(&metadata, "labels") == 0) doc.set(metadata, "labels", doc.clone(*labels)).set_ordinal(0xffff);
}

void claim_defaults(document& doc, node& claim) {
  // Only a claim itself; the templates inside a StatefulSet have no status of their own to speak of but get it too.
  set_if_empty(doc, object_member(doc, claim, "status"), "phase", "Pending");
}

void namespace_defaults(document& doc, node& object) {
  const auto name = text(get(&object, "metadata"), "name");
  if (name.empty()) return;
  node& labels = object_member(doc, object_member(doc, object, "metadata"), "labels");
  doc.set(labels, "kubernetes.io/metadata.name", name);
}

void node_status_defaults(document& doc, node& status) {
  const node* capacity = get(&status, "capacity");
  if (capacity && !get(&status, "allocatable"))
    doc.set(status, "allocatable", doc.clone(*capacity)).set_ordinal(0xffff);
}

/// podCIDR is the first of podCIDRs. Where both are said and differ, podCIDR counts, the only one that old clients know
/// (pkg/apis/core/v1/conversion.go).
void node_spec_defaults(document& doc, node& spec) {
  const std::string single(text(&spec, "podCIDR"));
  const node* several = get(&spec, "podCIDRs");
  const std::string first = count(several) > 0 ? shown(several->element(0)) : "";
  if (single.empty() && !first.empty()) doc.set(spec, "podCIDR", std::string_view(first));
  if (single.empty() || single == first) return;
  node& list = doc.set(spec, "podCIDRs");
  doc.clear(list);
  doc.make_array(list);
  doc.assign(doc.append(list), std::string_view(single));
}

void limit_range_item_defaults(document& doc, node& item) {
  if (text(&item, "type") != "Container") return;
  copy_missing(doc, item, "default", get(&item, "max"));
  copy_missing(doc, item, "defaultRequest", get(&item, "default"));
  copy_missing(doc, item, "defaultRequest", get(&item, "min"));
}

}  // namespace

const named_rule core_rules[] = {
    {"core/v1.Service", service_defaults},
    {"core/v1.ReplicationController", replication_controller_defaults},
    {"core/v1.PersistentVolumeClaim", claim_defaults},
    {"core/v1.Namespace", namespace_defaults},
    {"core/v1.NodeSpec", node_spec_defaults},
    {"core/v1.NodeStatus", node_status_defaults},
    {"core/v1.LimitRangeItem", limit_range_item_defaults},
    {nullptr, nullptr},
};

}  // namespace troupe::api::rules
