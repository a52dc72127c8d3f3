// The store's own errors.
#pragma once

#include <string>
#include <utility>

#include "messages/status.hpp"

namespace troupe::store {

/// An internal error with exactly this text ("store: ...").
inline status store_error(std::string text) { return make_status(reason::internal_error, std::move(text)); }

}  // namespace troupe::store
