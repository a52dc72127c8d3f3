// Volume mounts and block devices of a container.
#include <vector>

#include "actors/api_server/validation/pod_rules.hpp"

namespace troupe::api::rules {
namespace {

bool any_has(const node* list, std::string_view field, std::string_view value) {
  bool found = false;
  each(list, [&](const node& item, std::size_t) { found = found || text(&item, field) == value; });
  return found;
}

void check_propagation(error_list& errors, const path& at, const node& mount, const node& container) {
  const node* value = get(&mount, "mountPropagation");
  if (!value) return;
  const auto mode = value->string();
  if (mode != "Bidirectional" && mode != "HostToContainer" && mode != "None")
    errors.not_supported(at, mode, {"Bidirectional", "HostToContainer", "None"});
  if (mode == "Bidirectional" && !flag(get(&container, "securityContext"), "privileged"))
    errors.forbidden(at, "Bidirectional mount propagation is available only to privileged containers");
}

void check_recursive_read_only(error_list& errors, const path& at, const node& mount) {
  const node* value = get(&mount, "recursiveReadOnly");
  if (!value || value->string() == "Disabled") return;
  if (value->string() != "Enabled" && value->string() != "IfPossible")
    return errors.not_supported(at, value->string(), {"Disabled", "Enabled", "IfPossible"});
  if (!flag(&mount, "readOnly")) errors.forbidden(at, "may only be specified when readOnly is true");
  const node* propagation = get(&mount, "mountPropagation");
  if (propagation && propagation->string() != "None")
    errors.forbidden(at, "may only be specified when mountPropagation is None or not specified");
}

void check_sub_paths(error_list& errors, const path& list, const path& at, const node& mount) {
  const auto sub_path = text(&mount, "subPath"), expression = text(&mount, "subPathExpr");
  if (!sub_path.empty()) check_descending_path(errors, list.child("subPath"), sub_path);
  if (expression.empty()) return;
  if (!sub_path.empty())
    errors.invalid(at.child("subPathExpr"), expression, "subPathExpr and subPath are mutually exclusive");
  check_descending_path(errors, list.child("subPathExpr"), expression);
}

}  // namespace

void check_mounts(error_list& errors, const path& at, const node& container, const pod_scope& scope) {
  const node* devices = get(&container, "volumeDevices");
  std::vector<std::string_view> points;
  each(get(&container, "volumeMounts"), [&](const node& mount, std::size_t i) {
    const path here = at.index(i);
    const auto name = text(&mount, "name"), where = text(&mount, "mountPath");
    if (name.empty()) errors.required(here.child("name"));
    if (!scope.volume(name)) errors.not_found(here.child("name"), name);
    if (where.empty()) errors.required(here.child("mountPath"));
    if (one_of(where, points)) errors.invalid(here.child("mountPath"), where, "must be unique");
    points.push_back(where);
    if (any_has(devices, "name", name))
      errors.invalid(here.child("name"), name, "must not already exist in volumeDevices");
    if (any_has(devices, "devicePath", where))
      errors.invalid(here.child("mountPath"), where, "must not already exist as a path in volumeDevices");
    check_sub_paths(errors, at, here, mount);
    check_propagation(errors, at.child("mountPropagation"), mount, container);
    check_recursive_read_only(errors, at.child("recursiveReadOnly"), mount);
  });
}

void check_devices(error_list& errors, const path& at, const node& container, const pod_scope& scope) {
  const node* mounts = get(&container, "volumeMounts");
  std::vector<std::string_view> paths, names;
  each(get(&container, "volumeDevices"), [&](const node& device, std::size_t i) {
    const path here = at.index(i);
    const auto name = text(&device, "name"), where = text(&device, "devicePath");
    const node* volume = scope.volume(name);
    const bool claim = has(volume, "persistentVolumeClaim") || has(volume, "ephemeral");
    if (name.empty()) errors.required(here.child("name"));
    if (one_of(name, names)) errors.invalid(here.child("name"), name, "must be unique");
    if (volume && !claim)
      errors.invalid(here.child("name"), name,
                     "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode");
    if (!volume) errors.not_found(here.child("name"), name);
    if (where.empty()) errors.required(here.child("devicePath"));
    if (one_of(where, paths)) errors.invalid(here.child("devicePath"), where, "must be unique");
    error_list steps;
    check_no_backsteps(steps, here, where);
    if (!where.empty() && !steps.empty())
      errors.invalid(here.child("devicePath"), where, "can not contain backsteps ('..')");
    else
      paths.push_back(where);
    if (any_has(mounts, "name", name))
      errors.invalid(here.child("name"), name, "must not already exist in volumeMounts");
    if (any_has(mounts, "mountPath", where))
      errors.invalid(here.child("devicePath"), where, "must not already exist as a path in volumeMounts");
    if (!name.empty()) names.push_back(name);
  });
}

}  // namespace troupe::api::rules
