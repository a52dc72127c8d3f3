// The cloud controller manager: one supervised actor for each controller, all with the same provider.
#pragma once

#include <string>
#include <vector>

#include "actors/cloud_controller_manager/balancer/core.hpp"
#include "messages/api_server.hpp"
#include "runtime/stable_ref.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::cloud {

struct manager_options {
  runtime::stable_ref<api::api_server_actor> server;
  balancer_options balancer;
  std::string routed;  // range of pods between whose machines there are routes; empty: there is one machine
};

/// The controllers as children of a supervisor "cloud_controller_manager", with the local provider.
std::vector<runtime::child_spec> children(const manager_options& options);

}  // namespace troupe::cloud
