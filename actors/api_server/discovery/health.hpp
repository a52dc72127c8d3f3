// The text answers of /healthz, /livez and /readyz.
#pragma once

#include "actors/api_server/discovery/discovery.hpp"

namespace troupe::api {

/// Answers PATH ("/readyz", "/livez/ping") when it is one of the health endpoints; code 404 otherwise.
nonresource_answer answer_health(const nonresource_request& request);

}  // namespace troupe::api
