// See control_loops.hpp.
#include "runtime/placement/control_loops.hpp"

#include <utility>

#include "actors/cloud_controller_manager/cloud_controller_manager.hpp"
#include "actors/controller_manager/controller_manager.hpp"
#include "actors/leader/leader.hpp"
#include "actors/scheduler/scheduler.hpp"

namespace troupe::runtime {
namespace {

child_spec scheduler_child(const stable_ref<api::api_server_actor>& server) {
  return child<scheduler::scheduler_actor>("scheduler", [server](caf::actor_system& in) {
    scheduler::scheduler_options how;
    how.server = server;
    return scheduler::spawn_scheduler(in, how);
  });
}

child_spec cloud_child(const configuration& config, const loop_surroundings& around,
                       const stable_ref<api::api_server_actor>& server) {
  cloud::manager_options how;
  how.server = server;
  how.balancer = {around.nodes_answer, config.cloud.load_balancer_pool};
  how.routed = around.routed;
  return supervisor_child("cloud_controller_manager", cloud::children(how));
}

child_spec manager_child(const configuration& config, const loop_surroundings& around,
                         const stable_ref<api::api_server_actor>& server) {
  return supervisor_child("controller_manager",
                          controllers::children({server, around.authority, config.controllers.node_grace_seconds,
                                                 around.signer, around.ranges}));
}

}  // namespace

std::vector<child_spec> control_loops(const configuration& config, const loop_surroundings& around) {
  std::vector<child_spec> out;
  const auto lease_ms = static_cast<std::uint64_t>(config.controllers.leader_lease_seconds) * 1000;
  const auto add = [&](const char* election, const std::string& lease, const stable_ref<api::api_server_actor>& server,
                       child_spec loop) {
    if (around.identity.empty()) return out.push_back(std::move(loop));
    const leader::options candidate{server, lease, "system:" + lease, around.identity, lease_ms};
    out.push_back(leader::child(election, candidate, {std::move(loop)}));
  };
  if (config.runs("controller_manager")) {
    auto server = around.server("controller_manager");
    add("managers", "kube-controller-manager", server, manager_child(config, around, server));
  }
  if (config.runs("scheduler")) {
    auto server = around.server("scheduler");
    add("planner", "kube-scheduler", server, scheduler_child(server));
  }
  if (around.cloud && config.runs("cloud_controller_manager")) {
    auto server = around.server("cloud_controller_manager");
    add("cloud", "cloud-controller-manager", server, cloud_child(config, around, server));
  }
  return out;
}

}  // namespace troupe::runtime
