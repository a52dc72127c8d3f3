// Namespaces as controllers see them.
#pragma once

#include "messages/object.hpp"

namespace troupe::controllers {

/// Not being deleted: objects may be made in it.
bool is_active_namespace(const object& one);

}  // namespace troupe::controllers
