// The track_fields stage: who last set which field, kept in metadata.managedFields.
#pragma once

#include <cstdint>
#include <string_view>

#include "messages/document.hpp"

namespace troupe::api {

/// Who changes an object, for metadata.managedFields.
struct field_manager {
  std::string_view name;         // fieldManager, or the user agent up to '/'
  std::string_view api_version;  // of the request: "v1", "apps/v1"
  std::string_view subresource;  // "status", "" for the main resource
  std::string_view time;         // now, as metav1.Time
};

/// Brings next's metadata.managedFields up to date with what changed since `previous` (null: it is new). The change
/// counts as an Update of the manager; fields that others owned and that it changed or removed go over to it.
void track_fields(const node* previous, document& next, std::uint16_t type, const field_manager& by);

}  // namespace troupe::api
