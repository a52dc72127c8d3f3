// Rows that are a line or two each, and which kind has which row.
#include <algorithm>
#include <iterator>

#include "actors/api_server/printers/rows.hpp"

namespace troupe::api {
inline namespace printing_detail {

namespace {

std::int64_t count_at(const node& o, std::string_view a) { return static_cast<std::int64_t>(size_at(o, a)); }
std::int64_t count_at(const node& o, std::string_view a, std::string_view b) {
  return static_cast<std::int64_t>(size_at(o, a, b));
}
bool flag_at(const node& o, std::string_view a, std::string_view b = {}) {
  const node* found = b.empty() ? o.find(a) : o.find(a, b);
  return found && found->boolean();
}
std::string ratio(std::int64_t a, std::int64_t b) { return std::to_string(a) + "/" + std::to_string(b); }
/// A bool pointer as the printers write it.
std::string_view flag_text(const node* flag) { return !is_set(flag) ? "<unset>" : flag->boolean() ? "True" : "False"; }

void workload_cells(table_row& out, const node& o, std::string_view empty = "<none>") {
  container_cells(out, o.find("spec", "template", "spec", "containers"));
  out.text(selector_text(o.find("spec", "selector"), empty));
}

void print_default(table_row& out, const node& o) { out.name_of(o).text(text_at(o, "metadata", "creationTimestamp")); }
void print_name_age(table_row& out, const node& o) { out.name_of(o).age_of(o); }
void print_namespace(table_row& out, const node& o) { out.name_of(o).text(text_at(o, "status", "phase")).age_of(o); }
void print_config_map(table_row& out, const node& o) {
  out.name_of(o).number(count_at(o, "data") + count_at(o, "binaryData")).age_of(o);
}
void print_secret(table_row& out, const node& o) {
  out.name_of(o).text(text_at(o, "type")).number(count_at(o, "data")).age_of(o);
}
void print_service_account(table_row& out, const node& o) { out.name_of(o).number(count_at(o, "secrets")).age_of(o); }
void print_lease(table_row& out, const node& o) { out.name_of(o).text(text_at(o, "spec", "holderIdentity")).age_of(o); }
void print_pod_template(table_row& out, const node& o) {
  out.name_of(o);
  container_cells(out, o.find("template", "spec", "containers"));
  out.text(labels_text(o.find("template", "metadata", "labels")));
}
void print_component_status(table_row& out, const node& o) {
  std::string_view status = "Unknown", message, error;
  for (const node& condition : elements_of(o.find("conditions"))) {
    if (text_at(condition, "type") != "Healthy") continue;
    status = text_at(condition, "status") == "True" ? "Healthy" : "Unhealthy";
    message = text_at(condition, "message");
    error = text_at(condition, "error");
    break;
  }
  out.name_of(o).text(status).text(message).text(error);
}

void print_deployment(table_row& out, const node& o) {
  out.name_of(o).text(ratio(number_at(o, "status", "readyReplicas"), number_at(o, "spec", "replicas")));
  out.number(number_at(o, "status", "updatedReplicas")).number(number_at(o, "status", "availableReplicas")).age_of(o);
  workload_cells(out, o, "");
}
void print_replica_set(table_row& out, const node& o) {
  out.name_of(o).number(number_at(o, "spec", "replicas")).number(number_at(o, "status", "replicas"));
  out.number(number_at(o, "status", "readyReplicas")).age_of(o);
  workload_cells(out, o);
}
void print_replication_controller(table_row& out, const node& o) {
  out.name_of(o).number(number_at(o, "spec", "replicas")).number(number_at(o, "status", "replicas"));
  out.number(number_at(o, "status", "readyReplicas")).age_of(o);
  container_cells(out, o.find("spec", "template", "spec", "containers"));
  out.text(labels_text(o.find("spec", "selector")));
}
void print_daemon_set(table_row& out, const node& o) {
  out.name_of(o);
  for (std::string_view field :
       {"desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled", "numberAvailable"})
    out.number(number_at(o, "status", field));
  out.text(labels_text(o.find("spec", "template", "spec", "nodeSelector"))).age_of(o);
  workload_cells(out, o);
}
void print_stateful_set(table_row& out, const node& o) {
  out.name_of(o).text(ratio(number_at(o, "status", "readyReplicas"), number_at(o, "spec", "replicas"))).age_of(o);
  container_cells(out, o.find("spec", "template", "spec", "containers"));
}
void print_cron_job(table_row& out, const node& o) {
  const node* last = o.find("status", "lastScheduleTime");
  out.name_of(o).text(text_at(o, "spec", "schedule")).text(or_else(text_at(o, "spec", "timeZone"), "<none>"));
  out.text(flag_text(o.find("spec", "suspend"))).number(count_at(o, "status", "active"));
  out.text(is_set(last) ? out.since(last) : "<none>").age_of(o);
  const node* job = o.find("spec", "jobTemplate", "spec");
  container_cells(out, job ? job->find("template", "spec", "containers") : nullptr);
  out.text(selector_text(job ? job->find("selector") : nullptr));
}
void print_revision(table_row& out, const node& o) {
  std::string owner = "<none>";
  for (const node& reference : elements_of(o.find("metadata", "ownerReferences"))) {
    if (!flag_at(reference, "controller")) continue;
    std::string_view version = text_at(reference, "apiVersion"), kind = text_at(reference, "kind");
    auto slash = version.find('/');
    std::string resource(kind);
    for (char& c : resource)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (slash != std::string_view::npos) resource += "." + std::string(version.substr(0, slash));
    owner = resource + "/" + std::string(text_at(reference, "name"));
  }
  out.name_of(o).text(owner).number(number_at(o, "revision")).age_of(o);
}
void print_scale(table_row& out, const node& o) {
  out.name_of(o).number(number_at(o, "spec", "replicas")).number(number_at(o, "status", "replicas")).age_of(o);
}
void print_budget(table_row& out, const node& o) {
  auto limit = [&](std::string_view field) {
    const node* found = o.find("spec", field);
    return is_set(found) ? scalar_text(found) : std::string("N/A");
  };
  out.name_of(o).text(limit("minAvailable")).text(limit("maxUnavailable"));
  out.number(number_at(o, "status", "disruptionsAllowed")).age_of(o);
}
void print_network_policy(table_row& out, const node& o) {
  out.name_of(o).text(selector_text(o.find("spec", "podSelector"))).age_of(o);
}
void print_ingress_class(table_row& out, const node& o) {
  std::string parameters = "<none>";
  if (const node* from = o.find("spec", "parameters"); is_set(from)) {
    parameters = text_at(*from, "kind");
    if (std::string_view group = text_at(*from, "apiGroup"); !group.empty()) parameters += "." + std::string(group);
    parameters += "/" + std::string(text_at(*from, "name"));
  }
  out.name_of(o).text(text_at(o, "spec", "controller")).text(parameters).age_of(o);
}
void print_service_cidr(table_row& out, const node& o) {
  std::vector<std::string> cidrs;
  for (const node& cidr : elements_of(o.find("spec", "cidrs"))) cidrs.emplace_back(cidr.string());
  out.name_of(o).text(join(cidrs, ",")).age_of(o);
}
void print_ip_address(table_row& out, const node& o) {
  std::string parent = "<none>";
  if (const node* from = o.find("spec", "parentRef"); is_set(from)) {
    std::vector<std::string> parts;
    for (std::string_view field : {"group", "resource", "namespace", "name"})
      if (std::string_view part = text_at(*from, field); !part.empty()) parts.emplace_back(part);
    parent = join(parts, "/");
  }
  out.name_of(o).text(parent);
}
void print_storage_class(table_row& out, const node& o) {
  std::string name(text_at(o, "metadata", "name"));
  for (std::string_view key :
       {"storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"})
    if (text_at(o, "metadata", "annotations", key) == "true") {
      name += " (default)";
      break;
    }
  out.text(name).text(text_at(o, "provisioner")).text(or_else(text_at(o, "reclaimPolicy"), "Delete"));
  out.text(or_else(text_at(o, "volumeBindingMode"), "Immediate")).flag(flag_at(o, "allowVolumeExpansion")).age_of(o);
}
void print_attributes_class(table_row& out, const node& o) {
  std::string name(text_at(o, "metadata", "name"));
  if (text_at(o, "metadata", "annotations", "volumeattributesclass.kubernetes.io/is-default-class") == "true")
    name += " (default)";
  out.text(name).text(text_at(o, "driverName")).age_of(o);
}
void print_attachment(table_row& out, const node& o) {
  out.name_of(o).text(text_at(o, "spec", "attacher")).text(text_at(o, "spec", "source", "persistentVolumeName"));
  out.text(text_at(o, "spec", "nodeName")).flag(flag_at(o, "status", "attached")).age_of(o);
}
void print_csi_node(table_row& out, const node& o) { out.name_of(o).number(count_at(o, "spec", "drivers")).age_of(o); }
void print_csi_driver(table_row& out, const node& o) {
  const node* attach = o.find("spec", "attachRequired");
  std::vector<std::string> modes, tokens;
  for (const node& mode : elements_of(o.find("spec", "volumeLifecycleModes"))) modes.emplace_back(mode.string());
  for (const node& token : elements_of(o.find("spec", "tokenRequests")))
    tokens.emplace_back(text_at(token, "audience"));
  out.name_of(o).flag(!is_set(attach) || attach->boolean()).flag(flag_at(o, "spec", "podInfoOnMount"));
  out.flag(flag_at(o, "spec", "storageCapacity")).text(tokens.empty() ? "<unset>" : join(tokens, ","));
  out.flag(flag_at(o, "spec", "requiresRepublish"));
  out.text(modes.empty() ? "<none>" : join(modes, ",")).age_of(o);
}
void print_storage_capacity(table_row& out, const node& o) {
  const node* capacity = o.find("capacity");
  out.name_of(o).text(text_at(o, "storageClassName")).text(is_set(capacity) ? scalar_text(capacity) : "<unset>");
}
void print_priority_class(table_row& out, const node& o) {
  out.name_of(o).number(number_at(o, "value")).flag(flag_at(o, "globalDefault")).age_of(o);
  out.text(text_at(o, "preemptionPolicy"));
}
void print_runtime_class(table_row& out, const node& o) { out.name_of(o).text(text_at(o, "handler")).age_of(o); }
void print_webhooks(table_row& out, const node& o) { out.name_of(o).number(count_at(o, "webhooks")).age_of(o); }
std::string param_kind(const node& o) {
  const node* kind = o.find("spec", "paramKind");
  if (!is_set(kind)) return "<unset>";
  return std::string(text_at(*kind, "apiVersion")) + "/" + std::string(text_at(*kind, "kind"));
}
void print_validating_policy(table_row& out, const node& o) {
  out.name_of(o).number(count_at(o, "spec", "validations")).text(param_kind(o)).age_of(o);
}
void print_mutating_policy(table_row& out, const node& o) {
  out.name_of(o).number(count_at(o, "spec", "mutations")).text(param_kind(o)).age_of(o);
}
void print_policy_binding(table_row& out, const node& o) {
  std::string reference = "<unset>";
  if (const node* from = o.find("spec", "paramRef"); is_set(from)) {
    std::string_view space = text_at(*from, "namespace");
    if (is_set(from->find("name")))
      reference = (space.empty() ? std::string("*") : std::string(space)) + "/" + std::string(text_at(*from, "name"));
    else if (is_set(from->find("selector")))
      reference = selector_text(from->find("selector"));
  }
  out.name_of(o).text(text_at(o, "spec", "policyName")).text(reference).age_of(o);
}
void print_flow_schema(table_row& out, const node& o) {
  std::string_view method = text_at(o, "spec", "distinguisherMethod", "type"), missing = "?";
  for (const node& condition : elements_of(o.find("status", "conditions")))
    if (text_at(condition, "type") == "Dangling") missing = text_at(condition, "status");
  out.name_of(o).text(or_else(text_at(o, "spec", "priorityLevelConfiguration", "name"), "<none>"));
  out.number(number_at(o, "spec", "matchingPrecedence")).text(or_else(method, "<none>")).age_of(o).text(missing);
}
void print_priority_level(table_row& out, const node& o) {
  const node* limited = o.find("spec", "limited");
  const node* queuing = limited ? limited->find("limitResponse", "queuing") : nullptr;
  const node* shares =
      limited ? limited->find("nominalConcurrencyShares") : o.find("spec", "exempt", "nominalConcurrencyShares");
  auto cell = [&](const node* from) { from ? out.number(from->integer()) : out.text("<none>"); };
  out.name_of(o).text(text_at(o, "spec", "type"));
  cell(shares);
  for (std::string_view field : {"queues", "handSize", "queueLengthLimit"})
    cell(queuing ? queuing->find(field) : nullptr);
  out.age_of(o);
}
void print_resource_slice(table_row& out, const node& o) {
  std::string_view node_name = text_at(o, "spec", "nodeName");
  if (node_name.empty() && flag_at(o, "spec", "allNodes")) node_name = "<all>";
  out.name_of(o).text(or_else(node_name, "<unset>")).text(text_at(o, "spec", "driver"));
  out.text(text_at(o, "spec", "pool", "name")).age_of(o);
}
void print_api_service(table_row& out, const node& o) {
  const node* service = o.find("spec", "service");
  std::string available = "Unknown";
  for (const node& condition : elements_of(o.find("status", "conditions"))) {
    if (text_at(condition, "type") != "Available") continue;
    available = text_at(condition, "status");
    if (available != "True") available += " (" + std::string(text_at(condition, "reason")) + ")";
  }
  out.name_of(o);
  out.text(is_set(service) ? std::string(text_at(*service, "namespace")) + "/" + std::string(text_at(*service, "name"))
                           : std::string("Local"));
  out.text(available).age_of(o);
}

struct row_entry {
  std::string_view group, kind;
  row_function print;
};

constexpr row_entry row_table[] = {
    {"", "Pod", print_pod},
    {"", "Node", print_node},
    {"", "Namespace", print_namespace},
    {"", "ConfigMap", print_config_map},
    {"", "Secret", print_secret},
    {"", "Event", print_event},
    {"events.k8s.io", "Event", print_event},
    {"", "Service", print_service},
    {"", "Endpoints", print_endpoints},
    {"", "ServiceAccount", print_service_account},
    {"", "PodTemplate", print_pod_template},
    {"", "ReplicationController", print_replication_controller},
    {"", "ResourceQuota", print_quota},
    {"", "PersistentVolume", print_persistent_volume},
    {"", "PersistentVolumeClaim", print_persistent_volume_claim},
    {"", "ComponentStatus", print_component_status},
    {"apps", "Deployment", print_deployment},
    {"apps", "ReplicaSet", print_replica_set},
    {"apps", "DaemonSet", print_daemon_set},
    {"apps", "StatefulSet", print_stateful_set},
    {"apps", "ControllerRevision", print_revision},
    {"batch", "Job", print_job},
    {"batch", "CronJob", print_cron_job},
    {"autoscaling", "HorizontalPodAutoscaler", print_autoscaler},
    {"autoscaling", "Scale", print_scale},
    {"policy", "PodDisruptionBudget", print_budget},
    {"discovery.k8s.io", "EndpointSlice", print_endpoint_slice},
    {"coordination.k8s.io", "Lease", print_lease},
    {"networking.k8s.io", "Ingress", print_ingress},
    {"networking.k8s.io", "IngressClass", print_ingress_class},
    {"networking.k8s.io", "NetworkPolicy", print_network_policy},
    {"networking.k8s.io", "ServiceCIDR", print_service_cidr},
    {"networking.k8s.io", "IPAddress", print_ip_address},
    {"rbac.authorization.k8s.io", "RoleBinding", print_binding},
    {"rbac.authorization.k8s.io", "ClusterRoleBinding", print_binding},
    {"certificates.k8s.io", "CertificateSigningRequest", print_signing_request},
    {"storage.k8s.io", "StorageClass", print_storage_class},
    {"storage.k8s.io", "VolumeAttributesClass", print_attributes_class},
    {"storage.k8s.io", "VolumeAttachment", print_attachment},
    {"storage.k8s.io", "CSINode", print_csi_node},
    {"storage.k8s.io", "CSIDriver", print_csi_driver},
    {"storage.k8s.io", "CSIStorageCapacity", print_storage_capacity},
    {"scheduling.k8s.io", "PriorityClass", print_priority_class},
    {"node.k8s.io", "RuntimeClass", print_runtime_class},
    {"admissionregistration.k8s.io", "MutatingWebhookConfiguration", print_webhooks},
    {"admissionregistration.k8s.io", "ValidatingWebhookConfiguration", print_webhooks},
    {"admissionregistration.k8s.io", "ValidatingAdmissionPolicy", print_validating_policy},
    {"admissionregistration.k8s.io", "MutatingAdmissionPolicy", print_mutating_policy},
    {"admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding", print_policy_binding},
    {"admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding", print_policy_binding},
    {"flowcontrol.apiserver.k8s.io", "FlowSchema", print_flow_schema},
    {"flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", print_priority_level},
    {"resource.k8s.io", "DeviceClass", print_name_age},
    {"resource.k8s.io", "ResourceClaim", print_resource_claim},
    {"resource.k8s.io", "ResourceClaimTemplate", print_name_age},
    {"resource.k8s.io", "ResourceSlice", print_resource_slice},
    {"apiregistration.k8s.io", "APIService", print_api_service},
};

}  // namespace

row_function row_function_of(std::string_view group, std::string_view kind) {
  auto found = std::find_if(std::begin(row_table), std::end(row_table),
                            [&](const row_entry& entry) { return entry.group == group && entry.kind == kind; });
  return found != std::end(row_table) ? found->print : print_default;
}

std::string_view row_conditions(std::string_view group, std::string_view kind, const node& object) {
  if (kind != "Pod" || !group.empty()) return {};
  std::string_view phase = text_at(object, "status", "phase");
  if (phase == "Succeeded")
    return R"([{"type":"Completed","status":"True","reason":"Succeeded",)"
           R"("message":"The pod has completed successfully."}])";
  if (phase == "Failed")
    return R"([{"type":"Completed","status":"True","reason":"Failed","message":"The pod failed."}])";
  return {};
}

}  // namespace printing_detail
}  // namespace troupe::api
