// Types of the schema table as OpenAPI schemas: components of a v3 document, definitions of the v2 document.
#include "actors/api_server/discovery/openapi_schema.hpp"

#include <algorithm>
#include <vector>

#include "actors/api_server/discovery/groups.hpp"

namespace troupe::api {
inline namespace discovery_detail {

namespace {

using schema::value_kind;

/// type and format of a scalar; empty for kinds that are references.
std::string_view scalar_schema(value_kind kind) {
  switch (kind) {
    case value_kind::boolean:
      return R"("type":"boolean")";
    case value_kind::int32:
      return R"("type":"integer","format":"int32")";
    case value_kind::int64:
      return R"("type":"integer","format":"int64")";
    case value_kind::real:
      return R"("type":"number","format":"double")";
    case value_kind::string:
      return R"("type":"string")";
    case value_kind::bytes:
      return R"("type":"string","format":"byte")";
    default:
      return {};
  }
}

std::string_view scalar_zero(value_kind kind) {
  switch (kind) {
    case value_kind::boolean:
      return "false";
    case value_kind::int32:
    case value_kind::int64:
    case value_kind::real:
      return "0";
    case value_kind::string:
      return "\"\"";
    default:
      return {};
  }
}

struct special_definition {
  std::string_view name, v2, v3;
};

/// The definition of a kind that Go types with their own JSON form have.
special_definition special_of(value_kind kind, std::string_view field_name) {
  constexpr std::string_view any_object = R"({"type":"object"})", any = "{}";
  switch (kind) {
    case value_kind::time:
      return {"io.k8s.apimachinery.pkg.apis.meta.v1.Time", R"({"type":"string","format":"date-time"})",
              R"({"type":"string","format":"date-time"})"};
    case value_kind::micro_time:
      return {"io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", R"({"type":"string","format":"date-time"})",
              R"({"type":"string","format":"date-time"})"};
    case value_kind::duration:
      return {"io.k8s.apimachinery.pkg.apis.meta.v1.Duration", R"({"type":"string"})", R"({"type":"string"})"};
    case value_kind::quantity:
      return {"io.k8s.apimachinery.pkg.api.resource.Quantity", R"({"type":"string"})",
              R"({"oneOf":[{"type":"string"},{"type":"number"}]})"};
    case value_kind::int_or_string:
      return {"io.k8s.apimachinery.pkg.util.intstr.IntOrString", R"({"type":"string","format":"int-or-string"})",
              R"({"format":"int-or-string","oneOf":[{"type":"integer"},{"type":"string"}]})"};
    case value_kind::raw:
      if (field_name == "fieldsV1") return {"io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1", any_object, any_object};
      return {"io.k8s.apimachinery.pkg.runtime.RawExtension", any_object, any_object};
    case value_kind::schema_or_array:
      return {"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray", any, any};
    case value_kind::schema_or_bool:
      return {"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool", any, any};
    case value_kind::schema_or_strings:
      return {"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray", any, any};
    default:
      return {"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON", any, any};
  }
}

/// The default that stands beside a property: its marker, {} for a struct, zero for a scalar that is always written.
std::string_view property_default(const schema::field& of) {
  if (!of.default_json.empty()) return of.default_json;
  if (of.form != schema::shape::single || of.pointer) return {};
  if (of.kind == value_kind::structure) return "{}";
  return of.omit_empty ? std::string_view() : scalar_zero(of.kind);
}

void write_list_extensions(json_writer& out, const schema::field& from) {
  if (from.form == schema::shape::list && from.list != schema::list_type::none) {
    static constexpr std::string_view names[] = {"", "atomic", "set", "map"};
    if (!from.list_map_keys.empty()) out.member("x-kubernetes-list-map-keys", from.list_map_keys);
    out.member("x-kubernetes-list-type", names[static_cast<std::size_t>(from.list)]);
  }
  if (from.atomic_map) out.member("x-kubernetes-map-type", "atomic");
  if (!from.patch_merge_key.empty()) out.member("x-kubernetes-patch-merge-key", from.patch_merge_key);
  if (from.patch_merge || from.patch_replace_keys)
    out.member("x-kubernetes-patch-strategy", !from.patch_merge         ? "retainKeys"
                                              : from.patch_replace_keys ? "merge,retainKeys"
                                                                        : "merge");
}

bool is_option_kind(std::string_view name) { return name == "DeleteOptions" || name == "WatchEvent"; }

/// x-kubernetes-group-version-kind of a type that is a kind; options belong to every group.
void write_kinds(json_writer& out, const schema::type& from) {
  const schema::package& package = schema::packages()[from.package];
  bool options = package.id == "meta/v1" && is_option_kind(from.name);
  bool kind = std::find(package.kinds.begin(), package.kinds.end(), from.name) != package.kinds.end();
  if (!options && !(kind && from.has_type_meta)) return;
  out.key("x-kubernetes-group-version-kind").open_list();
  if (options)
    for (const auto& gv : served_versions()) write_group_version_kind(out, gv.group, gv.version, from.name);
  else
    write_group_version_kind(out, package.group, package.version, from.name);
  out.close_list();
}

}  // namespace

std::string definition_name(const schema::type& of) {
  return std::string(schema::packages()[of.package].openapi) + "." + std::string(of.name);
}

std::string definition_reference(openapi_dialect dialect, std::string_view name) {
  return (dialect == openapi_dialect::v3 ? "#/components/schemas/" : "#/definitions/") + std::string(name);
}

void write_group_version_kind(json_writer& out, std::string_view group, std::string_view version,
                              std::string_view kind) {
  out.open().member("group", group).member("kind", kind).member("version", version).close();
}

void definition_set::add(std::uint16_t type) {
  if (type == schema::no_index) return;
  const schema::type& from = schema::types()[type];
  auto [place, fresh] = definitions_.emplace(definition_name(from), std::string());
  if (!fresh) return;
  std::string text;
  json_writer out(text);
  write_type(out, from);
  place->second = std::move(text);  // map places stay where they are while others are added
  for (const schema::field& field : from.fields)
    if (field.kind == value_kind::structure) add(field.type);
}

void definition_set::write(json_writer& out) const {
  out.open();
  for (const auto& [name, json] : definitions_) out.key(name).raw(json);
  out.close();
}

std::string definition_set::special(value_kind kind, std::string_view field_name) {
  special_definition found = special_of(kind, field_name);
  definitions_.emplace(found.name, dialect_ == openapi_dialect::v3 ? found.v3 : found.v2);
  return std::string(found.name);
}

void definition_set::write_reference(json_writer& out, std::string_view name, std::string_view default_json) {
  std::string reference = definition_reference(dialect_, name);
  if (dialect_ == openapi_dialect::v2) {
    out.member("$ref", std::string_view(reference));
    return;
  }
  if (!default_json.empty()) out.key("default").raw(default_json);
  out.key("allOf").open_list().open().member("$ref", std::string_view(reference)).close().close_list();
}

/// The value itself, a list's element or a map's value, without the braces around it.
void definition_set::write_element(json_writer& out, const schema::field& from, bool with_default) {
  std::string_view scalar = scalar_schema(from.kind);
  std::string_view fallback = !with_default                        ? std::string_view()
                              : from.kind == value_kind::structure ? std::string_view("{}")
                                                                   : scalar_zero(from.kind);
  if (from.kind == value_kind::structure) {
    write_reference(out, definition_name(schema::types()[from.type]), fallback);
  } else if (scalar.empty()) {
    write_reference(out, special(from.kind, from.name), {});
  } else {
    if (dialect_ == openapi_dialect::v3 && !fallback.empty()) out.key("default").raw(fallback);
    out.raw(scalar);
  }
  if (from.enumeration != schema::no_index && schema::enums()[from.enumeration].closed) {
    auto values = schema::enums()[from.enumeration].values;
    std::vector<std::string_view> sorted(values.begin(), values.end());
    std::sort(sorted.begin(), sorted.end());
    out.member("enum", sorted);
  }
}

void definition_set::write_property(json_writer& out, const schema::field& from) {
  out.open();
  switch (from.form) {
    case schema::shape::single: {
      std::string_view fallback = property_default(from);
      bool reference = scalar_schema(from.kind).empty();
      if (dialect_ == openapi_dialect::v3 && !fallback.empty()) out.key("default").raw(fallback);
      write_element(out, from, false);
      // A reference in v2 may have no siblings that a parser would honour.
      if (!(reference && dialect_ == openapi_dialect::v2)) write_list_extensions(out, from);
      out.close();
      return;
    }
    case schema::shape::list:
      out.member("type", "array").key("items").open();
      write_element(out, from, true);
      out.close();
      break;
    case schema::shape::map:
      out.member("type", "object").key("additionalProperties").open();
      write_element(out, from, true);
      out.close();
      break;
    case schema::shape::map_of_lists:
      out.member("type", "object").key("additionalProperties").open().member("type", "array").key("items").open();
      write_element(out, from, true);
      out.close().close();
      break;
  }
  write_list_extensions(out, from);
  out.close();
}

void definition_set::write_type(json_writer& out, const schema::type& from) {
  out.open().member("type", "object");
  std::vector<std::string_view> required;
  for (const schema::field& field : from.fields)
    if (field.required) required.push_back(field.name);
  if (!required.empty()) out.member("required", required);
  out.key("properties").open();
  if (from.has_type_meta)
    for (std::string_view name : {"apiVersion", "kind"}) out.key(name).open().member("type", "string").close();
  for (const schema::field& field : from.fields) {
    if (from.has_type_meta && (field.name == "apiVersion" || field.name == "kind")) continue;
    out.key(field.name);
    write_property(out, field);
  }
  out.close();
  write_kinds(out, from);
  out.close();
}

}  // namespace discovery_detail
}  // namespace troupe::api
