// The scheduler's interface. Nobody calls it: it watches nodes and pods and binds pods through the api_server.
#pragma once

#include <caf/typed_actor.hpp>

#include "messages/api_server.hpp"
#include "messages/timer.hpp"

namespace troupe::scheduler {

/// What the scheduler understands.
using scheduler_actor = caf::typed_actor<caf::reacts_to<api::response>,        // answers to its requests
                                         caf::reacts_to<api::watch_delivery>,  // nodes and pods
                                         caf::reacts_to<timer_due>>;           // back-offs, next slice

}  // namespace troupe::scheduler
