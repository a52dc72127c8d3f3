// Priority classes, disruption budgets, autoscalers, quotas and limit ranges.
#include <algorithm>
#include <charconv>
#include <string>

#include "actors/api_server/validation/kinds.hpp"
#include "actors/api_server/validation/pod_rules.hpp"
#include "actors/api_server/validation/quantities.hpp"

namespace troupe::api::rules {
namespace {

constexpr std::int64_t highest_user_priority = 1000000000;

/// Why a class with the reserved prefix is none of the two system classes; "" when it is one.
std::string system_class_error(const node& object, std::string_view name) {
  const auto value = number(&object, "value");
  const std::pair<std::string_view, std::int64_t> known[] = {{"system-node-critical", 2000001000},
                                                             {"system-cluster-critical", 2000000000}};
  for (const auto& [wanted, priority] : known) {
    if (name != wanted) continue;
    if (value != priority)
      return "value of " + std::string(name) + " PriorityClass must be " + std::to_string(priority);
    if (flag(&object, "globalDefault")) return "globalDefault of " + std::string(name) + " PriorityClass must be false";
    return {};
  }
  return std::string(name) + " is not a known system priority class";
}

void spec_priority_class(error_list& errors, const node& object) {
  const auto name = text(get(&object, "metadata"), "name");
  if (name.starts_with("system-")) {
    if (const auto wrong = system_class_error(object, name); !wrong.empty())
      errors.forbidden(path("metadata.name"),
                       "priority class names with 'system-' prefix are reserved for system use only. error: " + wrong);
  } else if (number(&object, "value") > highest_user_priority) {
    errors.forbidden(path("value"), "maximum allowed value of a user defined priority is 1000000000");
  }
  const node* policy = get(&object, "preemptionPolicy");
  if (policy && policy->string().empty())
    errors.required(path("preemptionPolicy"));
  else if (policy && !one_of(policy->string(), {"PreemptLowerPriority", "Never"}))
    errors.not_supported(path("preemptionPolicy"), policy->string(), {"PreemptLowerPriority", "Never"});
}

void update_priority_class(error_list& errors, const node& object, const node& previous) {
  if (number(&object, "value") != number(&previous, "value"))
    errors.forbidden(path("value"), "may not be changed in an update.");
  check_immutable(errors, path("preemptionPolicy"), get(&object, "preemptionPolicy"),
                  get(&previous, "preemptionPolicy"));
}

void check_budget_amount(error_list& errors, const path& at, const node* value) {
  if (!value) return;
  check_int_or_percent(errors, at, value);
  if (!value->is_string() || !percent(value->string()).empty()) return;
  std::int64_t amount = 0;
  std::from_chars(value->string().data(), value->string().data() + value->string().size() - 1, amount);
  if (amount > 100) errors.invalid(at, value, "must not be greater than 100%");
}

void spec_disruption_budget(error_list& errors, const node& object) {
  const path at("spec");
  const node* spec = get(&object, "spec");
  if (has(spec, "minAvailable") && has(spec, "maxUnavailable"))
    errors.invalid(at, spec, "minAvailable and maxUnavailable cannot be both set");
  check_budget_amount(errors, at.child("minAvailable"), get(spec, "minAvailable"));
  check_budget_amount(errors, at.child("maxUnavailable"), get(spec, "maxUnavailable"));
  check_label_selector(errors, at.child("selector"), get(spec, "selector"));
  const node* policy = get(spec, "unhealthyPodEvictionPolicy");
  if (policy && !one_of(policy->string(), {"AlwaysAllow", "IfHealthyBudget"}))
    errors.not_supported(at.child("unhealthyPodEvictionPolicy"), policy->string(), {"AlwaysAllow", "IfHealthyBudget"});
}

void status_disruption_budget(error_list& errors, const node& object, const node&) {
  const path at("status");
  const node* status = get(&object, "status");
  check_conditions(errors, at.child("conditions"), get(status, "conditions"));
  for (std::string_view field : {"disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"})
    check_non_negative(errors, at.child(field), number(status, field));
}

// HorizontalPodAutoscaler

void check_target_reference(error_list& errors, const path& at, const node* reference) {
  const auto kind = text(reference, "kind"), name = text(reference, "name");
  if (kind.empty())
    errors.required(at.child("kind"));
  else
    errors.invalid(at.child("kind"), kind, path_segment_name(kind));
  if (name.empty())
    errors.required(at.child("name"));
  else
    errors.invalid(at.child("name"), name, path_segment_name(name));
  const auto version = text(reference, "apiVersion");
  const bool core = kind == "ReplicationController" && version == "v1";
  if (!core && version.find('/') == std::string_view::npos)
    errors.invalid(at.child("apiVersion"), version, "apiVersion must specify API group");
}

void check_metric_target(error_list& errors, const path& at, const node* target) {
  const auto type = text(target, "type");
  if (type.empty()) errors.required(at.child("type"), "must specify a metric target type");
  if (!one_of(type, {"Utilization", "Value", "AverageValue"}))
    errors.invalid(at.child("type"), type, "must be either Utilization, Value, or AverageValue");
  for (std::string_view field : {"value", "averageValue"})
    if (const node* value = get(target, field); value && to_quantity(value).nanos <= 0)
      errors.invalid(at.child(field), value, "must be positive");
  if (const node* value = get(target, "averageUtilization"); value && value->integer() < 1)
    errors.invalid(at.child("averageUtilization"), value, "must be greater than 0");
}

void check_resource_metric(error_list& errors, const path& at, const node* source) {
  if (text(source, "name").empty()) errors.required(at.child("name"), "must specify a resource name");
  const node* target = get(source, "target");
  check_metric_target(errors, at.child("target"), target);
  const bool utilization = has(target, "averageUtilization"), value = has(target, "averageValue");
  if (!utilization && !value)
    errors.required(at.child("target.averageUtilization"),
                    "must set either a target raw value or a target utilization");
  if (utilization && value)
    errors.forbidden(at.child("target.averageValue"), "may not set both a target raw value and a target utilization");
}

void check_metric(error_list& errors, const path& at, const node& metric) {
  const auto type = text(&metric, "type");
  const std::pair<std::string_view, std::string_view> sources[] = {{"Object", "object"},
                                                                   {"Pods", "pods"},
                                                                   {"Resource", "resource"},
                                                                   {"External", "external"},
                                                                   {"ContainerResource", "containerResource"}};
  if (type.empty()) errors.required(at.child("type"), "must specify a metric source type");
  std::string_view expected;
  for (const auto& [known, field] : sources)
    if (known == type) expected = field;
  if (expected.empty())
    return errors.not_supported(at.child("type"), type,
                                {"ContainerResource", "External", "Object", "Pods", "Resource"});
  const node* source = get(&metric, expected);
  if (source && (expected == "resource" || expected == "containerResource"))
    check_resource_metric(errors, at.child(expected), source);
  else if (source)
    check_metric_target(errors, at.child(std::string(expected) + ".target"), get(source, "target"));
  else
    errors.required(at.child(expected), "must populate information for the given metric source");
  for (const auto& [known, field] : sources)
    if (field != expected && has(&metric, field))
      errors.forbidden(at.child(field), "must populate the given metric source only");
}

void check_scaling_rules(error_list& errors, const path& at, const node* rules) {
  if (!rules) return;
  const node* window = get(rules, "stabilizationWindowSeconds");
  if (window && window->integer() < 0)
    errors.invalid(at.child("stabilizationWindowSeconds"), window, "must be greater than or equal to zero");
  if (window && window->integer() > 3600)
    errors.invalid(at.child("stabilizationWindowSeconds"), window, "must be less than or equal to 3600");
  const node* select = get(rules, "selectPolicy");
  if (select && !one_of(select->string(), {"Disabled", "Max", "Min"}))
    errors.not_supported(at.child("selectPolicy"), select->string(), {"Disabled", "Max", "Min"});
  const path list = at.child("policies");
  if (count(rules, "policies") == 0) errors.required(list, "must specify at least one Policy");
  each(get(rules, "policies"), [&](const node& policy, std::size_t i) {
    const path here = list.index(i);
    const auto type = text(&policy, "type");
    const auto value = number(&policy, "value"), period = number(&policy, "periodSeconds");
    if (!one_of(type, {"Percent", "Pods"})) errors.not_supported(here.child("type"), type, {"Percent", "Pods"});
    if (value <= 0) errors.invalid(here.child("value"), value, "must be greater than zero");
    if (period <= 0) errors.invalid(here.child("periodSeconds"), period, "must be greater than zero");
    if (period > 1800) errors.invalid(here.child("periodSeconds"), period, "must be less than or equal to 1800");
  });
}

void spec_autoscaler(error_list& errors, const node& object) {
  const path at("spec");
  const node* spec = get(&object, "spec");
  const node* least = get(spec, "minReplicas");
  const auto most = number(spec, "maxReplicas");
  if (least && least->integer() < 1)
    errors.invalid(at.child("minReplicas"), least->integer(), "must be greater than or equal to 1");
  if (most == 0)
    errors.required(at.child("maxReplicas"), "must be set and greater than 0");
  else if (most < 0)
    errors.invalid(at.child("maxReplicas"), most, "must be greater than or equal to 1");
  if (least && most < least->integer())
    errors.invalid(at.child("maxReplicas"), most, "must be greater than or equal to `minReplicas`");
  check_target_reference(errors, at.child("scaleTargetRef"), get(spec, "scaleTargetRef"));
  const path metrics = at.child("metrics");
  each(get(spec, "metrics"),
       [&](const node& metric, std::size_t i) { check_metric(errors, metrics.index(i), metric); });
  bool scales_to_zero = false;
  each(get(spec, "metrics"), [&](const node& metric, std::size_t) {
    scales_to_zero = scales_to_zero || one_of(text(&metric, "type"), {"Object", "External"});
  });
  if (least && least->integer() == 0 && !scales_to_zero)
    errors.forbidden(metrics,
                     "must specify at least one Object or External metric to support scaling to zero replicas");
  check_scaling_rules(errors, at.child("behavior.scaleUp"), get(spec, "behavior", "scaleUp"));
  check_scaling_rules(errors, at.child("behavior.scaleDown"), get(spec, "behavior", "scaleDown"));
}

// ResourceQuota and LimitRange

void check_quota_list(error_list& errors, const path& at, const node* list) {
  each_member(list, [&](std::string_view name, const node& value) {
    const path here = at.key(name);
    const auto before = errors.size();
    check_resource_name(errors, here, name);
    if (name.find('/') == std::string_view::npos && !standard_resource(name))
      errors.invalid(here, name, "must be a standard resource for quota");
    if (errors.size() == before) check_resource_quantity(errors, here, name, value);
  });
}

void spec_quota(error_list& errors, const node& object) {
  check_quota_list(errors, path("spec.hard"), get(&object, "spec", "hard"));
  const path scopes("spec.scopes");
  each(get(&object, "spec", "scopes"), [&](const node& scope, std::size_t) {
    if (!one_of(scope.string(), {"BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating",
                                 "PriorityClass", "Terminating", "VolumeAttributesClass"}))
      errors.invalid(scopes, get(&object, "spec", "scopes"), "unsupported scope");
  });
}

void update_quota(error_list& errors, const node& object, const node& previous) {
  check_immutable(errors, path("spec.scopes"), get(&object, "spec", "scopes"), get(&previous, "spec", "scopes"));
}

/// The amounts that one item gives one resource; null where it gives none.
struct limit_amounts {
  const node *least, *most, *standard, *request;
};

void compare_amounts(error_list& errors, const path& at, std::string_view name, const limit_amounts& a) {
  const auto above = [](const node* x, const node* y) { return x && y && to_quantity(x) > to_quantity(y); };
  const path least = at.child("min"), standard = at.child("default"), request = at.child("defaultRequest");
  if (above(a.least, a.most))
    errors.invalid(least.key(name), shown(*a.least),
                   "min value " + shown(*a.least) + " is greater than max value " + shown(*a.most));
  if (above(a.least, a.request))
    errors.invalid(request.key(name), shown(*a.request),
                   "min value " + shown(*a.least) + " is greater than default request value " + shown(*a.request));
  if (above(a.request, a.most))
    errors.invalid(request.key(name), shown(*a.request),
                   "default request value " + shown(*a.request) + " is greater than max value " + shown(*a.most));
  if (above(a.request, a.standard))
    errors.invalid(
        request.key(name), shown(*a.request),
        "default request value " + shown(*a.request) + " is greater than default limit value " + shown(*a.standard));
  if (above(a.least, a.standard))
    errors.invalid(standard.key(name), shown(*a.least),
                   "min value " + shown(*a.least) + " is greater than default value " + shown(*a.standard));
  if (above(a.standard, a.most))
    errors.invalid(standard.key(name), shown(*a.most),
                   "default value " + shown(*a.standard) + " is greater than max value " + shown(*a.most));
}

void check_limit_item(error_list& errors, const path& at, const node& item) {
  const node *least = get(&item, "min"), *most = get(&item, "max");
  for (std::string_view side : {"min", "max", "default", "defaultRequest"}) {
    const path list = at.child(side);
    each_member(get(&item, side), [&](std::string_view name, const node& value) {
      const path here = list.key(name);
      check_resource_name(errors, here, name);
      check_resource_quantity(errors, here, name, value);
    });
  }
  std::vector<std::string_view> names;
  for (std::string_view side : {"max", "min", "default", "defaultRequest"})
    each_member(get(&item, side), [&](std::string_view name, const node&) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    });
  for (auto name : names)
    compare_amounts(
        errors, at, name,
        {get(least, name), get(most, name), get(get(&item, "default"), name), get(get(&item, "defaultRequest"), name)});
}

void spec_limit_range(error_list& errors, const node& object) {
  const path list("spec.limits");
  std::vector<std::string_view> seen;
  each(get(&object, "spec", "limits"), [&](const node& item, std::size_t i) {
    const path here = list.index(i);
    const auto type = text(&item, "type");
    if (type.find('/') == std::string_view::npos && !one_of(type, {"Pod", "Container", "PersistentVolumeClaim"}))
      errors.invalid(here.child("type"), type, "must be a standard limit type or fully qualified");
    if (std::find(seen.begin(), seen.end(), type) != seen.end()) errors.duplicate(here.child("type"), type);
    seen.push_back(type);
    if (type == "Pod" && count(&item, "default") > 0)
      errors.forbidden(here.child("default"), "may not be specified when `type` is 'Pod'");
    if (type == "Pod" && count(&item, "defaultRequest") > 0)
      errors.forbidden(here.child("defaultRequest"), "may not be specified when `type` is 'Pod'");
    check_limit_item(errors, here, item);
  });
}

}  // namespace

const kind_rules policy_kinds[] = {
    {.type = "scheduling/v1.PriorityClass",
     .spec = spec_priority_class,
     .update = update_priority_class,
     .spec_only_on_create = true},
    {.type = "policy/v1.PodDisruptionBudget", .spec = spec_disruption_budget, .status = status_disruption_budget},
    {.type = "autoscaling/v2.HorizontalPodAutoscaler", .spec = spec_autoscaler},
    {.type = "autoscaling/v1.HorizontalPodAutoscaler", .spec = spec_autoscaler},
    {.type = "core/v1.ResourceQuota", .spec = spec_quota, .update = update_quota},
    {.type = "core/v1.LimitRange", .spec = spec_limit_range},
    {.type = nullptr},
};

}  // namespace troupe::api::rules
