// Defaulting: what the server fills in before it looks at an object, driven by the schema table and a table of rows.
#pragma once

#include <cstdint>

#include "messages/document.hpp"

namespace troupe::api::rules {

/// Applies the defaults of the type and of everything below it. Idempotent. `object` must be an object of `doc`.
void apply_defaults(document& doc, node& object, std::uint16_t type);

/// A rule that needs more than "this field, this value": named after the kind, run before the rows of its type and
/// before the types below it.
using default_rule = void (*)(document& doc, node& object);
struct named_rule {
  const char* type;  // "core/v1.Pod"
  default_rule apply;
};

// The rules by subject; each list ends with a null type.
extern const named_rule pod_rules[];
extern const named_rule core_rules[];
extern const named_rule workload_rules[];
extern const named_rule other_rules[];

// Shared by the rules.

/// Sets the member when it is absent (or null).
void set_if_absent(document& doc, node& object, std::string_view field, std::string_view value);
void set_if_absent(document& doc, node& object, std::string_view field, std::int64_t value);
void set_if_absent(document& doc, node& object, std::string_view field, bool value);
/// Sets the member when it is absent or empty.
void set_if_empty(document& doc, node& object, std::string_view field, std::string_view value);
/// The member as an object, made where it is absent.
node& object_member(document& doc, node& parent, std::string_view field);
/// Adds to `to` every member that only `from` has.
void copy_missing(document& doc, node& parent, std::string_view to, const node* from);

}  // namespace troupe::api::rules
