// The schema table: every built-in Kubernetes type, field and resource as constant data, generated at build time from
// messages/schema/data/*.json. Pruning, checks, defaulting, patches, OpenAPI, tables and explain all run on it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace troupe::schema {

/// What a field's value (or its list element, or its map value) is.
enum class value_kind : std::uint8_t {
  boolean,
  int32,
  int64,
  real,
  string,
  bytes,      // bytes: base64 in JSON
  structure,  // field::type says which
  time,
  micro_time,
  duration,
  quantity,
  int_or_string,
  raw,  // RawExtension, FieldsV1: any JSON object, kept as it is
  any,  // any JSON value, kept as it is
  schema_or_array,
  schema_or_bool,
  schema_or_strings,  // apiextensions
};
enum class shape : std::uint8_t { single, list, map, map_of_lists };  // map keys are strings
enum class list_type : std::uint8_t { none, atomic, set, map };

constexpr std::uint16_t no_index = 0xffff;

/// One field of a type, in declaration order (the order of canonical JSON). Inlined structs are flattened.
struct field {
  std::string_view name;
  std::uint16_t number;  // protobuf field number
  value_kind kind;
  shape form;
  std::uint16_t type;         // index into types() when kind is structure, else no_index
  std::uint16_t enumeration;  // index into enums(), or no_index
  bool pointer;               // *T in Go: absence and zero differ
  bool omit_empty;            // left out of JSON when empty
  bool omit_zero;             // left out when zero, also structs and times
  bool required;              // by OpenAPI; the server enforces through validation
  list_type list;
  bool patch_merge;         // patchStrategy merge
  bool patch_replace_keys;  // patchStrategy retainKeys
  bool atomic_map;          // mapType or structType atomic
  std::string_view patch_merge_key;
  std::span<const std::string_view> list_map_keys;
  std::string_view default_json;  // "+default" marker, as JSON; empty: none
  std::string_view zero_json;     // what Go writes when the field is absent; empty: nothing
  std::string_view alias;         // Go's named type ("v1.ResourceList"), for decode errors; empty: none
  std::string_view embedded;      // Go structs it is flattened out of ("VolumeSource."), for decode errors

  /// `"name":` as it stands in JSON.
  std::string_view json_key() const { return {name.data() - 1, name.size() + 3}; }
};

struct type {
  std::string_view id;    // "core/v1.Pod"
  std::string_view name;  // "Pod"
  std::span<const field> fields;
  bool has_type_meta;                     // kind and apiVersion come first
  std::uint16_t package;                  // index into packages()
  std::span<const std::uint16_t> always;  // ordinals of the fields with a zero_json, ascending
  // Perfect hash of the field names: slot (bits * multiplier) >> shift.
  std::uint64_t multiplier;
  std::uint8_t shift;
  std::span<const std::uint8_t> slots;
  /// The field's position in `fields`, or no_index. Constant time (perfect hash or short scan).
  std::uint16_t index_of(std::string_view field_name) const;
  const field* find(std::string_view field_name) const {
    auto i = index_of(field_name);
    return i == no_index ? nullptr : &fields[i];
  }
};

struct enumeration {
  std::string_view id;  // "core/v1.Protocol"
  bool closed;          // enum:true, so OpenAPI publishes it
  std::span<const std::string_view> values;
};

struct package {
  std::string_view id;       // "core/v1"
  std::string_view group;    // "" for core
  std::string_view version;  // "v1"
  std::string_view openapi;  // "io.k8s.api.core.v1"
  std::span<const std::string_view> kinds;
};

// Verbs of a resource or subresource, as bits.
enum verb : std::uint16_t {
  verb_create = 1,
  verb_delete = 2,
  verb_deletecollection = 4,
  verb_get = 8,
  verb_list = 16,
  verb_patch = 32,
  verb_update = 64,
  verb_watch = 128,
};

struct subresource {
  std::string_view name;  // "status"
  std::string_view group, version, kind;
  std::uint16_t type;  // index into types(), or no_index
  std::uint16_t verbs;
};

struct column {
  std::string_view name, type, format, description;
  int priority;
};

struct resource {
  std::string_view group, version, kind, list_kind, plural, singular;
  bool namespaced;
  std::span<const std::string_view> short_names;
  std::span<const std::string_view> categories;
  std::uint16_t verbs;
  std::uint16_t type;  // index into types()
  std::span<const subresource> subresources;
  std::string_view storage_version_hash;
  /// Resource that holds the stored form when this is another version or group of the same objects (HPA v1,
  /// events.k8s.io), else its own index.
  std::uint16_t storage;
  std::span<const column> columns;
  const subresource* find_subresource(std::string_view name) const;
};

struct group_version {
  std::string_view group, version;
  int group_priority, version_priority;
};

std::span<const type> types();
std::span<const enumeration> enums();
std::span<const package> packages();
std::span<const resource> resources();
std::span<const group_version> group_versions();  // in discovery order

/// Index of a type by id ("core/v1.Pod"), or no_index.
std::uint16_t find_type(std::string_view id);
/// Index of a resource, or no_index. Constant time.
std::uint16_t find_resource(std::string_view group, std::string_view version, std::string_view plural);
/// By kind; the resource whose objects have it.
std::uint16_t find_kind(std::string_view group, std::string_view version, std::string_view kind);

}  // namespace troupe::schema
