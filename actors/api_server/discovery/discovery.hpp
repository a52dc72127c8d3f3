// Non-resource GETs: discovery documents, version, health and OpenAPI.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/bytes.hpp"

namespace troupe::api {

/// One named health check of /healthz, /livez and /readyz ("ping", "store", "poststarthook/bootstrap", ...).
struct health_check {
  std::string_view name;
  bool ok = true;
  bool for_liveness = true;  // false: counts for /readyz only
};

/// What a non-resource GET needs to know.
struct nonresource_request {
  std::string_view path;    // "/api", "/apis/apps/v1", "/openapi/v3/apis/apps/v1", "/readyz/ping", ...
  std::string_view query;   // raw, without '?': verbose, exclude=..., hash=...
  std::string_view accept;  // negotiates aggregated discovery and protobuf OpenAPI
  std::string_view if_none_match;
  const std::vector<health_check>& health;
  std::string_view server_address = {};  // "127.0.0.1:6443", for the APIVersions document
};

struct nonresource_answer {
  std::uint16_t code = 200;  // 404 when the path is none of ours
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;  // etag, vary, cache-control
  shared_bytes body;                                         // documents are built once and shared
};

/// Answers the path. Paths that are none of ours get code 404 and an empty body.
nonresource_answer answer_nonresource(const nonresource_request& request);

}  // namespace troupe::api
