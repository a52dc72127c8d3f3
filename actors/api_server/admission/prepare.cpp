// Strategies by kind.
#include "actors/api_server/admission/prepare.hpp"

#include <array>
#include <string>
#include <vector>

#include "actors/api_server/defaults/defaults.hpp"
#include "actors/api_server/validation/access.hpp"
#include "actors/api_server/validation/quantities.hpp"
#include "messages/number.hpp"
#include "messages/schema/scalars.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::api::rules {
namespace {

void reset_status(document& doc) { doc.remove(doc.root(), "status"); }

/// Fields of features that are off in 1.36: container stop signals, pod groups, and two projections.
void drop_disabled(document& doc, node* spec) {
  if (!spec || !spec->is_object()) return;
  doc.remove(*spec, "schedulingGroup");
  for (std::string_view list : {"containers", "initContainers"}) {
    node* containers = spec->find(list);
    if (!containers || !containers->is_array()) continue;
    for (std::size_t i = 0; i < containers->size(); ++i) {
      node* lifecycle = containers->element(i).find("lifecycle");
      if (!lifecycle || !lifecycle->is_object() || !doc.remove(*lifecycle, "stopSignal")) continue;
      if (lifecycle->empty()) doc.remove(containers->element(i), "lifecycle");
    }
  }
  node* volumes = spec->find("volumes");
  if (!volumes || !volumes->is_array()) return;
  for (std::size_t i = 0; i < volumes->size(); ++i) {
    node* sources = volumes->element(i).find("projected", "sources");
    if (!sources || !sources->is_array()) continue;
    for (std::size_t k = 0; k < sources->size(); ++k) {
      if (!sources->element(k).is_object()) continue;
      doc.remove(sources->element(k), "clusterTrustBundle");
      doc.remove(sources->element(k), "podCertificate");
    }
  }
}

/// The pod spec inside an object of any kind, or null.
node* pod_spec_in(node& object) {
  if (node* spec = object.find("spec", "template", "spec")) return spec;
  if (node* spec = object.find("spec", "jobTemplate", "spec", "template", "spec")) return spec;
  if (node* spec = object.find("template", "spec")) return spec;
  node* spec = object.find("spec");
  return spec && spec->find("containers") ? spec : nullptr;
}

void new_pod(document& doc) {
  reset_status(doc);
  node& status = object_member(doc, doc.root(), "status");
  doc.set(status, "phase", "Pending");
  const node& spec = object_member(doc, doc.root(), "spec");
  doc.set(status, "qosClass", pod_qos(spec));
  if (count(&spec, "schedulingGates") == 0) return;
  node& conditions = doc.set(status, "conditions");
  doc.make_array(conditions);
  node& gated = doc.append(conditions);
  doc.make_object(gated);
  doc.set(gated, "type", "PodScheduled");
  doc.set(gated, "status", "False");
  doc.set(gated, "reason", "SchedulingGated");
  doc.set(gated, "message", "Scheduling is blocked due to non-empty scheduling gates");
}

void new_namespace(document& doc) {
  reset_status(doc);
  doc.set(object_member(doc, doc.root(), "status"), "phase", "Active");
  node& finalizers = doc.set(object_member(doc, doc.root(), "spec"), "finalizers");
  if (!finalizers.is_array()) doc.make_array(finalizers);
  if (!holds(&finalizers, "kubernetes")) doc.assign(doc.append(finalizers), "kubernetes");
}

void new_volume(document& doc) {
  reset_status(doc);
  doc.set(object_member(doc, doc.root(), "status"), "phase", "Pending");
}

void new_claim(document& doc) {
  reset_status(doc);
  // The phase is a default of the stored form.
  doc.set(object_member(doc, doc.root(), "status"), "phase", "Pending");
}

/// Leader election by candidates is off in 1.36.
void new_lease(document& doc) {
  node& spec = object_member(doc, doc.root(), "spec");
  doc.remove(spec, "strategy");
  doc.remove(spec, "preferredHolder");
}

void new_daemon_set(document& doc) {
  reset_status(doc);
  node& annotations = object_member(doc, object_member(doc, doc.root(), "metadata"), "annotations");
  doc.set(annotations, "deprecated.daemonset.template.generation", "1");
}

/// A job without manualSelector selects its pods by its uid; pods get the uid and the name as labels.
void new_job(document& doc) {
  reset_status(doc);
  node& spec = object_member(doc, doc.root(), "spec");
  if (flag(&spec, "manualSelector")) return;
  const std::string uid(text(get(&doc.root(), "metadata"), "uid")), name(text(get(&doc.root(), "metadata"), "name"));
  node& metadata = object_member(doc, object_member(doc, spec, "template"), "metadata");
  node& labels = object_member(doc, metadata, "labels");
  for (std::string_view key : {"job-name", "batch.kubernetes.io/job-name"})
    if (!get(&labels, key)) doc.set(labels, key, std::string_view(name));
  for (std::string_view key : {"controller-uid", "batch.kubernetes.io/controller-uid"})
    if (!get(&labels, key)) doc.set(labels, key, std::string_view(uid));
  node& match = object_member(doc, object_member(doc, spec, "selector"), "matchLabels");
  if (!get(&match, "batch.kubernetes.io/controller-uid"))
    doc.set(match, "batch.kubernetes.io/controller-uid", std::string_view(uid));
}

void keep(document& doc, std::string_view outer, std::string_view field, const node& previous) {
  node& parent = object_member(doc, doc.root(), outer);
  const node* old = get(get(&previous, outer), field);
  if (old)
    doc.set(parent, field, doc.clone(*old));
  else
    doc.remove(parent, field);
}

void changed_namespace(std::string_view subresource, const node& previous, document& doc) {
  if (subresource.empty()) keep(doc, "spec", "finalizers", previous);
}

void changed_daemon_set(std::string_view subresource, const node& previous, document& doc) {
  if (!subresource.empty()) return;
  constexpr std::string_view key = "deprecated.daemonset.template.generation";
  const node* old = get(get(&previous, "metadata", "annotations"), key);
  std::int64_t generation = old ? number_in<std::int64_t>(old->string()).value_or(0) : 1;
  if (!same(get(&doc.root(), "spec", "template"), get(&previous, "spec", "template"))) ++generation;
  node& annotations = object_member(doc, object_member(doc, doc.root(), "metadata"), "annotations");
  doc.set(annotations, key, std::string_view(std::to_string(generation)));
}

/// stringData is for writing only: its values become data, over those that are there (core/v1 Secret conversion).
void new_secret(document& doc) {
  if (!doc.root().find("stringData")) return;
  node& data = object_member(doc, doc.root(), "data");
  const node* plain = doc.root().find("stringData");  // the root may have grown
  for (auto* one = plain->begin_members(); one != plain->end_members(); ++one)
    doc.set(data, one->key, std::string_view(schema::to_base64(one->value.string())));
  doc.remove(doc.root(), "stringData");
}

void changed_secret(std::string_view, const node&, document& doc) { new_secret(doc); }

void changed_deployment(std::string_view subresource, const node& previous, document& doc) {
  if (subresource == "status") keep(doc, "metadata", "labels", previous);
}

/// A pod's QoS class and start time are not a client's to forget.
void changed_pod(std::string_view subresource, const node& previous, document& doc) {
  if (subresource != "status") return;
  node& status = object_member(doc, doc.root(), "status");
  const node* before = get(&previous, "status");
  if (!has(&status, "qosClass") && has(before, "qosClass")) doc.set(status, "qosClass", text(before, "qosClass"));
  // Deletion and owners are changed by other means than status.
  keep(doc, "metadata", "ownerReferences", previous);
}

void changed_service(std::string_view subresource, const node& previous, document& doc) {
  if (subresource.empty()) prepare_service_update(previous, doc);
}

void changed_lease(std::string_view, const node&, document& doc) { new_lease(doc); }

void keeps_status(document&) {}

struct strategy_row {
  const char* type;
  void (*create)(document&);
  void (*update)(std::string_view, const node&, document&);
};

constexpr strategy_row rows[] = {
    {"core/v1.Pod", new_pod, changed_pod},
    {"core/v1.Node", keeps_status, nullptr},
    {"core/v1.Namespace", new_namespace, changed_namespace},
    {"core/v1.Secret", new_secret, changed_secret},
    {"core/v1.Service", prepare_service_create, changed_service},
    {"core/v1.PersistentVolume", new_volume, nullptr},
    {"core/v1.PersistentVolumeClaim", new_claim, nullptr},
    {"coordination/v1.Lease", new_lease, changed_lease},
    {"apps/v1.Deployment", reset_status, changed_deployment},
    {"apps/v1.DaemonSet", new_daemon_set, changed_daemon_set},
    {"batch/v1.Job", new_job, nullptr},
    {"certificates/v1.CertificateSigningRequest", reset_status, nullptr},
    {"apiextensions/v1.CustomResourceDefinition", keeps_status, nullptr},
};

constexpr const char* with_generation[] = {"core/v1.Pod",
                                           "core/v1.ReplicationController",
                                           "apps/v1.Deployment",
                                           "apps/v1.ReplicaSet",
                                           "apps/v1.DaemonSet",
                                           "apps/v1.StatefulSet",
                                           "batch/v1.Job",
                                           "batch/v1.CronJob",
                                           "networking/v1.Ingress",
                                           "networking/v1.NetworkPolicy",
                                           "networking/v1.IngressClass",
                                           "core/v1.PodTemplate",
                                           "policy/v1.PodDisruptionBudget",
                                           "discovery/v1.EndpointSlice",
                                           "flowcontrol/v1.FlowSchema",
                                           "flowcontrol/v1.PriorityLevelConfiguration",
                                           "scheduling/v1.PriorityClass",
                                           "apiextensions/v1.CustomResourceDefinition",
                                           "admissionregistration/v1.ValidatingWebhookConfiguration",
                                           "admissionregistration/v1.MutatingWebhookConfiguration",
                                           "admissionregistration/v1.ValidatingAdmissionPolicy",
                                           "admissionregistration/v1.ValidatingAdmissionPolicyBinding",
                                           "admissionregistration/v1.MutatingAdmissionPolicy",
                                           "admissionregistration/v1.MutatingAdmissionPolicyBinding",
                                           "resource/v1.ResourceSlice",
                                           "resource/v1.DeviceClass"};

/// What the table says of each type, by type index.
struct facts {
  std::vector<const strategy_row*> strategies;
  std::vector<bool> generation;
  std::vector<bool> status;  // the kind has a status subresource

  facts() {
    const auto count = schema::types().size();
    strategies.resize(count);
    generation.resize(count);
    status.resize(count);
    for (const auto& row : rows)
      if (const auto type = schema::find_type(row.type); type != schema::no_index) strategies[type] = &row;
    for (const char* id : with_generation)
      if (const auto type = schema::find_type(id); type != schema::no_index) generation[type] = true;
    for (const auto& resource : schema::resources())
      if (resource.type < count && resource.find_subresource("status")) status[resource.type] = true;
  }
};

const facts& kind_facts() {
  static const facts made;
  return made;
}

}  // namespace

void prepare_new(std::uint16_t type, document& object, std::string_view now) {
  static const auto volume = schema::find_type("core/v1.PersistentVolume");
  const strategy_row* row = kind_facts().strategies[type];
  drop_disabled(object, pod_spec_in(object.root()));
  if (row)
    row->create(object);
  else if (kind_facts().status[type])
    reset_status(object);
  if (type == volume && !now.empty())
    object.set(object_member(object, object.root(), "status"), "lastPhaseTransitionTime", now);
}

void prepare_changed(std::uint16_t type, std::string_view subresource, const node& previous, document& object) {
  const strategy_row* row = kind_facts().strategies[type];
  drop_disabled(object, pod_spec_in(object.root()));
  if (row && row->update) row->update(subresource, previous, object);
}

std::string rfc3339(std::int64_t ms) {
  std::int64_t seconds = ms / 1000;
  if (seconds <= 0) return {};
  const std::int64_t days = seconds / 86400;
  seconds %= 86400;
  // Days since 1970 to a civil date (proleptic Gregorian, eras of 400 years).
  const std::int64_t z = days + 719468, era = z / 146097, doe = z - era * 146097;
  const std::int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const std::int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
  const std::int64_t day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
  const std::int64_t year = yoe + era * 400 + (month <= 2 ? 1 : 0);
  const auto two = [](std::int64_t v) { return (v < 10 ? "0" : "") + std::to_string(v); };
  return std::to_string(year) + "-" + two(month) + "-" + two(day) + "T" + two(seconds / 3600) + ":" +
         two(seconds / 60 % 60) + ":" + two(seconds % 60) + "Z";
}

bool counts_generation(std::uint16_t type) {
  return type < kind_facts().generation.size() && kind_facts().generation[type];
}

bool spec_changed(std::uint16_t type, const node& previous, const node& object) {
  static const auto deployment = schema::find_type("apps/v1.Deployment");
  if (type == deployment && !same(get(&object, "metadata", "annotations"), get(&previous, "metadata", "annotations")))
    return true;
  if (get(&object, "spec") || get(&previous, "spec")) return !same(get(&object, "spec"), get(&previous, "spec"));
  bool changed = false;
  const auto compare = [&](std::string_view key, const node&) {
    if (key != "metadata" && key != "status") changed = changed || !same(get(&object, key), get(&previous, key));
  };
  each_member(&object, compare);
  each_member(&previous, compare);
  return changed;
}

}  // namespace troupe::api::rules
