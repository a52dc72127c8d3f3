#include "actors/cloud_controller_manager/cloud_controller_manager.hpp"

#include "actors/cloud_controller_manager/local/provider.hpp"
#include "actors/cloud_controller_manager/node/core.hpp"
#include "actors/cloud_controller_manager/route/core.hpp"
#include "runtime/controller.hpp"

namespace troupe::cloud {
namespace {

/// They watch and write as the manager, as upstream's do unless told otherwise (--use-service-account-credentials).
template <class Make>
runtime::child_spec controller_child(const manager_options& options, std::string name, const Make& make) {
  runtime::controller_options how;
  how.manager = "cloud-controller-manager";
  return runtime::child<runtime::controller_actor>(std::move(name),
                                                   [server = options.server, how, make](caf::actor_system& system) {
                                                     return runtime::spawn_controller(system, server, make, how);
                                                   });
}

}  // namespace

std::vector<runtime::child_spec> children(const manager_options& options) {
  std::vector<runtime::child_spec> all;
  all.push_back(controller_child(options, "node", []() -> std::unique_ptr<controller::core> {
    return std::make_unique<node_core>(std::make_unique<local_provider>());
  }));
  all.push_back(controller_child(options, "balancer", [how = options.balancer]() -> std::unique_ptr<controller::core> {
    return std::make_unique<balancer_core>(how);
  }));
  if (!options.routed.empty())
    all.push_back(controller_child(options, "route", [range = options.routed]() -> std::unique_ptr<controller::core> {
      return std::make_unique<route_core>(range);
    }));
  return all;
}

}  // namespace troupe::cloud
