// From method and target of a request to its context: path, verb, options, wanted form.
#pragma once

#include <string>
#include <string_view>

#include "actors/api_server/pipeline/request_context.hpp"
#include "messages/api_server.hpp"
#include "messages/status.hpp"

namespace troupe::api {

/// What became of parsing a target: where `error` is not ok it is answered after authorisation.
struct parsed_target {
  status error;        // 400 for wrong options, 404, 405
  bool plain = false;  // a path that no group owns: answered as text
};

/// Fills the target's part of the context (verb, resource, names, options, form). A path that names no known resource
/// has resource no_index and verb nonresource.
parsed_target parse_target(const request& incoming, request_context& context);

/// Percent-decoding; '+' becomes a space in queries. False for a broken escape.
bool percent_decode(std::string_view text, bool query, std::string& out);

/// Kubernetes' 405: the server does not allow this method on the requested resource.
status method_not_allowed();
/// Kubernetes' 404 for unknown paths below a known group version.
status unknown_resource();
/// 406: none of the media types of the Accept header can be served.
status not_acceptable();

}  // namespace troupe::api
