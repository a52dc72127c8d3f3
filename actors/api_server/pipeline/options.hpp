// The query's options and the Accept header.
#pragma once

#include <string_view>

#include "actors/api_server/pipeline/request_context.hpp"
#include "messages/status.hpp"

namespace troupe::api {

/// Reads a query string (without '?'). 400 in Kubernetes' words for a value of the wrong type.
status read_options(std::string_view query, query_options& options);

/// Chooses the answer's form from the Accept header: the first clause that can be served. False: none can (406).
bool read_accept(std::string_view accept, request_context& context);

/// The rules that hold among options of a write: dryRun values, fieldManager, fieldValidation.
status check_write_options(const request_context& context);
/// A get's resourceVersion is a number.
status check_get_options(const request_context& context);
/// The rules among resourceVersion, resourceVersionMatch, limit, continue and sendInitialEvents of lists and watches.
status check_list_options(const request_context& context);

}  // namespace troupe::api
