// Scope and selectors of a request as a filter.
#pragma once

#include <memory>
#include <string>

#include "actors/api_server/cacher/filter.hpp"
#include "actors/api_server/pipeline/request_context.hpp"
#include "messages/api_server.hpp"
#include "messages/status.hpp"

namespace troupe::api {

/// Namespace, label and field selectors. 400 for selectors that do not parse or name unknown fields.
result<std::shared_ptr<const watch_filter>> make_filter(const request_context& context);

/// A 410 whose Status carries a continue token for an inconsistent continuation.
response with_continue(const request_context& context, const status& expired, const std::string& token);

}  // namespace troupe::api
