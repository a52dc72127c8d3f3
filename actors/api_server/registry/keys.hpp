// Where objects lie in the store: Kubernetes' layout of etcd below /registry/.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::api {

/// "/registry/pods/" for a resource index (that of its storage resource). Ends with '/'.
std::string_view storage_prefix(std::uint16_t resource);
/// "/registry/pods/NAMESPACE/NAME", or "/registry/minions/NAME" where the namespace is empty.
std::string storage_key(std::uint16_t resource, std::string_view namespace_name, std::string_view name);
/// End of the range of all keys that start with the prefix.
std::string prefix_end(std::string_view prefix);

}  // namespace troupe::api
