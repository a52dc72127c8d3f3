// Runs children only while this process leads: a Lease in kube-system says which of several does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/api_server.hpp"
#include "runtime/stable_ref.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::leader {

/// How a process stands for election.
struct options {
  runtime::stable_ref<api::api_server_actor> server;
  std::string lease;     // "kube-controller-manager", "kube-scheduler": upstream's names
  std::string user;      // "system:kube-controller-manager"
  std::string identity;  // differs from every other process's
  std::uint64_t lease_ms = 15'000;
};

/// A child called `name` that runs the supervisor of `children` while it leads. When it cannot renew its Lease in time
/// it stops them; when it ends, it stops them first and then gives the Lease back.
runtime::child_spec child(const std::string& name, options how, std::vector<runtime::child_spec> children);

}  // namespace troupe::leader
