// An object on its way into the store: the stages between a decoded document and canonical bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "actors/api_server/admission/strategy.hpp"
#include "actors/api_server/pipeline/host.hpp"
#include "actors/api_server/registry/change.hpp"
#include "messages/document.hpp"
#include "messages/status.hpp"

namespace troupe::api {

/// What all stages of one attempt share.
struct attempt {
  request_host& host;
  const request& incoming;
  request_context& context;
  const request_view& view;
  const std::vector<std::string>& taken;
};

/// An admission context for the attempt.
admission_context admission_for(const attempt& a);

/// The field manager of the request: its option, else the user agent up to '/', at most 128 bytes.
std::string manager_of(const request& incoming, const request_context& context);

/// The stages of a create behind decoding: metadata, admission, strategy, validation, managedFields, storage version,
/// encoding. `place` gets namespace and name.
result<change_plan> plan_create(const attempt& a, document& doc, object_place& place);

/// The stages of an update behind decoding or patching: what the client may not change is carried over from `previous`
/// (of the request's version). `current` is the stored object `previous` was decoded from.
result<change_plan> plan_update(const attempt& a, const object_ptr& current, const document& previous, document& next);

/// Admission's word on a delete, and what must be erased with the object (a Service's addresses).
result<std::vector<side_write>> plan_delete(const attempt& a, const node& object);

/// Lease that objects of the resource end with (Events: one hour); 0 for all others.
std::int64_t lease_for(request_host& host, std::uint16_t resource);

}  // namespace troupe::api
