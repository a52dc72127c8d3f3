// Objects of one kind under two group versions: HPA v1 and v2, Events of core and events.k8s.io.
#pragma once

#include <cstdint>

#include "messages/document.hpp"
#include "messages/object.hpp"

namespace troupe::api {

/// Whether the resource's objects are stored as another version.
bool is_converted(std::uint16_t resource);
/// Rewrites a conformed object of the resource as one of its storage version, in place.
void to_storage_version(document& doc, std::uint16_t resource);
/// Rewrites a stored object as one of the resource's version, in place.
void from_storage_version(document& doc, std::uint16_t resource);
/// The stored object as one of the resource; itself where there is nothing to convert.
object_ptr in_version(const object_ptr& stored, std::uint16_t resource);

}  // namespace troupe::api
