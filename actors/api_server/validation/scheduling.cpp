// Affinity, tolerations and topology spread.
#include <algorithm>
#include <string>
#include <vector>

#include "actors/api_server/validation/metadata.hpp"
#include "actors/api_server/validation/names.hpp"
#include "actors/api_server/validation/pod_rules.hpp"

namespace troupe::api::rules {
namespace {

void check_label_requirement(error_list& errors, const path& at, const node& requirement, bool check_values) {
  const auto op = text(&requirement, "operator");
  const node* values = get(&requirement, "values");
  if (op == "In" || op == "NotIn") {
    if (count(values) == 0) errors.required(at.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
  } else if (op == "Exists" || op == "DoesNotExist") {
    if (count(values) > 0)
      errors.forbidden(at.child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
  } else if (op == "Gt" || op == "Lt") {
    if (count(values) != 1)
      errors.required(at.child("values"), "must be specified single value when `operator` is 'Lt' or 'Gt'");
  } else {
    errors.invalid(at.child("operator"), op, "not a valid selector operator");
  }
  check_label_name(errors, at.child("key"), text(&requirement, "key"));
  if (!check_values) return;
  const path list = at.child("values");
  each(values, [&](const node& value, std::size_t i) {
    errors.invalid(list.index(i), value.string(), label_value(value.string()));
  });
}

void check_field_requirement(error_list& errors, const path& at, const node& requirement) {
  const auto op = text(&requirement, "operator"), key = text(&requirement, "key");
  const node* values = get(&requirement, "values");
  if (op != "In" && op != "NotIn")
    errors.invalid(at.child("operator"), op, "not a valid selector operator");
  else if (count(values) != 1)
    errors.required(at.child("values"),
                    "must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
  if (key != "metadata.name") return errors.invalid(at.child("key"), key, "not a valid field selector key");
  const path list = at.child("values");
  each(values, [&](const node& value, std::size_t i) {
    errors.invalid(list.index(i), value.string(), name_is_subdomain(value.string(), false));
  });
}

void check_node_term(error_list& errors, const path& at, const node& term, bool check_values) {
  const path labels = at.child("matchExpressions"), fields = at.child("matchFields");
  each(get(&term, "matchExpressions"),
       [&](const node& r, std::size_t i) { check_label_requirement(errors, labels.index(i), r, check_values); });
  each(get(&term, "matchFields"),
       [&](const node& r, std::size_t i) { check_field_requirement(errors, fields.index(i), r); });
}

void check_weight(error_list& errors, const path& at, const node& term) {
  const auto weight = number(&term, "weight");
  if (weight <= 0 || weight > 100) errors.invalid(at.child("weight"), weight, "must be in the range 1-100");
}

void check_node_affinity(error_list& errors, const path& at, const node& affinity) {
  if (const node* required = get(&affinity, "requiredDuringSchedulingIgnoredDuringExecution"))
    check_node_selector(errors, at.child("requiredDuringSchedulingIgnoredDuringExecution"), required);
  const path list = at.child("preferredDuringSchedulingIgnoredDuringExecution");
  each(get(&affinity, "preferredDuringSchedulingIgnoredDuringExecution"), [&](const node& term, std::size_t i) {
    const path here = list.index(i);
    check_weight(errors, here, term);
    if (const node* preference = get(&term, "preference"))
      check_node_term(errors, here.child("preference"), *preference, false);
  });
}

void check_key_list(error_list& errors, const path& at, const node* keys, const node* selector) {
  if (count(keys) == 0) return;
  if (!selector) return errors.forbidden(at, "must not be specified when labelSelector is not set");
  each(keys, [&](const node& key, std::size_t i) { check_label_name(errors, at.index(i), key.string()); });
}

std::ptrdiff_t index_of(const node* list, std::string_view value) {
  std::ptrdiff_t found = -1;
  each(list, [&](const node& e, std::size_t i) {
    if (e.string() == value) found = static_cast<std::ptrdiff_t>(i);
  });
  return found;
}

/// matchLabelKeys and mismatchLabelKeys against each other and against the selector they are merged into.
void check_label_keys(error_list& errors, const path& at, const node& term) {
  const node *match = get(&term, "matchLabelKeys"), *mismatch = get(&term, "mismatchLabelKeys");
  const node* selector = get(&term, "labelSelector");
  if (count(match) == 0 && count(mismatch) == 0) return;
  check_key_list(errors, at.child("matchLabelKeys"), match, selector);
  check_key_list(errors, at.child("mismatchLabelKeys"), mismatch, selector);
  std::vector<std::string_view> used;
  each_member(get(selector, "matchLabels"), [&](std::string_view key, const node&) { used.push_back(key); });
  each(get(selector, "matchExpressions"), [&](const node& expression, std::size_t) {
    const auto key = text(&expression, "key");
    const auto i = index_of(match, key);
    if (i >= 0 && std::find(used.begin(), used.end(), key) != used.end())
      errors.invalid(at.index(static_cast<std::size_t>(i)), key, "exists in both matchLabelKeys and labelSelector");
    used.push_back(key);
  });
  const path list = at.child("matchLabelKeys");
  each(match, [&](const node& key, std::size_t i) {
    if (holds(mismatch, key.string()))
      errors.invalid(list.index(i), key.string(), "exists in both matchLabelKeys and mismatchLabelKeys");
  });
}

void check_pod_term(error_list& errors, const path& at, const node& term) {
  check_label_selector(errors, at.child("labelSelector"), get(&term, "labelSelector"));
  check_label_selector(errors, at.child("namespaceSelector"), get(&term, "namespaceSelector"));
  each(get(&term, "namespaces"), [&](const node& name, std::size_t) {
    errors.invalid(at.child("namespace"), name.string(), name_is_label(name.string(), false));
  });
  check_label_keys(errors, at, term);
  const auto key = text(&term, "topologyKey");
  if (key.empty()) errors.required(at.child("topologyKey"), "can not be empty");
  check_label_name(errors, at.child("topologyKey"), key);
}

void check_pod_affinity(error_list& errors, const path& at, const node& affinity) {
  const path required = at.child("requiredDuringSchedulingIgnoredDuringExecution");
  each(get(&affinity, "requiredDuringSchedulingIgnoredDuringExecution"),
       [&](const node& term, std::size_t i) { check_pod_term(errors, required.index(i), term); });
  const path preferred = at.child("preferredDuringSchedulingIgnoredDuringExecution");
  each(get(&affinity, "preferredDuringSchedulingIgnoredDuringExecution"), [&](const node& term, std::size_t i) {
    const path here = preferred.index(i);
    check_weight(errors, here, term);
    if (const node* inner = get(&term, "podAffinityTerm"))
      check_pod_term(errors, here.child("podAffinityTerm"), *inner);
  });
}

std::string joined(const messages& list, std::string_view separator) {
  std::string out;
  for (const auto& text : list) {
    if (!out.empty()) out.append(separator);
    out.append(text);
  }
  return out;
}

void check_toleration_operator(error_list& errors, const path& at, std::string_view op, std::string_view value) {
  if (op == "Equal" || op.empty()) {
    const auto wrong = label_value(value);
    if (!wrong.empty()) errors.invalid(at, value, joined(wrong, ";"));
  } else if (op == "Exists") {
    if (!value.empty()) errors.invalid(at, value, "value must be empty when `operator` is 'Exists'");
  } else if (op == "Lt" || op == "Gt") {
    errors.not_supported(at, op, {"Equal", "Exists", "Lt", "Gt"});
  } else {
    errors.not_supported(at, op, {"Equal", "Exists"});
  }
}

void check_inclusion(error_list& errors, const path& at, const node* policy) {
  if (policy && policy->string() != "Honor" && policy->string() != "Ignore")
    errors.not_supported(at, policy->string(), {"Honor", "Ignore"});
}

void check_min_domains(error_list& errors, const path& at, const node& constraint) {
  const node* domains = get(&constraint, "minDomains");
  if (!domains) return;
  const auto action = text(&constraint, "whenUnsatisfiable");
  if (domains->integer() <= 0) errors.invalid(at, domains->integer(), "must be greater than zero");
  if (action != "DoNotSchedule")
    errors.invalid(at, domains,
                   "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not " + std::string(action));
}

}  // namespace

void check_node_selector(error_list& errors, const path& at, const node* selector) {
  const path list = at.child("nodeSelectorTerms");
  const node* terms = get(selector, "nodeSelectorTerms");
  if (count(terms) == 0) return errors.required(list, "must have at least one node selector term");
  each(terms, [&](const node& term, std::size_t i) { check_node_term(errors, list.index(i), term, true); });
}

void check_affinity(error_list& errors, const path& at, const node* affinity) {
  if (const node* a = get(affinity, "nodeAffinity")) check_node_affinity(errors, at.child("nodeAffinity"), *a);
  if (const node* a = get(affinity, "podAffinity")) check_pod_affinity(errors, at.child("podAffinity"), *a);
  if (const node* a = get(affinity, "podAntiAffinity")) check_pod_affinity(errors, at.child("podAntiAffinity"), *a);
}

void check_taint_effect(error_list& errors, const path& at, std::string_view effect, bool may_be_empty) {
  if (effect.empty() && !may_be_empty) return errors.required(at);
  if (effect != "NoSchedule" && effect != "PreferNoSchedule" && effect != "NoExecute")
    errors.not_supported(at, effect, {"NoSchedule", "PreferNoSchedule", "NoExecute"});
}

void check_tolerations(error_list& errors, const path& at, const node* tolerations) {
  each(tolerations, [&](const node& toleration, std::size_t i) {
    const path here = at.index(i);
    const auto key = text(&toleration, "key"), op = text(&toleration, "operator"), effect = text(&toleration, "effect");
    if (!key.empty()) check_label_name(errors, here.child("key"), key);
    if (key.empty() && op != "Exists")
      errors.invalid(here.child("operator"), op,
                     "operator must be Exists when `key` is empty, which means \"match all values and all keys\"");
    if (has(&toleration, "tolerationSeconds") && effect != "NoExecute")
      errors.invalid(here.child("effect"), effect, "effect must be 'NoExecute' when `tolerationSeconds` is set");
    check_toleration_operator(errors, here.child("operator"), op, text(&toleration, "value"));
    if (!effect.empty()) check_taint_effect(errors, here.child("effect"), effect, true);
  });
}

void check_topology_spread(error_list& errors, const path& at, const node* constraints) {
  each(constraints, [&](const node& constraint, std::size_t i) {
    const path here = at.index(i);
    const auto skew = number(&constraint, "maxSkew");
    const auto key = text(&constraint, "topologyKey"), action = text(&constraint, "whenUnsatisfiable");
    if (skew <= 0) errors.invalid(here.child("maxSkew"), skew, "must be greater than zero");
    if (key.empty()) errors.required(here.child("topologyKey"), "can not be empty");
    if (action != "DoNotSchedule" && action != "ScheduleAnyway")
      errors.not_supported(here.child("whenUnsatisfiable"), action, {"DoNotSchedule", "ScheduleAnyway"});
    for (std::size_t k = i + 1; k < constraints->size(); ++k) {
      const node& other = constraints->element(k);
      if (text(&other, "topologyKey") != key || text(&other, "whenUnsatisfiable") != action) continue;
      errors.duplicate(here.child("{topologyKey, whenUnsatisfiable}"),
                       "{" + std::string(key) + ", " + std::string(action) + "}");
      break;
    }
    check_min_domains(errors, here.child("minDomains"), constraint);
    check_inclusion(errors, here.child("nodeAffinityPolicy"), get(&constraint, "nodeAffinityPolicy"));
    check_inclusion(errors, here.child("nodeTaintsPolicy"), get(&constraint, "nodeTaintsPolicy"));
    check_label_keys(errors, here, constraint);
    check_label_selector(errors, here.child("labelSelector"), get(&constraint, "labelSelector"));
  });
}

}  // namespace troupe::api::rules
