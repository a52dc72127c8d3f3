// What may change in a pod that exists: a few fields of the spec, and the status by its subresource.
#include <algorithm>
#include <string>

#include "actors/api_server/validation/metadata.hpp"
#include "actors/api_server/validation/names.hpp"
#include "actors/api_server/validation/pod_rules.hpp"

namespace troupe::api::rules {
namespace {

constexpr const char* updatable =
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n";

void check_annotation_updates(error_list& errors, const node& pod, const node& previous) {
  const path at("metadata.annotations");
  const node *now = get(&pod, "metadata", "annotations"), *before = get(&previous, "metadata", "annotations");
  each_member(before, [&](std::string_view key, const node& old) {
    const node* value = get(now, key);
    if (value && value->string() == old.string()) return;
    if (key.starts_with(app_armor_prefix))
      errors.forbidden(at.key(key), "may not remove or update AppArmor annotations");
    if (key == mirror_annotation) errors.forbidden(at.key(key), "may not remove or update mirror pod annotation");
  });
  each_member(now, [&](std::string_view key, const node&) {
    if (get(before, key)) return;
    if (key.starts_with(app_armor_prefix)) errors.forbidden(at.key(key), "may not add AppArmor annotations");
    if (key == mirror_annotation) errors.forbidden(at.key(key), "may not add mirror pod annotation");
  });
  check_pod_annotations(errors, at, now, get(&pod, "spec"));
}

/// False when the rest makes no sense any more.
bool check_container_updates(error_list& errors, const path& at, const node* now, const node* before) {
  if (count(now) != count(before)) {
    errors.forbidden(at, "pod updates may not add or remove containers");
    return false;
  }
  each(now, [&](const node& container, std::size_t i) {
    const path here = at.index(i);
    if (text(&container, "image").empty()) errors.required(here.child("image"));
    check_image_spaces(errors, here, container);
  });
  return true;
}

bool check_deadline(error_list& errors, const node* spec, const node* before) {
  const path at("spec.activeDeadlineSeconds");
  const node *now = get(spec, "activeDeadlineSeconds"), *old = get(before, "activeDeadlineSeconds");
  if (!now) {
    if (old) errors.invalid(at, now, "must not update from a positive integer to nil value");
    return true;
  }
  if (now->integer() < 0 || now->integer() > 2147483647)
    return errors.invalid(at, now->integer(), range_message(0, 2147483647)), false;
  if (old && old->integer() < now->integer())
    return errors.invalid(at, now->integer(), "must be less than or equal to previous value"), false;
  return true;
}

bool same_toleration(const node& a, const node& b) {
  for (std::string_view field : {"key", "operator", "value", "effect"})
    if (text(&a, field) != text(&b, field)) return false;
  return true;
}

void check_added_tolerations(error_list& errors, const node* now, const node* before) {
  const path at("spec.tolerations");
  bool kept = true;
  each(before, [&](const node& old, std::size_t) {
    bool found = false;
    each(now, [&](const node& t, std::size_t) { found = found || same_toleration(old, t); });
    kept = kept && found;
  });
  if (!kept) return errors.forbidden(at, "existing toleration can not be modified except its tolerationSeconds");
  check_tolerations(errors, at, now);
}

void check_deleted_gates(error_list& errors, const node* now, const node* before) {
  const path at("spec.schedulingGates");
  each(now, [&](const node& gate, std::size_t i) {
    const auto name = text(&gate, "name");
    bool old = false;
    each(before, [&](const node& g, std::size_t) { old = old || text(&g, "name") == name; });
    const path here = at.index(i);
    if (!old)
      errors.forbidden(here.child("name"),
                       "only deletion is allowed, but found new scheduling gate '" + std::string(name) + "'");
  });
}

/// Containers but for their images.
bool same_containers(const node* now, const node* before) {
  if (count(now) != count(before)) return false;
  bool equal_so_far = true;
  each(now, [&](const node& container, std::size_t i) {
    const node& old = before->element(i);
    for (const auto* pair : {&container, &old})
      each_member(pair, [&](std::string_view key, const node&) {
        if (key != "image" && !same(get(&container, key), get(&old, key))) equal_so_far = false;
      });
  });
  return equal_so_far;
}

bool term_only_grew(const node& now, const node& before) {
  for (std::string_view field : {"matchExpressions", "matchFields"}) {
    const node *a = get(&now, field), *b = get(&before, field);
    if (count(a) < count(b)) return false;
    for (std::size_t i = 0; i < count(b); ++i)
      if (!equal(a->element(i), b->element(i))) return false;
  }
  const bool empty_before = count(&before, "matchExpressions") == 0 && count(&before, "matchFields") == 0;
  return !empty_before || (count(&now, "matchExpressions") == 0 && count(&now, "matchFields") == 0);
}

/// A gated pod may still narrow where it can run.
void check_gated_placement(error_list& errors, const node* spec, const node* before) {
  const node* selector = get(spec, "nodeSelector");
  bool kept = true;
  each_member(get(before, "nodeSelector"), [&](std::string_view key, const node& value) {
    kept = kept && text(selector, key) == value.string() && get(selector, key);
  });
  if (!kept)
    errors.invalid(path("spec.nodeSelector"), selector,
                   "only additions to spec.nodeSelector are allowed (no mutations or deletions)");
  constexpr std::string_view required = "requiredDuringSchedulingIgnoredDuringExecution";
  const node* old_terms = get(before, "affinity", "nodeAffinity", required, "nodeSelectorTerms");
  const node* terms = get(spec, "affinity", "nodeAffinity", required, "nodeSelectorTerms");
  const path at("spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
  if (count(old_terms) == 0) return;
  if (count(terms) != count(old_terms))
    return errors.invalid(at, terms, "no additions/deletions to non-empty NodeSelectorTerms list are allowed");
  each(terms, [&](const node& term, std::size_t i) {
    if (!term_only_grew(term, old_terms->element(i)))
      errors.invalid(at.index(i), &term, "only additions are allowed (no mutations or deletions)");
  });
}

/// Affinity but for node affinity.
bool same_pod_affinity(const node* spec, const node* before) {
  for (std::string_view field : {"podAffinity", "podAntiAffinity"})
    if (!same(get(spec, "affinity", field), get(before, "affinity", field))) return false;
  return true;
}

bool may_change(std::string_view field, const node* spec, const node* before) {
  if (field == "activeDeadlineSeconds" || field == "tolerations" || field == "schedulingGates") return true;
  const node *now = get(spec, field), *old = get(before, field);
  if (field == "containers" || field == "initContainers") return same_containers(now, old);
  if (field == "terminationGracePeriodSeconds")
    return same(now, old) || (now && old && old->integer() < 0 && now->integer() == 1);
  const bool gated = count(before, "schedulingGates") > 0;
  if (gated && field == "nodeSelector") return true;
  if (gated && field == "affinity") return same_pod_affinity(spec, before);
  // The deprecated twin follows serviceAccountName.
  if (field == "serviceAccount") return true;
  return same(now, old);
}

/// The members that changed, old ("-") and new ("+"), as JSON.
std::string spec_difference(const node* spec, const node* before) {
  std::string out;
  const auto line = [&](char sign, std::string_view key, const node* value) {
    if (value) out.append(1, sign).append(" ").append(key).append(": ").append(to_json(*value)).append("\n");
  };
  const auto compare = [&](std::string_view key) {
    if (may_change(key, spec, before)) return;
    line('-', key, get(before, key));
    line('+', key, get(spec, key));
  };
  each_member(before, [&](std::string_view key, const node&) { compare(key); });
  each_member(spec, [&](std::string_view key, const node&) {
    if (!get(before, key)) compare(key);
  });
  return out;
}

void check_state_transitions(error_list& errors, const path& at, const node* now, const node* before, const node* spec,
                             std::string_view containers);

}  // namespace

void check_pod_update(error_list& errors, const node& pod, const node& previous) {
  check_metadata_update(errors, path("metadata"), get(&pod, "metadata"), get(&previous, "metadata"));
  check_pod_metadata_and_spec(errors, pod);
  check_annotation_updates(errors, pod, previous);
  const node *spec = get(&pod, "spec"), *before = get(&previous, "spec");
  if (!check_container_updates(errors, path("spec.containers"), get(spec, "containers"), get(before, "containers")) ||
      !check_container_updates(errors, path("spec.initContainers"), get(spec, "initContainers"),
                               get(before, "initContainers")) ||
      !check_deadline(errors, spec, before))
    return;
  check_added_tolerations(errors, get(spec, "tolerations"), get(before, "tolerations"));
  check_deleted_gates(errors, get(spec, "schedulingGates"), get(before, "schedulingGates"));
  if (same(spec, before)) return;
  if (count(before, "schedulingGates") > 0) check_gated_placement(errors, spec, before);
  if (const auto difference = spec_difference(spec, before); !difference.empty())
    errors.forbidden(path("spec"), updatable + difference);
}

namespace {

bool restarts(const node& container, std::string_view pod_policy, std::int64_t exit_code) {
  const node* own = get(&container, "restartPolicy");
  bool by_rule = false;
  each(get(&container, "restartPolicyRules"), [&](const node& rule, std::size_t) {
    const auto op = text(get(&rule, "exitCodes"), "operator");
    bool listed = false;
    each(get(&rule, "exitCodes", "values"), [&](const node& v, std::size_t) { listed |= v.integer() == exit_code; });
    by_rule = by_rule || (op == "In" ? listed : op == "NotIn" && !listed);
  });
  if (own && by_rule) return true;
  const auto policy = own ? own->string() : pod_policy;
  return policy == "Always" || (policy == "OnFailure" && exit_code != 0);
}

/// Whether an exit of some container restarts all of them.
bool all_may_restart(const node* spec) {
  bool found = false;
  for (std::string_view list : {"containers", "initContainers"})
    each(get(spec, list), [&](const node& c, std::size_t) {
      each(get(&c, "restartPolicyRules"),
           [&](const node& rule, std::size_t) { found = found || text(&rule, "action") == "RestartAllContainers"; });
    });
  return found;
}

void check_state_transitions(error_list& errors, const path& at, const node* now, const node* before, const node* spec,
                             std::string_view containers) {
  if (all_may_restart(spec)) return;
  each(before, [&](const node& old, std::size_t i) {
    const node* terminated = get(&old, "state", "terminated");
    if (!terminated) return;
    each(now, [&](const node& state, std::size_t) {
      if (text(&state, "name") != text(&old, "name") || get(&state, "state", "terminated")) return;
      bool allowed = false;
      each(get(spec, containers), [&](const node& c, std::size_t) {
        if (text(&c, "name") == text(&old, "name"))
          allowed = restarts(c, text(spec, "restartPolicy"), number(terminated, "exitCode"));
      });
      const path here = at.index(i);
      if (!allowed) errors.forbidden(here.child("state"), "may not be transitioned to non-terminated state");
    });
  });
}

void check_pod_conditions(error_list& errors, const path& at, const node* conditions) {
  each(conditions, [&](const node& condition, std::size_t i) {
    const path here = at.index(i);
    const auto generation = number(&condition, "observedGeneration");
    if (generation < 0) errors.invalid(here.child("observedGeneration"), generation, "must be a non-negative integer");
    const auto type = text(&condition, "type");
    if (type != "PodScheduled" && type != "Ready" && type != "Initialized")
      errors.invalid(here.child("Type"), type, qualified_name(type));
  });
}

void check_addresses(error_list& errors, const path& at, const node* addresses, const node* before) {
  int v4 = 0, v6 = 0;
  each(addresses, [&](const node& address, std::size_t i) {
    const auto ip = text(&address, "ip");
    bool known = false;
    each(before, [&](const node& old, std::size_t) { known = known || text(&old, "ip") == ip; });
    if (!known) check_legacy_ip(errors, at.index(i), ip);
    const auto parsed = parse_ip(ip);
    if (parsed.valid) ++(parsed.v4 ? v4 : v6);
  });
  if (count(addresses) > 1 && (v4 != 1 || v6 != 1))
    errors.invalid(at, addresses, "may specify no more than one IP for each IP family");
}

}  // namespace

void check_pod_status_update(error_list& errors, const node& pod, const node& previous) {
  check_metadata_update(errors, path("metadata"), get(&pod, "metadata"), get(&previous, "metadata"));
  check_annotation_updates(errors, pod, previous);
  const path at("status");
  const node *status = get(&pod, "status"), *before = get(&previous, "status"), *spec = get(&previous, "spec");
  check_pod_conditions(errors, at.child("conditions"), get(status, "conditions"));
  if (text(get(&pod, "spec"), "nodeName") != text(spec, "nodeName"))
    errors.forbidden(at.child("nodeName"), "may not be changed directly");
  const auto nominated = text(status, "nominatedNodeName");
  if (nominated != text(before, "nominatedNodeName") && !nominated.empty()) {
    errors.invalid(at.child("nominatedNodeName"), nominated, dns1123_subdomain(nominated));
    if (!text(spec, "nodeName").empty())
      errors.forbidden(at.child("nominatedNodeName"), "may not be set on pods that are already bound to a node");
  }
  if (number(status, "observedGeneration") < 0)
    errors.invalid(at.child("observedGeneration"), number(status, "observedGeneration"),
                   "must be a non-negative integer");
  if (text(status, "qosClass") != text(before, "qosClass"))
    errors.invalid(at.child("qosClass"), text(status, "qosClass"), immutable_message);
  check_state_transitions(errors, at.child("containerStatuses"), get(status, "containerStatuses"),
                          get(before, "containerStatuses"), spec, "containers");
  check_state_transitions(errors, at.child("initContainerStatuses"), get(status, "initContainerStatuses"),
                          get(before, "initContainerStatuses"), spec, "initContainers");
  check_addresses(errors, at.child("podIPs"), get(status, "podIPs"), get(before, "podIPs"));
  const node* host_ips = get(status, "hostIPs");
  const path hosts = at.child("hostIPs");
  if (count(host_ips) > 0 && text(status, "hostIP") != text(&host_ips->element(0), "ip")) {
    const path first = hosts.index(0);
    errors.invalid(first.child("ip"), text(&host_ips->element(0), "ip"), "must be equal to `hostIP`");
  }
  check_addresses(errors, hosts, host_ips, get(before, "hostIPs"));
}

void check_ephemeral_containers_update(error_list& errors, const node& pod, const node& previous) {
  check_metadata_update(errors, path("metadata"), get(&pod, "metadata"), get(&previous, "metadata"));
  check_pod_metadata_and_spec(errors, pod);
  check_annotation_updates(errors, pod, previous);
  if (get(get(&previous, "metadata", "annotations"), mirror_annotation)) {
    errors = error_list();
    return errors.forbidden(path("[]"), "static pods do not support ephemeral containers");
  }
  const path at("spec.ephemeralContainers");
  const node* now = get(&pod, "spec", "ephemeralContainers");
  each(get(&previous, "spec", "ephemeralContainers"), [&](const node& old, std::size_t) {
    const auto name = text(&old, "name");
    const node* found = nullptr;
    each(now, [&](const node& c, std::size_t) {
      if (text(&c, "name") == name) found = &c;
    });
    if (!found)
      errors.forbidden(at, "existing ephemeral containers " + go_quote(name) + " may not be removed\n");
    else if (!same(found, &old))
      errors.forbidden(at, "existing ephemeral containers " + go_quote(name) + " may not be changed\n- " +
                               to_json(old) + "\n+ " + to_json(*found) + "\n");
  });
}

}  // namespace troupe::api::rules
