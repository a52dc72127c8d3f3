// What strategic merge patch needs to know of a place in an object: its type and how its lists merge.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "messages/schema/schema.hpp"

namespace troupe::api::rules {

/// A struct (by type) or a map whose values have one form. Neither: a place the schema says nothing about.
struct patch_schema {
  std::uint16_t type = schema::no_index;
  const schema::field* map_of = nullptr;
};

/// How one field is patched.
struct patch_meta {
  patch_schema inside;         // of the struct, map or list element
  bool merge = false;          // patchStrategy merge: lists merge
  bool replace = false;        // patchStrategy replace: maps are replaced
  std::string_view merge_key;  // empty for lists of scalars
};

/// Nothing where the struct has no such field.
std::optional<patch_meta> find_patch_meta(const patch_schema& at, std::string_view field);

/// Name of the Go type for messages ("Pod").
std::string_view schema_name(const patch_schema& at);

}  // namespace troupe::api::rules
