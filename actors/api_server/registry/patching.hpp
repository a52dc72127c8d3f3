// Which kind of patch a request carries.
#pragma once

#include <string_view>

#include "actors/api_server/admission/strategy.hpp"
#include "messages/status.hpp"

namespace troupe::api {

/// By content type; 415 for others, apply patches included until they are built.
result<patch_type> patch_type_of(std::string_view content_type);

}  // namespace troupe::api
