// Environment variables and downward API selectors.
#include <algorithm>
#include <array>
#include <string>

#include "actors/api_server/validation/metadata.hpp"
#include "actors/api_server/validation/names.hpp"
#include "actors/api_server/validation/pod_rules.hpp"
#include "actors/api_server/validation/quantities.hpp"

namespace troupe::api::rules {
namespace {

constexpr std::array<std::string_view, 9> env_fields = {
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs",     "status.podIP", "status.podIPs"};
constexpr std::array<std::string_view, 5> volume_fields = {"metadata.annotations", "metadata.labels", "metadata.name",
                                                           "metadata.namespace", "metadata.uid"};
// What the field label conversion of pods knows at all.
constexpr std::array<std::string_view, 14> known_fields = {
    "metadata.annotations", "metadata.labels", "metadata.name",      "metadata.namespace",
    "metadata.uid",         "spec.nodeName",   "spec.restartPolicy", "spec.serviceAccountName",
    "spec.schedulerName",   "status.phase",    "status.hostIP",      "status.hostIPs",
    "status.podIP",         "status.podIPs"};
constexpr std::array<std::string_view, 6> resource_fields = {
    "limits.cpu",   "limits.ephemeral-storage",   "limits.memory",
    "requests.cpu", "requests.ephemeral-storage", "requests.memory"};

/// "metadata.labels['app']" into path and key.
bool subscripted(std::string_view value, std::string_view& field, std::string_view& key) {
  const auto open = value.find("['");
  if (open == std::string_view::npos || open == 0 || !value.ends_with("']") || value.size() < open + 4) return false;
  field = value.substr(0, open);
  key = value.substr(open + 2, value.size() - open - 4);
  return true;
}

void check_key_selector(error_list& errors, const path& at, const node& selector) {
  const auto name = text(&selector, "name"), key = text(&selector, "key");
  errors.invalid(at.child("name"), name, name_is_subdomain(name, false));
  if (key.empty())
    errors.required(at.child("key"));
  else
    errors.invalid(at.child("key"), key, config_map_key(key));
}

void check_file_key(error_list& errors, const path& at, const node& selector) {
  const auto key = text(&selector, "key"), volume = text(&selector, "volumeName"), file = text(&selector, "path");
  if (key.empty())
    errors.required(at.child("key"));
  else
    errors.invalid(at.child("key"), key, environment_name(key));
  if (volume.empty())
    errors.required(at.child("volumeName"));
  else
    errors.invalid(at.child("volumeName"), volume, dns1123_label(volume));
  if (file.empty())
    errors.required(at.child("path"));
  else
    check_no_backsteps(errors, at.child("path"), file);
}

void check_value_from(error_list& errors, const path& at, const node& from, std::string_view value) {
  int sources = 0;
  if (const node* s = get(&from, "fieldRef")) ++sources, check_object_field(errors, at.child("fieldRef"), *s, false);
  if (const node* s = get(&from, "resourceFieldRef"))
    ++sources, check_resource_field(errors, at.child("resourceFieldRef"), *s, false);
  if (const node* s = get(&from, "configMapKeyRef"))
    ++sources, check_key_selector(errors, at.child("configMapKeyRef"), *s);
  if (const node* s = get(&from, "secretKeyRef")) ++sources, check_key_selector(errors, at.child("secretKeyRef"), *s);
  if (const node* s = get(&from, "fileKeyRef")) ++sources, check_file_key(errors, at.child("fileKeyRef"), *s);
  if (sources == 0)
    errors.invalid(at, "",
                   "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or "
                   "`fileKeyRef`");
  else if (!value.empty())
    errors.invalid(at, "", "may not be specified when `value` is not empty");
  else if (sources > 1)
    errors.invalid(at, "", "may not have more than one field specified at a time");
}

bool known_divisor(std::string_view resource, std::string_view divisor) {
  if (resource.ends_with(".cpu")) return divisor == "1m" || divisor == "1";
  constexpr std::array<std::string_view, 13> sizes = {"1",   "1k",  "1M",  "1G",  "1T",  "1P", "1E",
                                                      "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"};
  return one_of(divisor, sizes);
}

void check_divisor(error_list& errors, const path& at, std::string_view resource, const node* divisor) {
  if (to_quantity(divisor).nanos == 0) return;
  const auto canonical = divisor->is_string() ? std::string(divisor->string()) : to_json(*divisor);
  const auto kind = resource.substr(resource.find('.') + 1);
  const bool huge = kind.starts_with("hugepages-");
  if ((kind != "cpu" && kind != "memory" && kind != "ephemeral-storage" && !huge) || known_divisor(resource, canonical))
    return;
  const std::string sizes =
      "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported "
      "with the ";
  if (kind == "cpu")
    errors.invalid(at, resource, "only divisor's values 1m and 1 are supported with the cpu resource");
  else
    errors.invalid(at, resource,
                   sizes +
                       (huge               ? "hugepages"
                        : kind == "memory" ? "memory"
                                           : "local ephemeral storage") +
                       " resource");
}

}  // namespace

void check_object_field(error_list& errors, const path& at, const node& selector, bool volume) {
  const auto version = text(&selector, "apiVersion"), wanted = text(&selector, "fieldPath");
  if (version.empty()) return errors.required(at.child("apiVersion"));
  if (wanted.empty()) return errors.required(at.child("fieldPath"));
  const auto not_converted = [&](const std::string& why) {
    errors.invalid(at.child("fieldPath"), wanted, "error converting fieldPath: " + why);
  };
  if (version != "v1") return not_converted("unsupported pod version: " + std::string(version));
  std::string_view field, key;
  if (subscripted(wanted, field, key)) {
    if (field != "metadata.annotations" && field != "metadata.labels")
      return not_converted("field label does not support subscript: " + std::string(wanted));
    errors.invalid(at, field == "metadata.labels" ? std::string(key) : lower_case(key),
                   qualified_name(field == "metadata.labels" ? std::string(key) : lower_case(key)));
    return;
  }
  if (!one_of(wanted, known_fields)) return not_converted("field label not supported: " + std::string(wanted));
  if (volume && !one_of(wanted, volume_fields)) errors.not_supported(at.child("fieldPath"), wanted, volume_fields);
  if (!volume && !one_of(wanted, env_fields)) errors.not_supported(at.child("fieldPath"), wanted, env_fields);
}

void check_resource_field(error_list& errors, const path& at, const node& selector, bool volume) {
  const auto resource = text(&selector, "resource");
  const bool huge = resource.starts_with("requests.hugepages-") || resource.starts_with("limits.hugepages-");
  if (volume && text(&selector, "containerName").empty())
    errors.required(at.child("containerName"));
  else if (resource.empty())
    errors.required(at.child("resource"));
  else if (!one_of(resource, resource_fields) && !huge)
    errors.not_supported(at.child("resource"), resource, resource_fields);
  check_divisor(errors, at.child("divisor"), resource, get(&selector, "divisor"));
}

void check_env(error_list& errors, const path& at, const node* env) {
  each(env, [&](const node& variable, std::size_t i) {
    const path here = at.index(i);
    const auto name = text(&variable, "name");
    if (name.empty())
      errors.required(here.child("name"));
    else
      errors.invalid(here.child("name"), name, environment_name(name));
    if (const node* from = get(&variable, "valueFrom"))
      check_value_from(errors, here.child("valueFrom"), *from, text(&variable, "value"));
  });
}

void check_env_from(error_list& errors, const path& at, const node* sources) {
  each(sources, [&](const node& source, std::size_t i) {
    const path here = at.index(i);
    const auto prefix = text(&source, "prefix");
    if (!prefix.empty()) errors.invalid(here.child("prefix"), prefix, environment_name(prefix));
    int found = 0;
    for (std::string_view kind : {"configMapRef", "secretRef"}) {
      const node* reference = get(&source, kind);
      if (!reference) continue;
      ++found;
      const path place = here.child(kind);
      const auto name = text(reference, "name");
      if (name.empty())
        errors.required(place.child("name"));
      else
        errors.invalid(place.child("name"), name, name_is_subdomain(name, true));
    }
    if (found == 0) errors.invalid(at, "", "must specify one of: `configMapRef` or `secretRef`");
    if (found > 1) errors.invalid(at, "", "may not have more than one field specified at a time");
  });
}

}  // namespace troupe::api::rules
