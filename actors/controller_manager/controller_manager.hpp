// The controller manager: one supervised actor for each controller.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actors/controller_manager/node_ipam/core.hpp"
#include "messages/api_server.hpp"
#include "messages/controller.hpp"
#include "runtime/pki.hpp"
#include "runtime/stable_ref.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::controllers {

struct manager_options {
  runtime::stable_ref<api::api_server_actor> server;
  std::string authority;                 // PEM, published as kube-root-ca.crt
  std::int64_t node_grace_seconds = 40;  // without heartbeat: not ready
  pki::key_pair signer = {};             // the authority with its key; empty: nobody signs requests for certificates
  pod_ranges ranges = {};                // no cluster range: nodes bring their own
};

/// The controllers as children of a supervisor "controller_manager".
std::vector<runtime::child_spec> children(const manager_options& options);

/// The service accounts in kube-system as which the controllers write, those of controllers that are not always there
/// too. Each once, in order.
std::vector<std::string> accounts();

/// A way to make a controller's core again: `name` is its core's name(); `make` gives one from what its settings()
/// were, or null when they cannot be read.
struct core_maker {
  std::string name;
  std::function<std::unique_ptr<controller::core>(std::string_view settings)> make;
};
/// One for every controller; for replays.
std::vector<core_maker> core_makers();

}  // namespace troupe::controllers
