// Dispatch by kind.
#include "actors/api_server/validation/kinds.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "actors/api_server/validation/pod_rules.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::api::rules {
namespace {

const std::vector<const kind_rules*>& by_type() {
  static const auto made = [] {
    std::vector<const kind_rules*> out(schema::types().size());
    for (auto list : {core_kinds, service_kinds, workload_kinds, job_kinds, access_kinds, storage_kinds, policy_kinds,
                      network_kinds, certificate_kinds})
      for (auto row = list; row->type; ++row)
        if (const auto type = schema::find_type(row->type); type != schema::no_index) out[type] = row;
    return out;
  }();
  return made;
}

std::uint16_t pod_type() {
  static const auto type = schema::find_type("core/v1.Pod");
  return type;
}

void check_fields(error_list& errors, const path& at, const schema::type& type, const node& object);

void check_value(error_list& errors, const path& at, const schema::field& f, const node& value) {
  if (f.kind == schema::value_kind::structure) {
    if (value.is_object()) check_fields(errors, at, schema::types()[f.type], value);
    return;
  }
  if (f.enumeration == schema::no_index || !value.is_string() || value.string().empty()) return;
  const auto& known = schema::enums()[f.enumeration];
  if (known.closed && std::find(known.values.begin(), known.values.end(), value.string()) == known.values.end())
    errors.not_supported(at, value.string(), known.values);
}

void check_fields(error_list& errors, const path& at, const schema::type& type, const node& object) {
  for (const auto& f : type.fields) {
    if (f.name == "metadata" || f.name == "status") continue;
    const node* value = get(&object, f.name);
    const path here = at.child(f.name);
    const bool text_field = f.form == schema::shape::single && f.kind == schema::value_kind::string;
    if (f.required && text_field && text(value).empty()) {
      errors.required(here);
      continue;
    }
    if (!value) continue;
    if (f.form == schema::shape::single) check_value(errors, here, f, *value);
    if (f.form == schema::shape::list)
      each(value, [&](const node& e, std::size_t i) { check_value(errors, here.index(i), f, e); });
  }
}

void pod_changed(error_list& errors, std::string_view subresource, const node& previous, const node& object) {
  if (subresource == "status") return check_pod_status_update(errors, object, previous);
  if (subresource == "ephemeralcontainers") return check_ephemeral_containers_update(errors, object, previous);
  check_pod_update(errors, object, previous);
}

}  // namespace

const kind_rules* find_kind_rules(std::uint16_t type) { return type < by_type().size() ? by_type()[type] : nullptr; }

void check_by_schema(error_list& errors, std::uint16_t type, const node& object) {
  check_fields(errors, path(""), schema::types()[type], object);
}

error_list validate_new(std::uint16_t type, bool namespaced, const node& object) {
  error_list errors;
  if (type == pod_type()) {
    check_pod_create(errors, object);
    return errors;
  }
  const kind_rules* rules = find_kind_rules(type);
  static const kind_rules none{""};
  const kind_rules& row = rules ? *rules : none;
  check_metadata(errors, path("metadata"), get(&object, "metadata"), namespaced, row.name, row.core_finalizers);
  if (row.spec) row.spec(errors, object);
  if (!rules) check_by_schema(errors, type, object);
  return errors;
}

error_list validate_changed(std::uint16_t type, bool, std::string_view subresource, const node& previous,
                            const node& object) {
  error_list errors;
  if (type == pod_type()) {
    pod_changed(errors, subresource, previous, object);
    return errors;
  }
  const kind_rules* rules = find_kind_rules(type);
  check_metadata_update(errors, path("metadata"), get(&object, "metadata"), get(&previous, "metadata"),
                        !rules || rules->core_finalizers);
  if (subresource == "status") {
    if (rules && rules->status) rules->status(errors, object, previous);
    return errors;
  }
  if (!rules) {
    check_by_schema(errors, type, object);
    return errors;
  }
  if (rules->spec && !rules->spec_only_on_create) rules->spec(errors, object);
  if (rules->update) rules->update(errors, object, previous);
  return errors;
}

}  // namespace troupe::api::rules
