// Field numbers are those of openapiv2/OpenAPIv2.proto of github.com/google/gnostic.
#include "actors/api_server/discovery/openapi_protobuf.hpp"

#include "messages/document.hpp"

namespace troupe::api {
namespace {

enum : std::uint32_t {
  document_swagger = 1,
  document_info = 2,
  document_paths = 8,
  document_definitions = 9,
  info_title = 1,
  info_version = 2,
  map_entry = 1,  // of Definitions and Properties
  entry_name = 1,
  entry_value = 2,
  any_yaml = 2,
  schema_ref = 1,
  schema_format = 2,
  schema_description = 4,
  schema_default = 5,
  schema_required = 19,
  schema_enum = 20,
  schema_additional_properties = 21,
  schema_type = 22,
  schema_items = 23,
  schema_properties = 25,
  schema_vendor_extension = 31,
  first = 1,  // the only field of TypeItem, ItemsItem, AdditionalPropertiesItem
};

void put_varint(std::string& out, std::uint64_t number) {
  for (; number > 127; number >>= 7) out += static_cast<char>(number | 128);
  out += static_cast<char>(number);
}

/// A string, or a message that has been written.
void put(std::string& out, std::uint32_t field, std::string_view bytes) {
  put_varint(out, field << 3 | 2);
  put_varint(out, bytes.size());
  out += bytes;
}

std::string wrapped(std::uint32_t field, std::string_view bytes) {
  std::string out;
  put(out, field, bytes);
  return out;
}

std::string named(std::string_view name, std::string_view value) {
  auto out = wrapped(entry_name, name);
  put(out, entry_value, value);
  return out;
}

/// An Any holds YAML; JSON is some.
std::string any_of(const node& value) { return wrapped(any_yaml, to_json(value)); }

std::string schema_of(const node& from);

std::string schemas_of(const node& map) {
  std::string out;
  for (auto* one = map.begin_members(); one != map.end_members(); ++one)
    put(out, map_entry, named(one->key, schema_of(one->value)));
  return out;
}

void put_member(std::string& out, std::string_view key, const node& value) {
  if (key == "$ref") return put(out, schema_ref, value.string());
  if (key == "format") return put(out, schema_format, value.string());
  if (key == "description") return put(out, schema_description, value.string());
  if (key == "default") return put(out, schema_default, any_of(value));
  if (key == "type") return put(out, schema_type, wrapped(first, value.string()));
  if (key == "items") return put(out, schema_items, wrapped(first, schema_of(value)));
  if (key == "additionalProperties") return put(out, schema_additional_properties, wrapped(first, schema_of(value)));
  if (key == "properties") return put(out, schema_properties, schemas_of(value));
  if (key.starts_with("x-")) return put(out, schema_vendor_extension, named(key, any_of(value)));
  for (auto* one = value.begin_elements(); one != value.end_elements(); ++one)
    if (key == "required")
      put(out, schema_required, one->string());
    else if (key == "enum")
      put(out, schema_enum, any_of(*one));
}

std::string schema_of(const node& from) {
  std::string out;
  for (auto* one = from.begin_members(); one != from.end_members(); ++one) put_member(out, one->key, one->value);
  return out;
}

}  // namespace

std::string openapi_v2_protobuf(std::string_view json) {
  auto parsed = document::parse(json);
  if (!parsed) return {};
  const auto& root = parsed->root();
  const auto* info = root.find("info");
  const auto* definitions = root.find("definitions");
  if (!info || !definitions) return {};
  auto out = wrapped(document_swagger, root.find("swagger")->string());
  auto about = wrapped(info_title, info->find("title")->string());
  put(about, info_version, info->find("version")->string());
  put(out, document_info, about);
  put(out, document_paths, {});
  put(out, document_definitions, schemas_of(*definitions));
  return out;
}

}  // namespace troupe::api
