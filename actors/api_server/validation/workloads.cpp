// Deployment, ReplicaSet, ReplicationController, DaemonSet, StatefulSet, ControllerRevision.
#include <charconv>
#include <string>

#include "actors/api_server/validation/kinds.hpp"
#include "actors/api_server/validation/metadata.hpp"
#include "actors/api_server/validation/pod_rules.hpp"

namespace troupe::api::rules {
namespace {

/// False where the selector has an operator or a value that no selector can be made of.
bool usable_selector(const node* selector) {
  error_list found;
  check_label_selector(found, path(""), selector);
  return found.empty();
}

std::int64_t int_or_percent(const node* value) {
  if (!value) return 0;
  if (value->is_integer()) return value->integer();
  std::int64_t out = 0;
  const auto digits = value->string();
  std::from_chars(digits.data(), digits.data() + digits.size(), out);
  return out;
}

void check_at_most_all(error_list& errors, const path& at, const node* value) {
  if (value && value->is_string() && percent(value->string()).empty() && int_or_percent(value) > 100)
    errors.invalid(at, value, "must not be greater than 100%");
}

/// The counts of a status may not exceed its replicas.
void check_status_counts(error_list& errors, const node& object, std::initializer_list<std::string_view> bounded,
                         const char* ready_words) {
  const path at("status");
  const node* status = get(&object, "status");
  const auto replicas = number(status, "replicas");
  for (auto field : bounded)
    if (number(status, field) > replicas)
      errors.invalid(at.child(field), number(status, field), "cannot be greater than status.replicas");
  if (number(status, "availableReplicas") > number(status, "readyReplicas"))
    errors.invalid(at.child("availableReplicas"), number(status, "availableReplicas"), ready_words);
}

void check_collisions(error_list& errors, const node& object, const node& previous) {
  const node* old = get(&previous, "status", "collisionCount");
  const node* now = get(&object, "status", "collisionCount");
  if (old && (!now || now->integer() < old->integer()))
    errors.invalid(path("status.collisionCount"), now ? now->integer() : 0, "cannot be decremented");
}

void check_selector_unchanged(error_list& errors, const node& object, const node& previous) {
  check_immutable(errors, path("spec.selector"), get(&object, "spec", "selector"), get(&previous, "spec", "selector"));
}

// Deployment

void check_rolling_update(error_list& errors, const path& at, const node* rolling) {
  const node *unavailable = get(rolling, "maxUnavailable"), *surge = get(rolling, "maxSurge");
  check_int_or_percent(errors, at.child("maxUnavailable"), unavailable);
  check_int_or_percent(errors, at.child("maxSurge"), surge);
  if (int_or_percent(unavailable) == 0 && int_or_percent(surge) == 0)
    errors.invalid(at.child("maxUnavailable"), unavailable, "may not be 0 when `maxSurge` is 0");
  check_at_most_all(errors, at.child("maxUnavailable"), unavailable);
}

/// The strategy as Go's internal type prints in JSON.
std::string internal_strategy(const node* strategy) {
  const node* rolling = get(strategy, "rollingUpdate");
  std::string out = "{\"Type\":";
  append_json_string(out, text(strategy, "type"));
  return out.append(",\"RollingUpdate\":").append(rolling ? to_json(*rolling) : "null").append("}");
}

void check_strategy(error_list& errors, const path& at, const node* strategy) {
  const auto type = text(strategy, "type");
  const node* rolling = get(strategy, "rollingUpdate");
  if (type == "Recreate") {
    if (rolling) errors.forbidden(at.child("rollingUpdate"), "may not be specified when strategy `type` is 'Recreate'");
  } else if (type == "RollingUpdate") {
    if (!rolling)
      errors.required(at.child("rollingUpdate"), "this should be defaulted and never be nil");
    else
      check_rolling_update(errors, at.child("rollingUpdate"), rolling);
  } else {
    errors.not_supported_json(at, internal_strategy(strategy), {"Recreate", "RollingUpdate"});
  }
}

void spec_deployment(error_list& errors, const node& object) {
  const path at("spec");
  const node* spec = get(&object, "spec");
  check_non_negative(errors, at.child("replicas"), number(spec, "replicas"));
  check_selector_and_template(errors, at, spec, {"deployment", "activeDeadlineSeconds in ReplicaSet is not Supported"});
  check_strategy(errors, at.child("strategy"), get(spec, "strategy"));
  check_counts(errors, at, spec, {"minReadySeconds", "revisionHistoryLimit"});
  const node* deadline = get(spec, "progressDeadlineSeconds");
  if (!deadline) return;
  check_non_negative(errors, at.child("progressDeadlineSeconds"), deadline->integer());
  if (deadline->integer() <= number(spec, "minReadySeconds"))
    errors.invalid(at.child("progressDeadlineSeconds"), deadline, "must be greater than minReadySeconds");
}

void status_deployment(error_list& errors, const node& object, const node& previous) {
  check_counts(errors, path("status"), get(&object, "status"),
               {"observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas",
                "unavailableReplicas", "terminatingReplicas", "collisionCount"});
  check_status_counts(errors, object, {"updatedReplicas", "readyReplicas", "availableReplicas"},
                      "cannot be greater than readyReplicas");
  check_collisions(errors, object, previous);
}

// ReplicaSet

void spec_replica_set(error_list& errors, const node& object) {
  const path at("spec");
  const node* spec = get(&object, "spec");
  check_non_negative(errors, at.child("replicas"), number(spec, "replicas"));
  check_non_negative(errors, at.child("minReadySeconds"), number(spec, "minReadySeconds"));
  check_selector_and_template(errors, at, spec, {"deployment", "activeDeadlineSeconds in ReplicaSet is not Supported"});
}

void status_replica_set(error_list& errors, const node& object, const node&) {
  check_counts(errors, path("status"), get(&object, "status"),
               {"replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration",
                "terminatingReplicas"});
  check_status_counts(errors, object, {"fullyLabeledReplicas", "readyReplicas", "availableReplicas"},
                      "cannot be greater than readyReplicas");
}

// ReplicationController

bool map_matches(const node* selector, const node* labels) {
  bool matches = true;
  each_member(selector, [&](std::string_view key, const node& value) {
    const node* found = get(labels, key);
    matches = matches && found && found->string() == value.string();
  });
  return matches;
}

void check_controller_template(error_list& errors, const path& at, const node* spec_template) {
  check_pod_template_spec(errors, at, spec_template);
  const node* pod_spec = get(spec_template, "spec");
  const auto policy = text(pod_spec, "restartPolicy");
  if (policy != "Always") errors.not_supported(at.child("spec.restartPolicy"), policy, {"Always"});
}

void spec_replication_controller(error_list& errors, const node& object) {
  const path at("spec");
  const node* spec = get(&object, "spec");
  check_non_negative(errors, at.child("minReadySeconds"), number(spec, "minReadySeconds"));
  const node* selector = get(spec, "selector");
  if (count(selector) == 0) errors.required(at.child("selector"));
  if (!has(spec, "replicas"))
    errors.required(at.child("replicas"));
  else
    check_non_negative(errors, at.child("replicas"), number(spec, "replicas"));
  const path place = at.child("template");
  const node* spec_template = get(spec, "template");
  if (!spec_template) return errors.required(place);
  const node* labels = get(spec_template, "metadata", "labels");
  if (count(selector) > 0 && !map_matches(selector, labels))
    errors.invalid(place.child("metadata.labels"), labels, "`selector` does not match template `labels`");
  check_controller_template(errors, place, spec_template);
  if (has(get(spec_template, "spec"), "activeDeadlineSeconds"))
    errors.forbidden(place.child("spec.activeDeadlineSeconds"),
                     "activeDeadlineSeconds in ReplicationController is not Supported");
}

// DaemonSet

void check_daemon_strategy(error_list& errors, const path& at, const node* strategy) {
  const auto type = text(strategy, "type");
  if (type == "OnDelete") return;
  if (type != "RollingUpdate")
    return errors.not_supported_json(at, internal_strategy(strategy), {"RollingUpdate", "OnDelete"});
  const node* rolling = get(strategy, "rollingUpdate");
  const path here = at.child("rollingUpdate");
  if (!rolling) return errors.required(here);
  const node *unavailable = get(rolling, "maxUnavailable"), *surge = get(rolling, "maxSurge");
  check_int_or_percent(errors, here.child("maxUnavailable"), unavailable);
  check_at_most_all(errors, here.child("maxUnavailable"), unavailable);
  check_int_or_percent(errors, here.child("maxSurge"), surge);
  check_at_most_all(errors, here.child("maxSurge"), surge);
  const bool has_unavailable = int_or_percent(unavailable) != 0, has_surge = int_or_percent(surge) != 0;
  if (has_unavailable && has_surge)
    errors.invalid(here.child("maxSurge"), surge, "may not be set when maxUnavailable is non-zero");
  if (!has_unavailable && !has_surge) errors.required(here.child("maxUnavailable"), "cannot be 0 when maxSurge is 0");
}

void spec_daemon_set(error_list& errors, const node& object) {
  const path at("spec");
  const node* spec = get(&object, "spec");
  const node* selector = get(spec, "selector");
  check_label_selector(errors, at.child("selector"), selector);
  const path place = at.child("template");
  const node* labels = get(spec, "template", "metadata", "labels");
  if (!selector || (usable_selector(selector) && !selector_matches(selector, labels)))
    errors.invalid(place.child("metadata.labels"), labels, "`selector` does not match template `labels`");
  if (selector && selector_empty(selector))
    errors.invalid(at.child("selector"), selector, "empty selector is invalid for daemonset");
  check_controller_template(errors, place, get(spec, "template"));
  if (has(get(spec, "template", "spec"), "activeDeadlineSeconds"))
    errors.forbidden(place.child("spec.activeDeadlineSeconds"), "activeDeadlineSeconds in DaemonSet is not Supported");
  check_non_negative(errors, at.child("minReadySeconds"), number(spec, "minReadySeconds"));
  check_daemon_strategy(errors, at.child("updateStrategy"), get(spec, "updateStrategy"));
  check_counts(errors, at, spec, {"revisionHistoryLimit"});
}

// StatefulSet

void check_stateful_strategy(error_list& errors, const path& at, const node* strategy) {
  const auto type = text(strategy, "type");
  const node* rolling = get(strategy, "rollingUpdate");
  if (type.empty()) return errors.required(at);
  if (type == "OnDelete") {
    if (!rolling) return;
    const node* unavailable = get(rolling, "maxUnavailable");
    errors.invalid_json(at.child("rollingUpdate"),
                        "{\"Partition\":" + std::to_string(number(rolling, "partition")) +
                            ",\"MaxUnavailable\":" + (unavailable ? to_json(*unavailable) : "null") + "}",
                        "only allowed for updateStrategy 'RollingUpdate'");
    return;
  }
  if (type != "RollingUpdate") return errors.invalid(at, strategy, "must be 'RollingUpdate' or 'OnDelete'");
  if (rolling) check_non_negative(errors, at.child("rollingUpdate.partition"), number(rolling, "partition"));
}

void check_claim_retention(error_list& errors, const path& at, const node* policy) {
  if (!policy) return;
  for (std::string_view field : {"whenDeleted", "whenScaled"}) {
    const auto value = text(policy, field);
    if (value != "Retain" && value != "Delete") errors.not_supported(at.child(field), value, {"Retain", "Delete"});
  }
}

/// The template as pods will see it: claim templates are volumes, host name and subdomain are the controller's.
void check_stateful_template(error_list& errors, const path& at, const node* spec) {
  const node* given = get(spec, "template");
  document copy;
  if (given) copy.root() = copy.clone(*given);
  if (!copy.root().is_object()) copy.make_object(copy.root());
  node& pod_spec = copy.set(copy.root(), "spec");
  if (!pod_spec.is_object()) copy.make_object(pod_spec);
  copy.remove(pod_spec, "subdomain");
  copy.remove(pod_spec, "hostname");
  const node* templates = get(spec, "volumeClaimTemplates");
  if (count(templates) > 0) {
    const node old = copy.set(pod_spec, "volumes");
    node& volumes = copy.set(pod_spec, "volumes");
    copy.clear(volumes);
    copy.make_array(volumes);
    each(templates, [&](const node& claim, std::size_t) {
      const auto name = text(get(&claim, "metadata"), "name");
      node& volume = copy.append(volumes);
      copy.make_object(volume);
      copy.set(volume, "name", name);
      node& source = copy.set(volume, "persistentVolumeClaim");
      copy.make_object(source);
      copy.set(source, "claimName", name);
    });
    each(&old, [&](const node& volume, std::size_t) {
      bool replaced = false;
      each(templates, [&](const node& claim, std::size_t) {
        replaced = replaced || text(get(&claim, "metadata"), "name") == text(&volume, "name");
      });
      if (!replaced) copy.append(volumes, volume);
    });
  }
  check_pod_template_spec(errors, at, &copy.root());
}

void check_stateful_set(error_list& errors, const node& object, bool created) {
  const path at("spec");
  const node* spec = get(&object, "spec");
  const auto management = text(spec, "podManagementPolicy");
  if (management.empty())
    errors.required(at.child("podManagementPolicy"));
  else if (management != "OrderedReady" && management != "Parallel")
    errors.invalid(at.child("podManagementPolicy"), management, "must be 'OrderedReady' or 'Parallel'");
  check_stateful_strategy(errors, at.child("updateStrategy"), get(spec, "updateStrategy"));
  check_claim_retention(errors, at.child("persistentVolumeClaimRetentionPolicy"),
                        get(spec, "persistentVolumeClaimRetentionPolicy"));
  check_counts(errors, at, spec, {"replicas", "minReadySeconds"});
  if (const node* ordinals = get(spec, "ordinals"))
    check_non_negative(errors, at.child("ordinals.start"), number(ordinals, "start"));
  const auto service = text(spec, "serviceName");
  if (created && !service.empty()) errors.invalid(at.child("serviceName"), service, dns1123_label(service));
  const node* selector = get(spec, "selector");
  const node* labels = get(spec, "template", "metadata", "labels");
  if (!selector) {
    errors.required(at.child("selector"));
  } else {
    check_label_selector(errors, at.child("selector"), selector);
    if (selector_empty(selector))
      errors.invalid(at.child("selector"), selector, "empty selector is invalid for statefulset");
  }
  const path place = at.child("template");
  if (!usable_selector(selector)) {
    errors.invalid(at.child("selector"), selector, "");
  } else {
    if (!selector || (!selector_empty(selector) && !selector_matches(selector, labels)))
      errors.invalid(place.child("metadata.labels"), labels, "`selector` does not match template `labels`");
    check_stateful_template(errors, place, spec);
  }
  const node* pod_spec = get(spec, "template", "spec");
  if (text(pod_spec, "restartPolicy") != "Always")
    errors.not_supported(place.child("spec.restartPolicy"), text(pod_spec, "restartPolicy"), {"Always"});
  if (has(pod_spec, "activeDeadlineSeconds"))
    errors.forbidden(place.child("spec.activeDeadlineSeconds"),
                     "activeDeadlineSeconds in StatefulSet is not Supported");
}

void spec_stateful_set(error_list& errors, const node& object) { check_stateful_set(errors, object, true); }

void update_stateful_set(error_list& errors, const node& object, const node& previous) {
  check_stateful_set(errors, object, false);
  const node *spec = get(&object, "spec"), *before = get(&previous, "spec");
  bool frozen_changed = false;
  for (std::string_view field : {"serviceName", "podManagementPolicy", "selector", "volumeClaimTemplates"})
    frozen_changed = frozen_changed || !same(get(spec, field), get(before, field));
  if (frozen_changed)
    errors.forbidden(path("spec"),
                     "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
                     "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
                     "'minReadySeconds' are forbidden");
}

void status_stateful_set(error_list& errors, const node& object, const node& previous) {
  check_counts(errors, path("status"), get(&object, "status"),
               {"replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas",
                "observedGeneration", "collisionCount"});
  check_status_counts(errors, object, {"readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"},
                      "cannot be greater than status.readyReplicas");
  check_collisions(errors, object, previous);
}

void spec_revision(error_list& errors, const node& object) {
  check_non_negative(errors, path("revision"), number(&object, "revision"));
  if (!has(&object, "data")) errors.required(path("data"), "data is mandatory");
}

void update_revision(error_list& errors, const node& object, const node& previous) {
  check_immutable(errors, path("data"), get(&object, "data"), get(&previous, "data"));
}

}  // namespace

void check_int_or_percent(error_list& errors, const path& at, const node* value) {
  if (value && value->is_string())
    for (const auto& wrong : percent(value->string())) errors.invalid(at, value, wrong);
  else if (value)
    check_non_negative(errors, at, value->integer());
}

void check_selector_and_template(error_list& errors, const path& spec_path, const node* spec,
                                 const workload_words& words) {
  const path at = spec_path.child("selector"), place = spec_path.child("template");
  const node* selector = get(spec, "selector");
  const node* spec_template = get(spec, "template");
  const node* labels = get(spec_template, "metadata", "labels");
  if (!selector) {
    errors.required(at);
  } else {
    check_label_selector(errors, at, selector);
    if (selector_empty(selector))
      errors.invalid(at, selector, std::string("empty selector is invalid for ") + words.kind);
    if (!usable_selector(selector)) return errors.invalid(at, selector, "invalid label selector");
  }
  if (!selector || (!selector_empty(selector) && !selector_matches(selector, labels)))
    errors.invalid(place.child("metadata.labels"), labels, "`selector` does not match template `labels`");
  check_controller_template(errors, place, spec_template);
  if (has(get(spec_template, "spec"), "activeDeadlineSeconds"))
    errors.forbidden(place.child("spec.activeDeadlineSeconds"), words.no_deadline);
}

const kind_rules workload_kinds[] = {
    {.type = "apps/v1.Deployment",
     .spec = spec_deployment,
     .update = check_selector_unchanged,
     .status = status_deployment},
    {.type = "apps/v1.ReplicaSet",
     .spec = spec_replica_set,
     .update = check_selector_unchanged,
     .status = status_replica_set},
    {.type = "core/v1.ReplicationController", .spec = spec_replication_controller, .status = status_replica_set},
    {.type = "apps/v1.DaemonSet", .spec = spec_daemon_set, .update = check_selector_unchanged},
    {.type = "apps/v1.StatefulSet",
     .name = name_is_label,
     .spec = spec_stateful_set,
     .update = update_stateful_set,
     .status = status_stateful_set,
     .spec_only_on_create = true},
    {.type = "apps/v1.ControllerRevision", .spec = spec_revision, .update = update_revision},
    {.type = nullptr},
};

}  // namespace troupe::api::rules
