// Looks up patch strategies in the schema table.
#include "actors/api_server/patch/strategic_schema.hpp"

namespace troupe::api::rules {
namespace {

/// The one field with patchStrategy "replace", which the table does not carry (policy/v1).
bool replaces(const schema::type& type, std::string_view field) {
  return field == "selector" && type.id == "policy/v1.PodDisruptionBudgetSpec";
}

}  // namespace

std::optional<patch_meta> find_patch_meta(const patch_schema& at, std::string_view field) {
  patch_meta out;
  if (at.map_of) {
    if (at.map_of->kind == schema::value_kind::structure) out.inside.type = at.map_of->type;
    return out;
  }
  if (at.type == schema::no_index) return std::nullopt;
  const auto& type = schema::types()[at.type];
  const schema::field* f = type.find(field);
  if (!f) return std::nullopt;
  if (f->form == schema::shape::map)
    out.inside.map_of = f;
  else if (f->kind == schema::value_kind::structure)
    out.inside.type = f->type;
  out.merge = f->patch_merge;
  out.replace = replaces(type, field);
  out.merge_key = f->patch_merge_key;
  return out;
}

std::string_view schema_name(const patch_schema& at) {
  return at.type == schema::no_index ? std::string_view() : schema::types()[at.type].name;
}

}  // namespace troupe::api::rules
