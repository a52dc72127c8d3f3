// The controller manager: one supervised actor for each controller.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/api_server.hpp"
#include "runtime/stable_ref.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::controllers {

struct manager_options {
  runtime::stable_ref<api::api_server_actor> server;
  std::string authority;                 // PEM, published as kube-root-ca.crt
  std::int64_t node_grace_seconds = 40;  // without heartbeat: not ready
};

/// The controllers as children of a supervisor "controller_manager".
std::vector<runtime::child_spec> children(const manager_options& options);

}  // namespace troupe::controllers
