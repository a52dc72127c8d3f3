// The scheduler's shell: watches nodes and pods, feeds the core, carries out what it decides.
#pragma once

#include <string>

#include "actors/scheduler/core.hpp"
#include "messages/api_server.hpp"
#include "messages/scheduler.hpp"
#include "runtime/stable_ref.hpp"

namespace troupe::scheduler {

struct scheduler_options {
  runtime::stable_ref<api::api_server_actor> server;
  std::string name = "default-scheduler";  // pods whose spec.schedulerName is this are placed
  options core;
};

/// Starts the scheduler. A new incarnation rebuilds what it knows from the api_server.
scheduler_actor spawn_scheduler(caf::actor_system& system, scheduler_options options);

}  // namespace troupe::scheduler
