// The kube_proxy's interface: one actor per machine. Nobody calls it: it watches Services and EndpointSlices and keeps
// the kernel's packet filter in step with them.
#pragma once

#include <caf/typed_actor.hpp>

#include "messages/api_server.hpp"
#include "messages/timer.hpp"

namespace troupe::kube_proxy {

/// What the kube_proxy understands.
using kube_proxy_actor = caf::typed_actor<caf::reacts_to<api::response>,        // answers to its requests
                                          caf::reacts_to<api::watch_delivery>,  // services and endpoint slices
                                          caf::reacts_to<timer_due>>;           // next slice, retry, probe

}  // namespace troupe::kube_proxy
