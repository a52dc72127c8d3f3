// Writes of controllers, ready to be put into effects.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "messages/controller.hpp"
#include "messages/document.hpp"
#include "messages/wall_time.hpp"

namespace troupe::controllers {

/// "/apis/apps/v1/namespaces/NS/replicasets"; `group_version` is "v1" or "apps/v1"; no namespace in cluster scope.
std::string collection_path(std::string_view group_version, std::string_view namespace_name, std::string_view plural);

/// POST of a new object. `seen_by`: the source whose cache must show it before the key's next turn.
controller::write create(std::string collection, std::string body, std::int32_t seen_by, std::uint64_t tag = 0);
/// PATCH by JSON merge patch; a subresource is part of the path.
controller::write merge_patch(std::string path, std::string body, std::int32_t seen_by, std::uint64_t tag = 0);
/// PUT of a whole object.
controller::write replace(std::string path, std::string body, std::int32_t seen_by, std::uint64_t tag = 0);
/// DELETE, only if the object still has this uid. That it is gone already is success.
controller::write erase(std::string path, std::string_view uid, std::int32_t seen_by, std::uint64_t tag = 0);

}  // namespace troupe::controllers
