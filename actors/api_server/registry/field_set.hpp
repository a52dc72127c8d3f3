// Sets of field paths, as metadata.managedFields keeps them, and what changed between two objects in those terms.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "messages/document.hpp"

namespace troupe::api {

/// A set of paths. Keys are path elements in FieldsV1 form ("f:spec", "k:{\"name\":\"a\"}", "v:\"x\"") and live in a
/// document's memory or the schema table.
struct field_set {
  struct child_set;
  bool self = false;  // the path up to here is a member
  std::vector<child_set> children;

  bool empty() const { return !self && children.empty(); }
  /// The child of that key, made if absent.
  field_set& child(std::string_view key);
  /// Adds a child whose key is not there yet.
  field_set& append(std::string_view key, field_set below);
  const field_set* find(std::string_view key) const;
  /// Adds all paths of the other.
  void add(const field_set& other);
  /// Removes the other's paths.
  void subtract(const field_set& other);
};

/// What is below one path element. Not a std::pair: that wants to know all about the type it is a part of.
struct field_set::child_set {
  std::string_view key;
  field_set below;
};

/// What an update did: paths that appeared or got another value, and paths that went.
struct field_difference {
  field_set changed;
  field_set removed;
};

/// Compares two objects of a type by the schema's list and map types. Metadata that the server owns is left out. Keys
/// are copied into `memory`.
field_difference compare_fields(const node& before, const node& now, std::uint16_t type, arena& memory);

/// The set as FieldsV1, in the document's memory, and back.
node to_fields_v1(document& doc, const field_set& set);
field_set from_fields_v1(const node& fields);

}  // namespace troupe::api
