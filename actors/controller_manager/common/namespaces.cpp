#include "actors/controller_manager/common/namespaces.hpp"

#include "actors/controller_manager/common/owner.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::controllers {

bool is_active_namespace(const object& one) {
  auto content = decode(one);
  core_v1::namespace_view space(content);
  return !space.metadata().has_deletion_timestamp() && space.status().phase() != "Terminating";
}

}  // namespace troupe::controllers
