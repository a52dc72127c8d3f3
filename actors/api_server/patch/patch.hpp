// The three patch formats of the API, on document trees: JSON patch, JSON merge patch, strategic merge patch.
#pragma once

#include <cstdint>
#include <string_view>

#include "messages/document.hpp"
#include "messages/status.hpp"

namespace troupe::api::rules {

/// More operations in one JSON patch are refused with 413.
constexpr std::size_t max_json_patch_operations = 10000;

/// RFC 6902. 400 for a text that is no patch, 413 for too many operations, 422 where an operation does not apply.
result<document> apply_json_patch(const node& current, std::string_view patch);

/// RFC 7386. 400 for a text that is no JSON object.
result<document> apply_merge_patch(const node& current, std::string_view patch);

/// Kubernetes' strategic merge patch: lists merge by the schema's merge keys; understands $patch, $retainKeys,
/// $deleteFromPrimitiveList and $setElementOrder. 400 for a malformed patch.
result<document> apply_strategic_patch(std::uint16_t type, const node& current, std::string_view patch);

}  // namespace troupe::api::rules
