// Conditional defaults of the remaining groups.
#include <string>

#include "actors/api_server/defaults/defaults.hpp"
#include "actors/api_server/validation/access.hpp"

namespace troupe::api::rules {
namespace {

void scaling_policy(document& doc, node& policies, std::string_view type, std::int64_t value) {
  node& policy = doc.append(policies);
  doc.make_object(policy);
  doc.set(policy, "type", type);
  doc.set(policy, "value", value);
  doc.set(policy, "periodSeconds", 15);
}

void scaling_rules(document& doc, node& behavior, std::string_view direction, bool up) {
  node& rules = object_member(doc, behavior, direction);
  if (up) set_if_absent(doc, rules, "stabilizationWindowSeconds", std::int64_t{0});
  set_if_absent(doc, rules, "selectPolicy", std::string_view("Max"));
  if (has(&rules, "policies")) return;
  node& policies = doc.set(rules, "policies");
  doc.make_array(policies);
  if (up) scaling_policy(doc, policies, "Pods", 4);
  scaling_policy(doc, policies, "Percent", 100);
}

void autoscaler_defaults(document& doc, node& autoscaler) {
  node& spec = object_member(doc, autoscaler, "spec");
  if (count(&spec, "metrics") == 0) {
    node& metrics = doc.set(spec, "metrics");
    doc.make_array(metrics);
    node& metric = doc.append(metrics);
    doc.make_object(metric);
    doc.set(metric, "type", "Resource");
    node& resource = object_member(doc, metric, "resource");
    doc.set(resource, "name", "cpu");
    node& target = object_member(doc, resource, "target");
    doc.set(target, "type", "Utilization");
    doc.set(target, "averageUtilization", 80);
  }
  node* behavior = spec.find("behavior");
  if (!behavior || !behavior->is_object()) return;
  scaling_rules(doc, *behavior, "scaleUp", true);
  scaling_rules(doc, *behavior, "scaleDown", false);
}

void autoscaler_v1_defaults(document& doc, node& autoscaler) {
  const node* annotations = get(&autoscaler, "metadata", "annotations");
  if (get(annotations, "autoscaling.alpha.kubernetes.io/metrics")) return;
  set_if_absent(doc, object_member(doc, autoscaler, "spec"), "targetCPUUtilizationPercentage", std::int64_t{80});
}

void network_policy_defaults(document& doc, node& policy) {
  node& spec = object_member(doc, policy, "spec");
  if (count(&spec, "policyTypes") > 0) return;
  node& types = doc.set(spec, "policyTypes");
  doc.make_array(types);
  doc.assign(doc.append(types), "Ingress");
  if (count(&spec, "egress") > 0) doc.assign(doc.append(types), "Egress");
}

void subject_defaults(document& doc, node& subject) {
  const auto kind = text(&subject, "kind");
  if (kind == "User" || kind == "Group") set_if_empty(doc, subject, "apiGroup", "rbac.authorization.k8s.io");
}

void csi_driver_defaults(document& doc, node& spec) {
  if (count(&spec, "volumeLifecycleModes") > 0) return;
  node& modes = doc.set(spec, "volumeLifecycleModes");
  doc.make_array(modes);
  doc.assign(doc.append(modes), "Persistent");
}

void device_request_defaults(document& doc, node& request) {
  set_if_empty(doc, request, "allocationMode", "ExactCount");
  if (text(&request, "allocationMode") == "ExactCount" && number(&request, "count") == 0) doc.set(request, "count", 1);
}

void custom_resource_defaults(document& doc, node& definition) {
  node& spec = object_member(doc, definition, "spec");
  node& names = object_member(doc, spec, "names");
  std::string kind(text(&names, "kind"));
  if (!kind.empty()) {
    set_if_empty(doc, names, "listKind", kind + "List");
    for (auto& c : kind)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    set_if_empty(doc, names, "singular", kind);
  }
  if (!has(&spec, "conversion")) doc.set(object_member(doc, spec, "conversion"), "strategy", "None");
  node& status = object_member(doc, definition, "status");
  if (count(&status, "storedVersions") > 0) return;
  each(get(&spec, "versions"), [&](const node& version, std::size_t) {
    if (!flag(&version, "storage")) return;
    node& stored = doc.set(status, "storedVersions");
    doc.make_array(stored);
    doc.assign(doc.append(stored), text(&version, "name"));
  });
}

}  // namespace

const named_rule other_rules[] = {
    {"autoscaling/v2.HorizontalPodAutoscaler", autoscaler_defaults},
    {"autoscaling/v1.HorizontalPodAutoscaler", autoscaler_v1_defaults},
    {"networking/v1.NetworkPolicy", network_policy_defaults},
    {"rbac/v1.Subject", subject_defaults},
    {"storage/v1.CSIDriverSpec", csi_driver_defaults},
    {"resource/v1.ExactDeviceRequest", device_request_defaults},
    {"resource/v1.DeviceSubRequest", device_request_defaults},
    {"apiextensions/v1.CustomResourceDefinition", custom_resource_defaults},
    {nullptr, nullptr},
};

}  // namespace troupe::api::rules
