// The paths of the OpenAPI documents: every operation on every resource of a group-version.
#pragma once

#include <string_view>

#include "actors/api_server/discovery/openapi_schema.hpp"

namespace troupe::api {
inline namespace discovery_detail {

/// Adds the members of `paths` for the group-version, and the types they name to `definitions`.
void write_paths(json_writer& out, std::string_view group, std::string_view version, definition_set& definitions);

}  // namespace discovery_detail
}  // namespace troupe::api
