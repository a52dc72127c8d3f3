// The OpenAPI documents, generated from the schema table.
#pragma once

#include <string>
#include <string_view>

#include "actors/api_server/discovery/discovery.hpp"

namespace troupe::api {

/// /openapi/v2, /openapi/v3 and /openapi/v3/GROUP-VERSION; code 404 for other paths, 406 for a form that is not there.
nonresource_answer answer_openapi(const nonresource_request& request, std::string_view path);

/// The OpenAPI 3.0 document of a group-version; empty for an unknown one.
std::string openapi_v3_document(std::string_view group, std::string_view version);

/// The Swagger 2.0 document of all group-versions.
std::string openapi_v2_document();

}  // namespace troupe::api
