// Rules of metadata that hold for every kind.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "actors/api_server/pipeline/request_context.hpp"
#include "messages/document.hpp"
#include "messages/status.hpp"

namespace troupe::api {

/// Before admission of a new object: namespace from the path (400 if another is given), name from generateName, fresh
/// uid, creationTimestamp, generation 1 where the kind has one; what only the server may set is dropped.
status stamp_created(document& doc, const request_context& context, const std::string& uid, std::uint64_t random);

/// Name and namespace of an update's body must be the path's. 400 in Kubernetes' words.
status check_place(const node& object, const request_context& context);

/// resourceVersion and uid of an update's body, where given, must be the current ones: 409 else. 422 where the kind
/// demands a resourceVersion and there is none.
status check_preconditions(const node& object, const request_context& context, std::uint64_t revision,
                           std::string_view uid);

/// Fields of metadata that an update leaves out or may not change, from the previous object.
void carry_metadata(document& next, const node& previous, const request_context& context);

/// For the main resource: status (and what only a subresource may change) from the previous object. For a
/// subresource: everything but what it is for.
void carry_other_parts(document& next, const node& previous, const request_context& context);

/// metadata.generation: previous + 1 where the kind counts this change.
void bump_generation(document& next, const node& previous, std::uint16_t type);

}  // namespace troupe::api
