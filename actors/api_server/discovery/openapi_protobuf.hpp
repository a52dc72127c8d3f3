// The Swagger 2.0 document as protobuf (gnostic's openapi.v2.Document), which kubectl asks for to check a List's items.
#pragma once

#include <string>
#include <string_view>

namespace troupe::api {

/// Version, title and definitions of the JSON document; empty when it is none. Paths are left out: who reads this form
/// (kubectl's validation, client-go's OpenAPISchema) looks at definitions, and the JSON form has everything.
std::string openapi_v2_protobuf(std::string_view json);

}  // namespace troupe::api
