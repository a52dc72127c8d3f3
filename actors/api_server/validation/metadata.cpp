// ObjectMeta's rules.
#include "actors/api_server/validation/metadata.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "actors/api_server/validation/access.hpp"

namespace troupe::api::rules {
namespace {

constexpr std::size_t annotation_limit = 256 * 1024;

void check_owner_reference(error_list& errors, const path& at, const node& owner) {
  const auto api_version = text(&owner, "apiVersion"), kind = text(&owner, "kind");
  const auto slash = api_version.find('/');
  const auto version = slash == std::string_view::npos ? api_version : api_version.substr(slash + 1);
  if (version.empty()) errors.invalid(at.child("apiVersion"), api_version, "version must not be empty");
  if (kind.empty()) errors.invalid(at.child("kind"), kind, "must not be empty");
  if (text(&owner, "name").empty()) errors.invalid(at.child("name"), "", "must not be empty");
  if (text(&owner, "uid").empty()) errors.invalid(at.child("uid"), "", "must not be empty");
  if (api_version == "v1" && kind == "Event")
    errors.invalid(at, &owner, "/v1, Kind=Event is disallowed from being an owner");
}

void check_owner_references(error_list& errors, const path& at, const node* owners) {
  std::string controller;
  each(owners, [&](const node& owner, std::size_t) {
    check_owner_reference(errors, at, owner);
    if (!flag(&owner, "controller")) return;
    const auto name = std::string(text(&owner, "kind")) + "/" + std::string(text(&owner, "name"));
    if (!controller.empty())
      errors.invalid(at, owners,
                     "Only one reference can have Controller set to true. Found \"true\" in references for " +
                         controller + " and " + name);
    else
      controller = name;
  });
}

void check_finalizers(error_list& errors, const path& at, const node* finalizers) {
  each(finalizers, [&](const node& f, std::size_t) { errors.invalid(at, f.string(), qualified_name(f.string())); });
  if (holds(finalizers, "orphan") && holds(finalizers, "foregroundDeletion"))
    errors.invalid(at, finalizers, "finalizer orphan and foregroundDeletion cannot be both set");
}

void check_managed_fields(error_list& errors, const path& at, const node* entries) {
  each(entries, [&](const node& entry, std::size_t i) {
    const path here = at.index(i);
    const auto operation = text(&entry, "operation"), type = text(&entry, "fieldsType");
    if (operation != "Apply" && operation != "Update")
      errors.invalid(here.child("operation"), operation, "must be `Apply` or `Update`");
    if (!type.empty() && type != "FieldsV1") errors.invalid(here.child("fieldsType"), type, "must be `FieldsV1`");
    if (text(&entry, "manager").size() > 128) errors.too_long(here.child("manager"), 128);
    if (text(&entry, "subresource").size() > 256) errors.too_long(here.child("subresource"), 256);
  });
}

void check_common(error_list& errors, const path& at, const node* metadata) {
  check_labels(errors, at.child("labels"), get(metadata, "labels"));
  check_annotations(errors, at.child("annotations"), get(metadata, "annotations"));
  check_owner_references(errors, at.child("ownerReferences"), get(metadata, "ownerReferences"));
}

void check_core_finalizers(error_list& errors, const path& at, const node* metadata) {
  const path list = at.child("finalizers");
  each(get(metadata, "finalizers"),
       [&](const node& f, std::size_t i) { check_core_finalizer(errors, list.index(i), f.string()); });
}

/// New finalizers of an object that is being deleted.
void check_no_new_finalizers(error_list& errors, const path& at, const node* finalizers, const node* previous) {
  std::vector<std::string> extra;
  each(finalizers, [&](const node& f, std::size_t) {
    if (!holds(previous, f.string())) extra.push_back(go_quote(f.string()));
  });
  if (extra.empty()) return;
  std::sort(extra.begin(), extra.end());
  extra.erase(std::unique(extra.begin(), extra.end()), extra.end());
  std::string list;
  for (const auto& name : extra) list += (list.empty() ? "" : ", ") + name;
  errors.forbidden(
      at, "no new finalizers can be added if the object is being deleted, found new finalizers []string{" + list + "}");
}

bool requirement_matches(const node& requirement, const node* labels) {
  const auto key = text(&requirement, "key"), op = text(&requirement, "operator");
  const node* value = get(labels, key);
  if (op == "Exists") return value;
  if (op == "DoesNotExist") return !value;
  const bool listed = value && holds(get(&requirement, "values"), value->string());
  return op == "In" ? listed : op == "NotIn" && !listed;
}

}  // namespace

void check_metadata(error_list& errors, const path& at, const node* metadata, bool namespaced, name_check check,
                    bool core_finalizers) {
  const auto generate = text(metadata, "generateName"), name = text(metadata, "name");
  if (!generate.empty()) errors.invalid(at.child("generateName"), generate, check(generate, true));
  if (name.empty())
    errors.required(at.child("name"), "name or generateName is required");
  else
    errors.invalid(at.child("name"), name, check(name, false));
  const auto space = text(metadata, "namespace");
  if (namespaced && space.empty())
    errors.required(at.child("namespace"));
  else if (namespaced)
    errors.invalid(at.child("namespace"), space, name_is_label(space, false));
  else if (!space.empty())
    errors.forbidden(at.child("namespace"), "not allowed on this type");
  check_non_negative(errors, at.child("generation"), number(metadata, "generation"));
  check_common(errors, at, metadata);
  check_finalizers(errors, at.child("finalizers"), get(metadata, "finalizers"));
  check_managed_fields(errors, at.child("managedFields"), get(metadata, "managedFields"));
  if (core_finalizers) check_core_finalizers(errors, at, metadata);
}

void check_metadata_update(error_list& errors, const path& at, const node* metadata, const node* previous,
                           bool core_finalizers) {
  if (has(previous, "deletionTimestamp"))
    check_no_new_finalizers(errors, at.child("finalizers"), get(metadata, "finalizers"), get(previous, "finalizers"));
  if (text(metadata, "resourceVersion").empty())
    errors.invalid(at.child("resourceVersion"), "", "must be specified for an update");
  if (number(metadata, "generation") < number(previous, "generation"))
    errors.invalid(at.child("generation"), number(metadata, "generation"), "must not be decremented");
  for (std::string_view field : {"name", "namespace", "uid"})
    if (text(metadata, field) != text(previous, field))
      errors.invalid(at.child(field), text(metadata, field), immutable_message);
  for (std::string_view field : {"creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"})
    check_immutable(errors, at.child(field), get(metadata, field), get(previous, field));
  check_common(errors, at, metadata);
  check_managed_fields(errors, at.child("managedFields"), get(metadata, "managedFields"));
  if (core_finalizers) check_core_finalizers(errors, at, metadata);
}

void check_labels(error_list& errors, const path& at, const node* labels) {
  each_member(labels, [&](std::string_view key, const node& value) {
    check_label_name(errors, at, key);
    errors.invalid(at, value.string(), label_value(value.string()));
  });
}

void check_label_name(error_list& errors, const path& at, std::string_view key) {
  errors.invalid(at, key, qualified_name(key));
}

void check_annotations(error_list& errors, const path& at, const node* annotations) {
  std::size_t total = 0;
  each_member(annotations, [&](std::string_view key, const node& value) {
    const bool capitals = std::any_of(key.begin(), key.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    errors.invalid(at, key, capitals ? qualified_name(lower_case(key)) : qualified_name(key));
    total += key.size() + value.string().size();
  });
  if (total > annotation_limit) errors.too_long(at, static_cast<std::int64_t>(annotation_limit));
}

void check_label_selector(error_list& errors, const path& at, const node* selector, bool any_value) {
  if (!selector) return;
  check_labels(errors, at.child("matchLabels"), get(selector, "matchLabels"));
  const path list = at.child("matchExpressions");
  each(get(selector, "matchExpressions"), [&](const node& requirement, std::size_t i) {
    const path here = list.index(i);
    const auto op = text(&requirement, "operator");
    const node* values = get(&requirement, "values");
    if (op == "In" || op == "NotIn") {
      if (count(values) == 0)
        errors.required(here.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
    } else if (op == "Exists" || op == "DoesNotExist") {
      if (count(values) > 0)
        errors.forbidden(here.child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    } else {
      errors.invalid(here.child("operator"), op, "not a valid selector operator");
    }
    check_label_name(errors, here.child("key"), text(&requirement, "key"));
    if (any_value) return;
    const path values_path = here.child("values");
    each(values, [&](const node& value, std::size_t k) {
      errors.invalid(values_path.index(k), value.string(), label_value(value.string()));
    });
  });
}

void check_core_finalizer(error_list& errors, const path& at, std::string_view name) {
  if (name.find('/') != std::string_view::npos) return;
  if (name != "kubernetes" && name != "orphan" && name != "foregroundDeletion")
    errors.invalid(at, name, "name is neither a standard finalizer name nor is it fully qualified");
}

void check_non_negative(error_list& errors, const path& at, std::int64_t value) {
  if (value < 0) errors.invalid(at, value, negative_message);
}

void check_counts(error_list& errors, const path& at, const node* holder,
                  std::initializer_list<std::string_view> fields) {
  for (auto field : fields)
    if (has(holder, field)) check_non_negative(errors, at.child(field), number(holder, field));
}

void check_immutable(error_list& errors, const path& at, const node* value, const node* previous) {
  if (!same(value, previous)) errors.invalid(at, value, immutable_message);
}

void check_conditions(error_list& errors, const path& at, const node* conditions) {
  std::vector<std::string_view> seen;
  each(conditions, [&](const node& condition, std::size_t i) {
    const path here = at.index(i);
    const auto type = text(&condition, "type"), value = text(&condition, "status"), why = text(&condition, "reason");
    if (std::find(seen.begin(), seen.end(), type) != seen.end())
      errors.duplicate(here.child("type"), type);
    else
      seen.push_back(type);
    check_label_name(errors, here.child("type"), type);
    if (value != "True" && value != "False" && value != "Unknown")
      errors.not_supported(here.child("status"), value, {"False", "True", "Unknown"});
    if (number(&condition, "observedGeneration") < 0)
      errors.invalid(here.child("observedGeneration"), number(&condition, "observedGeneration"),
                     "must be greater than or equal to zero");
    if (text(&condition, "lastTransitionTime").empty()) errors.required(here.child("lastTransitionTime"));
    if (why.empty()) errors.required(here.child("reason"));
    if (why.size() > 1024) errors.too_long(here.child("reason"), 1024);
    if (text(&condition, "message").size() > 32768) errors.too_long(here.child("message"), 32768);
  });
}

bool selector_matches(const node* selector, const node* labels) {
  if (!selector) return false;
  bool matches = true;
  each_member(get(selector, "matchLabels"), [&](std::string_view key, const node& value) {
    const node* found = get(labels, key);
    matches = matches && found && found->string() == value.string();
  });
  each(get(selector, "matchExpressions"),
       [&](const node& requirement, std::size_t) { matches = matches && requirement_matches(requirement, labels); });
  return matches;
}

bool selector_empty(const node* selector) {
  return count(selector, "matchLabels") == 0 && count(selector, "matchExpressions") == 0;
}

}  // namespace troupe::api::rules
