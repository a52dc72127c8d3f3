// From a request's body to a conformed, defaulted document.
#pragma once

#include <cstdint>
#include <string_view>

#include "actors/api_server/pipeline/request_context.hpp"
#include "messages/document.hpp"
#include "messages/status.hpp"

namespace troupe::api {

/// Reads the body by its content type. Errors: 415 for a type that is none of ours, 400 for bytes that do not parse,
/// worded as for an object of this kind.
result<document> parse_body(const request& incoming, std::string_view kind, std::uint16_t expected);

/// What a document must be.
struct expected_object {
  std::string_view group, version, kind;
  std::uint16_t type;  // index into schema::types()
};

/// The main resource's or subresource's kind of body.
expected_object expected_body(const request_context& context);

/// Fills in a missing kind and apiVersion, refuses others, conforms to the type and applies the static defaults.
/// Unknown and duplicate fields become errors or warnings as fieldValidation says.
status accept_object(document& doc, const expected_object& what, request_context& context);

/// The same for what a patch made; `patch` is the text that strict errors quote.
status accept_patched(document& doc, const expected_object& what, request_context& context, std::string_view patch);

}  // namespace troupe::api
