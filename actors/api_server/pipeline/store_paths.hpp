// The paths below /troupe/store/: what `troupe store` asks of a running cluster. They show every object, Secrets too:
// RBAC allows them like any other non-resource path (no role but cluster-admin's has them).
//
//   GET  /troupe/store/range?key=&end=&revision=&limit=   msgpack of store::range_reply
//   GET  /troupe/store/lease?id=                          msgpack of store::ack
//   POST /troupe/store/compact?revision=                  {"revision":N}; without a revision: the newest
#pragma once

#include "actors/api_server/registry/flows.hpp"

namespace troupe::api {

/// Whether the path belongs to the store.
bool is_store_path(std::string_view path);
/// Answers it; after authorisation.
answer_task answer_store_path(request_host& host, const request& incoming, request_context& context);

}  // namespace troupe::api
