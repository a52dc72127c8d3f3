// What an actor that crashed has not handled yet is handed to its next incarnation.
#pragma once

#include <vector>

#include <caf/scheduled_actor.hpp>

#include "runtime/stable_ref.hpp"

namespace troupe::api {

/// For cleanup() of an actor, before the base's: takes all unhandled ordinary messages out of its mailbox and sends
/// them, with their senders, to the stable reference of its successor, which keeps them until that one is up.
void requeue_unhandled(caf::scheduled_actor& crashed, const runtime::any_ref& successor);

}  // namespace troupe::api
