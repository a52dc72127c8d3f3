// Persistent volumes, claims, storage classes.
#include <algorithm>
#include <string>

#include "actors/api_server/validation/kinds.hpp"
#include "actors/api_server/validation/pod_rules.hpp"
#include "actors/api_server/validation/quantities.hpp"

namespace troupe::api::rules {
namespace {

void check_access_modes(error_list& errors, const path& at, const node* modes, std::string_view missing) {
  if (count(modes) == 0) errors.required(at, missing);
  bool single = false, other = false;
  each(modes, [&](const node& mode, std::size_t) {
    const bool known = one_of(mode.string(), {"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"});
    if (!known)
      errors.not_supported(at, mode.string(), {"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"});
    single = single || mode.string() == "ReadWriteOncePod";
    other = other || (known && mode.string() != "ReadWriteOncePod");
  });
  if (single && other) errors.forbidden(at, "may not use ReadWriteOncePod with other access modes");
}

void check_volume_mode(error_list& errors, const path& at, const node* spec) {
  const node* mode = get(spec, "volumeMode");
  if (mode && !one_of(mode->string(), {"Block", "Filesystem"}))
    errors.not_supported(at.child("volumeMode"), mode->string(), {"Block", "Filesystem"});
}

void check_class_name(error_list& errors, const path& at, const node* spec, std::string_view field) {
  const auto name = text(spec, field);
  if (!name.empty()) errors.invalid(at.child(field), name, dns1123_subdomain(name));
}

constexpr std::string_view selectable_fields[] = {
    "capacity",     "accessModes", "claimRef",     "persistentVolumeReclaimPolicy", "storageClassName",
    "mountOptions", "volumeMode",  "nodeAffinity", "volumeAttributesClassName"};

bool is_source(std::string_view field) {
  return std::find(std::begin(selectable_fields), std::end(selectable_fields), field) == std::end(selectable_fields);
}

void check_capacity(error_list& errors, const path& at, const node* capacity) {
  if (count(capacity) == 0) errors.required(at);
  if (!get(capacity, "storage") || count(capacity) > 1)
    errors.not_supported_json(at, capacity ? to_json(*capacity) : "null", {"storage"});
  each_member(capacity, [&](std::string_view name, const node& value) {
    if (to_quantity(&value).nanos <= 0) errors.invalid(at.key(name), shown(value), "must be greater than zero");
  });
}

void spec_volume(error_list& errors, const node& object) {
  const path at("spec");
  const node* spec = get(&object, "spec");
  check_access_modes(errors, at.child("accessModes"), get(spec, "accessModes"), "");
  check_capacity(errors, at.child("capacity"), get(spec, "capacity"));
  const auto policy = text(spec, "persistentVolumeReclaimPolicy");
  if (!policy.empty() && !one_of(policy, {"Delete", "Recycle", "Retain"}))
    errors.not_supported(at.child("persistentVolumeReclaimPolicy"), policy, {"Delete", "Recycle", "Retain"});
  if (const node* required = get(spec, "nodeAffinity", "required"))
    check_node_selector(errors, at.child("nodeAffinity.required"), required);
  else if (has(spec, "nodeAffinity"))
    errors.required(at.child("nodeAffinity.required"), "must specify required node constraints");
  int sources = 0;
  each_member(spec, [&](std::string_view field, const node& value) {
    if (!is_source(field) || value.is_null()) return;
    if (++sources > 1) errors.forbidden(at.child(field), "may not specify more than 1 volume type");
    if (field == "hostPath" && text(&value, "path").empty()) errors.required(at.child("hostPath.path"));
    if (field == "hostPath" && text(&value, "path") == "/" && policy == "Recycle")
      errors.forbidden(at.child("persistentVolumeReclaimPolicy"), "may not be 'recycle' for a hostPath mount of '/'");
  });
  if (sources == 0) errors.required(at, "must specify a volume type");
  check_class_name(errors, at, spec, "storageClassName");
  check_volume_mode(errors, at, spec);
}

void update_volume(error_list& errors, const node& object, const node& previous) {
  const node *spec = get(&object, "spec"), *old = get(&previous, "spec");
  bool changed = false;
  const auto compare = [&](std::string_view field, const node&) {
    if (is_source(field) && !same(get(spec, field), get(old, field))) changed = true;
  };
  each_member(spec, compare);
  each_member(old, compare);
  if (changed)
    errors.forbidden(path("spec.persistentvolumesource"), "spec.persistentvolumesource is immutable after creation\n");
  check_immutable(errors, path("volumeMode"), get(spec, "volumeMode"), get(old, "volumeMode"));
}

void check_data_source(error_list& errors, const path& at, const node* source) {
  if (!source) return;
  if (text(source, "name").empty()) errors.required(at.child("name"));
  const auto kind = text(source, "kind"), group = text(source, "apiGroup");
  if (kind.empty()) errors.required(at.child("kind"));
  if (group.empty() && kind != "PersistentVolumeClaim")
    errors.invalid(at, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
  if (!group.empty()) errors.invalid(at.child("apiGroup"), group, dns1123_subdomain(group));
}

void spec_claim(error_list& errors, const node& object) {
  const path at("spec");
  const node* spec = get(&object, "spec");
  const path modes = at.child("accessModes");
  if (count(spec, "accessModes") == 0) errors.required(modes, "at least 1 access mode is required");
  check_label_selector(errors, at.child("selector"), get(spec, "selector"));
  if (count(spec, "accessModes") > 0) check_access_modes(errors, modes, get(spec, "accessModes"), "");
  const path resources = at.child("resources");
  const node* storage = get(spec, "resources", "requests", "storage");
  if (!storage)
    errors.required(resources.key("storage"));
  else if (to_quantity(storage).nanos <= 0)
    errors.invalid(resources.key("storage"), shown(*storage), "must be greater than zero");
  check_class_name(errors, at, spec, "storageClassName");
  check_volume_mode(errors, at, spec);
  check_data_source(errors, at.child("dataSource"), get(spec, "dataSource"));
  check_data_source(errors, at.child("dataSourceRef"), get(spec, "dataSourceRef"));
  check_class_name(errors, at, spec, "volumeAttributesClassName");
}

void update_claim(error_list& errors, const node& object, const node& previous) {
  const node *spec = get(&object, "spec"), *old = get(&previous, "spec");
  const bool bound = text(get(&object, "status"), "phase") == "Bound";
  const node *size = get(spec, "resources", "requests", "storage"),
             *before = get(old, "resources", "requests", "storage");
  bool changed = false;
  const auto compare = [&](std::string_view field, const node&) {
    if (field == "volumeName" && text(old, "volumeName").empty()) return;
    if (bound && (field == "resources" || field == "volumeAttributesClassName")) return;
    if (field == "storageClassName" && !has(old, "storageClassName")) return;
    changed = changed || !same(get(spec, field), get(old, field));
  };
  each_member(spec, compare);
  each_member(old, compare);
  if (changed)
    errors.forbidden(
        path("spec"),
        "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound "
        "claims\n");
  const auto held = to_quantity(get(&previous, "status", "capacity", "storage"));
  if (size && before && to_quantity(size) < to_quantity(before) && to_quantity(size) <= held)
    errors.forbidden(path("spec.resources.requests.storage"), "field can not be less than status.capacity");
  check_immutable(errors, path("volumeMode"), get(spec, "volumeMode"), get(old, "volumeMode"));
}

void spec_storage_class(error_list& errors, const node& object) {
  const auto provisioner = text(&object, "provisioner");
  std::string lower(provisioner);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (provisioner.empty())
    errors.required(path("provisioner"));
  else
    errors.invalid(path("provisioner"), lower, qualified_name(lower));
  const auto policy = text(&object, "reclaimPolicy");
  if (!policy.empty() && !one_of(policy, {"Delete", "Retain"}))
    errors.not_supported(path("reclaimPolicy"), policy, {"Delete", "Retain"});
  const node* mode = get(&object, "volumeBindingMode");
  if (!mode)
    errors.required(path("volumeBindingMode"));
  else if (!one_of(mode->string(), {"Immediate", "WaitForFirstConsumer"}))
    errors.not_supported(path("volumeBindingMode"), mode->string(), {"Immediate", "WaitForFirstConsumer"});
}

void update_storage_class(error_list& errors, const node& object, const node& previous) {
  for (std::string_view field : {"parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"})
    check_immutable(errors, path(field), get(&object, field), get(&previous, field));
}

}  // namespace

const kind_rules storage_kinds[] = {
    {.type = "core/v1.PersistentVolume", .spec = spec_volume, .update = update_volume},
    {.type = "core/v1.PersistentVolumeClaim", .spec = spec_claim, .update = update_claim},
    {.type = "storage/v1.StorageClass",
     .spec = spec_storage_class,
     .update = update_storage_class,
     .spec_only_on_create = true},
    {.type = nullptr},
};

}  // namespace troupe::api::rules
