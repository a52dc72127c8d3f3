// Between JSON and schema: conforming a decoded object to its type, and writing it as canonical bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages/document.hpp"
#include "messages/schema/schema.hpp"
#include "messages/status.hpp"

namespace troupe::schema {

/// What conform() found that is not an error by itself; fieldValidation decides what becomes of it.
struct conform_report {
  std::vector<std::string> unknown;    // unknown field "spec.foo", as Kubernetes words strict decoding errors
  std::vector<std::string> duplicate;  // duplicate field "spec.foo"
  std::vector<std::string> in_order;   // both, in the order found: what "strict decoding error: " lists
};

/// Makes the object match the type, in place: unknown fields are pruned (and reported), duplicates resolved (last wins,
/// reported), field ordinals resolved, times, quantities and base64 normalised, nulls dropped. A value of the wrong
/// type is a bad_request worded as Kubernetes does: `Pod in version "v1" cannot be handled as a Pod: json: cannot
/// unmarshal string into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32`.
status conform(document& doc, node& value, std::uint16_t type, conform_report& report);

/// Appends the canonical JSON of the value: fields in schema order, map keys sorted, Go's omitempty rules (a
/// non-pointer struct without omitzero is always written), strings escaped as Go does. `skip_resource_version` leaves
/// metadata.resourceVersion out (the stored form).
void encode(std::string& out, node& value, std::uint16_t type, bool skip_resource_version = true);

/// A quantity in canonical form ("0.5" -> "500m"); false when it is none.
bool canonical_quantity(std::string_view text, std::string& out);
/// A quantity's value in milli-units, rounded up and saturating; false when it is none.
bool quantity_milli(std::string_view text, std::int64_t& out);
/// A quantity's value, rounded up to whole units and saturating.
bool quantity_value(std::string_view text, std::int64_t& out);

}  // namespace troupe::schema
