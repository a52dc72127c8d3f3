// RBAC, leases and events.
#include <algorithm>
#include <string>

#include "actors/api_server/validation/kinds.hpp"

namespace troupe::api::rules {
namespace {

constexpr std::string_view rbac_group = "rbac.authorization.k8s.io";

void check_rules(error_list& errors, const node& object, bool namespaced) {
  const path list("rules");
  each(get(&object, "rules"), [&](const node& rule, std::size_t i) {
    const path here = list.index(i);
    if (count(&rule, "verbs") == 0) errors.required(here.child("verbs"), "verbs must contain at least one value");
    const node* urls = get(&rule, "nonResourceURLs");
    if (count(urls) > 0) {
      if (namespaced)
        errors.invalid(here.child("nonResourceURLs"), urls, "namespaced rules cannot apply to non-resource URLs");
      if (count(&rule, "apiGroups") + count(&rule, "resources") + count(&rule, "resourceNames") > 0)
        errors.invalid(here.child("nonResourceURLs"), urls,
                       "rules cannot apply to both regular resources and non-resource URLs");
      return;
    }
    if (count(&rule, "apiGroups") == 0)
      errors.required(here.child("apiGroups"), "resource rules must supply at least one api group");
    if (count(&rule, "resources") == 0)
      errors.required(here.child("resources"), "resource rules must supply at least one resource");
  });
}

void spec_role(error_list& errors, const node& object) { check_rules(errors, object, true); }

void spec_cluster_role(error_list& errors, const node& object) {
  check_rules(errors, object, false);
  const node* aggregation = get(&object, "aggregationRule");
  if (!aggregation) return;
  const path list("aggregationRule.clusterRoleSelectors");
  const node* selectors = get(aggregation, "clusterRoleSelectors");
  if (count(selectors) == 0)
    errors.required(list, "at least one clusterRoleSelector required if aggregationRule is non-nil");
  each(selectors, [&](const node& selector, std::size_t i) { check_label_selector(errors, list.index(i), &selector); });
}

void check_subject(error_list& errors, const path& at, const node& subject, bool namespaced) {
  const auto name = text(&subject, "name"), kind = text(&subject, "kind"), group = text(&subject, "apiGroup");
  if (name.empty()) errors.required(at.child("name"));
  if (kind == "ServiceAccount") {
    if (!name.empty()) errors.invalid(at.child("name"), name, dns1123_subdomain(name));
    if (!group.empty()) errors.not_supported(at.child("apiGroup"), group, {""});
    if (!namespaced && text(&subject, "namespace").empty()) errors.required(at.child("namespace"));
  } else if (kind == "User" || kind == "Group") {
    if (group != rbac_group) errors.not_supported(at.child("apiGroup"), group, {rbac_group});
  } else {
    errors.not_supported(at.child("kind"), kind, {"ServiceAccount", "User", "Group"});
  }
}

void check_binding(error_list& errors, const node& object, bool namespaced) {
  const path at("roleRef");
  const node* ref = get(&object, "roleRef");
  const auto group = text(ref, "apiGroup"), kind = text(ref, "kind"), name = text(ref, "name");
  if (group != rbac_group) errors.not_supported(at.child("apiGroup"), group, {rbac_group});
  if (kind != "ClusterRole" && !(namespaced && kind == "Role")) {
    if (namespaced)
      errors.not_supported(at.child("kind"), kind, {"Role", "ClusterRole"});
    else
      errors.not_supported(at.child("kind"), kind, {"ClusterRole"});
  }
  if (name.empty())
    errors.required(at.child("name"));
  else
    errors.invalid(at.child("name"), name, path_segment_name(name));
  const path list("subjects");
  each(get(&object, "subjects"),
       [&](const node& subject, std::size_t i) { check_subject(errors, list.index(i), subject, namespaced); });
}

void spec_role_binding(error_list& errors, const node& object) { check_binding(errors, object, true); }
void spec_cluster_role_binding(error_list& errors, const node& object) { check_binding(errors, object, false); }

void update_binding(error_list& errors, const node& object, const node& previous) {
  const node *now = get(&object, "roleRef"), *old = get(&previous, "roleRef");
  bool changed = false;
  for (std::string_view field : {"apiGroup", "kind", "name"}) changed = changed || text(now, field) != text(old, field);
  if (!changed) return;
  std::string shown = "{\"APIGroup\":";
  append_json_string(shown, text(now, "apiGroup"));
  shown += ",\"Kind\":";
  append_json_string(shown, text(now, "kind"));
  shown += ",\"Name\":";
  append_json_string(shown, text(now, "name"));
  errors.invalid_json(path("roleRef"), shown + "}", "cannot change roleRef");
}

void spec_lease(error_list& errors, const node& object) {
  const path at("spec");
  const node* spec = get(&object, "spec");
  const node *duration = get(spec, "leaseDurationSeconds"), *transitions = get(spec, "leaseTransitions");
  if (duration && duration->integer() <= 0)
    errors.invalid(at.child("leaseDurationSeconds"), duration->integer(), "must be greater than 0");
  if (transitions && transitions->integer() < 0)
    errors.invalid(at.child("leaseTransitions"), transitions->integer(), "must be greater than or equal to 0");
  const auto strategy = text(spec, "strategy");
  if (!strategy.empty() && strategy.find('/') != std::string_view::npos)
    errors.invalid(at.child("strategy"), strategy, qualified_name(strategy));
  else if (!strategy.empty() && strategy != "OldestEmulationVersion")
    errors.not_supported(at.child("strategy"), strategy, {"OldestEmulationVersion"});
  if (!text(spec, "preferredHolder").empty() && strategy.empty())
    errors.forbidden(at.child("preferredHolder"), "may only be specified if `strategy` is defined");
}

void check_event_length(error_list& errors, std::string_view field, std::string_view value, std::size_t limit,
                        bool required) {
  if (required && value.empty()) errors.required(path(field));
  if (value.size() > limit)
    errors.invalid(path(field), "", "can have at most " + std::to_string(limit) + " characters");
}

/// Events with a time of their own (events.k8s.io) say more about their origin.
void spec_event(error_list& errors, const node& object) {
  const auto involved = text(get(&object, "involvedObject"), "namespace");
  const auto space = text(get(&object, "metadata"), "namespace");
  const bool timed = has(&object, "eventTime");
  bool matches = involved == space;
  if (involved.empty()) matches = space == "default" || (timed ? space == "kube-system" : space.empty());
  if (!matches && (!timed || involved.empty()))
    errors.invalid(path("involvedObject.namespace"), involved, "does not match event.namespace");
  if (timed) {
    const auto controller = text(&object, "reportingComponent");
    if (controller.empty()) errors.required(path("reportingComponent"));
    errors.invalid(path("reportingComponent"), controller, qualified_name(controller));
    check_event_length(errors, "reportingInstance", text(&object, "reportingInstance"), 128, true);
    check_event_length(errors, "action", text(&object, "action"), 128, true);
    check_event_length(errors, "reason", text(&object, "reason"), 128, true);
    check_event_length(errors, "message", text(&object, "message"), 1024, false);
  }
  errors.invalid(path("namespace"), space, dns1123_subdomain(space));
}

}  // namespace

const kind_rules access_kinds[] = {
    {.type = "rbac/v1.Role", .name = name_is_path_segment, .spec = spec_role},
    {.type = "rbac/v1.ClusterRole", .name = name_is_path_segment, .spec = spec_cluster_role},
    {.type = "rbac/v1.RoleBinding", .name = name_is_path_segment, .spec = spec_role_binding, .update = update_binding},
    {.type = "rbac/v1.ClusterRoleBinding",
     .name = name_is_path_segment,
     .spec = spec_cluster_role_binding,
     .update = update_binding},
    {.type = "coordination/v1.Lease", .spec = spec_lease},
    {.type = "core/v1.Event", .name = name_is_path_segment, .core_finalizers = false, .spec = spec_event},
    {.type = nullptr},
};

}  // namespace troupe::api::rules
