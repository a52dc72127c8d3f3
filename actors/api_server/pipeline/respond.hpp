// Answers: objects, lists and Statuses in the form the client asked for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "actors/api_server/pipeline/request_context.hpp"
#include "actors/api_server/printers/printers.hpp"
#include "messages/api_server.hpp"
#include "messages/status.hpp"

namespace troupe::api {

/// A Status as the answer, error or success.
response answer_status(const request_context& context, const status& what);
/// {"kind":"Status","status":"Success","code":N} with details; `name` may be empty.
response answer_success(const request_context& context, std::uint16_t code, std::string_view name,
                        std::string_view uid);
/// One object in the form asked for. `one` is of the request's resource.
response answer_object(const request_context& context, std::uint16_t code, const object_ptr& one);
/// JSON text of another kind (Scale, a review), as JSON or YAML.
response answer_text(const request_context& context, std::uint16_t code, std::string json);
/// A list in the form asked for. The objects' bytes are shared, not copied.
response answer_list(const request_context& context, const std::vector<object_ptr>& items, const list_meta& meta);
/// Adds the context's warnings as headers.
void add_warnings(const request_context& context, response& to);

}  // namespace troupe::api
