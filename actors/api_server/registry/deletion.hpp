// Deleting one object: preconditions, grace periods, finalizers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "actors/api_server/pipeline/host.hpp"
#include "actors/api_server/pipeline/request_context.hpp"
#include "actors/api_server/registry/change.hpp"
#include "messages/document.hpp"
#include "messages/status.hpp"

namespace troupe::api {

/// metav1.DeleteOptions, from the body or the query.
struct delete_options {
  std::optional<std::int64_t> grace_period_seconds;
  std::optional<bool> orphan_dependents;
  std::string propagation_policy;
  std::string uid;  // preconditions
  std::string resource_version;
  bool dry_run = false;
};

/// Options of a delete request; a body wins over the query. Errors: 400, 415, and 422 for values that Kubernetes
/// refuses.
result<delete_options> read_delete_options(const request& incoming, const request_context& context);
/// The same from a DeleteOptions inside another document (an Eviction's); null gives none.
delete_options delete_options_from(const node* options);

/// What became of a delete.
struct deleted_object {
  object_ptr shown;  // its last state, or as it is while it waits for grace or finalizers
  bool gone = false;
};

/// Deletes an object, or marks it where a grace period or finalizers hold it.
task<result<deleted_object>> delete_one(request_host& host, const request& incoming, request_context& context,
                                        const std::string& namespace_name, const std::string& name,
                                        const delete_options& options);

}  // namespace troupe::api
