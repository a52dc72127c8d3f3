// The machine's kube_proxy.
#pragma once

#include <optional>
#include <string>

#include "messages/api_server.hpp"
#include "runtime/config.hpp"
#include "runtime/metrics.hpp"
#include "runtime/placement/machine.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::runtime {

/// "kube_proxy", or nothing where the configuration wants none or this process may not have one; the log says why.
/// `hollow`: the pods of this machine have no network. `address`: the machine's; empty where it has none.
std::optional<child_spec> proxy_child(const configuration& config, bool hollow, const std::string& address,
                                      const stable_ref<api::api_server_actor>& server, metrics::registry& measured);

}  // namespace troupe::runtime
