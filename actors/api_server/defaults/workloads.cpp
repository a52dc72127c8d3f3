// Conditional defaults of the workload kinds.
#include "actors/api_server/defaults/defaults.hpp"
#include "actors/api_server/validation/access.hpp"

namespace troupe::api::rules {
namespace {

void deployment_defaults(document& doc, node& deployment) {
  node& strategy = object_member(doc, object_member(doc, deployment, "spec"), "strategy");
  set_if_empty(doc, strategy, "type", "RollingUpdate");
  if (text(&strategy, "type") != "RollingUpdate") return;
  node& rolling = object_member(doc, strategy, "rollingUpdate");
  set_if_absent(doc, rolling, "maxUnavailable", std::string_view("25%"));
  set_if_absent(doc, rolling, "maxSurge", std::string_view("25%"));
}

void daemon_set_defaults(document& doc, node& set) {
  node& strategy = object_member(doc, object_member(doc, set, "spec"), "updateStrategy");
  set_if_empty(doc, strategy, "type", "RollingUpdate");
  if (text(&strategy, "type") != "RollingUpdate") return;
  node& rolling = object_member(doc, strategy, "rollingUpdate");
  set_if_absent(doc, rolling, "maxUnavailable", std::int64_t{1});
  set_if_absent(doc, rolling, "maxSurge", std::int64_t{0});
}

void stateful_set_defaults(document& doc, node& set) {
  node& spec = object_member(doc, set, "spec");
  // Claim templates are whole objects and say so.
  if (node* claims = spec.find("volumeClaimTemplates"); claims && claims->is_array())
    for (std::size_t i = 0; i < claims->size(); ++i)
      if (claims->element(i).is_object()) {
        doc.set(claims->element(i), "kind", "PersistentVolumeClaim");
        doc.set(claims->element(i), "apiVersion", "v1");
      }
  node& strategy = object_member(doc, spec, "updateStrategy");
  if (text(&strategy, "type").empty()) {
    doc.set(strategy, "type", "RollingUpdate");
    object_member(doc, strategy, "rollingUpdate");
  }
  if (text(&strategy, "type") != "RollingUpdate" || !has(&strategy, "rollingUpdate")) return;
  node& rolling = object_member(doc, strategy, "rollingUpdate");
  set_if_absent(doc, rolling, "partition", std::int64_t{0});
}

void job_defaults(document& doc, node& job) {
  node& spec = object_member(doc, job, "spec");
  if (!has(&spec, "completions") && !has(&spec, "parallelism")) doc.set(spec, "completions", 1);
  set_if_absent(doc, spec, "parallelism", std::int64_t{1});
  set_if_absent(doc, spec, "backoffLimit", std::int64_t{has(&spec, "backoffLimitPerIndex") ? 2147483647 : 6});
  set_if_absent(doc, spec, "completionMode", std::string_view("NonIndexed"));
  set_if_absent(doc, spec, "suspend", false);
  set_if_absent(doc, spec, "podReplacementPolicy",
                std::string_view(has(&spec, "podFailurePolicy") ? "Failed" : "TerminatingOrFailed"));
  set_if_absent(doc, spec, "manualSelector", false);
  const node* labels = get(&spec, "template", "metadata", "labels");
  if (!labels || !labels->is_object()) return;
  node& metadata = object_member(doc, job, "metadata");
  if (count(&metadata, "labels") == 0) doc.set(metadata, "labels", doc.clone(*labels)).set_ordinal(0xffff);
}

}  // namespace

const named_rule workload_rules[] = {
    {"apps/v1.Deployment", deployment_defaults},
    {"apps/v1.DaemonSet", daemon_set_defaults},
    {"apps/v1.StatefulSet", stateful_set_defaults},
    {"batch/v1.Job", job_defaults},
    {nullptr, nullptr},
};

}  // namespace troupe::api::rules
