#include "actors/cloud_controller_manager/cloud_controller_manager.hpp"

#include "actors/cloud_controller_manager/local/provider.hpp"
#include "actors/cloud_controller_manager/node/core.hpp"
#include "actors/cloud_controller_manager/route/core.hpp"
#include "runtime/controller.hpp"

namespace troupe::cloud {
namespace {

/// `account`: the client name that upstream's cloud controller manager gives the controller
/// (k8s.io/cloud-provider/app).
template <class Make>
runtime::child_spec controller_child(const manager_options& options, std::string name, std::string account,
                                     const Make& make) {
  runtime::controller_options how;
  how.account = std::move(account);
  return runtime::child<runtime::controller_actor>(std::move(name),
                                                   [server = options.server, how, make](caf::actor_system& system) {
                                                     return runtime::spawn_controller(system, server, make, how);
                                                   });
}

}  // namespace

std::vector<runtime::child_spec> children(const manager_options& options) {
  std::vector<runtime::child_spec> all;
  all.push_back(controller_child(options, "node", "node-controller", []() -> std::unique_ptr<controller::core> {
    return std::make_unique<node_core>(std::make_unique<local_provider>());
  }));
  all.push_back(controller_child(options, "balancer", "service-controller",
                                 [how = options.balancer]() -> std::unique_ptr<controller::core> {
                                   return std::make_unique<balancer_core>(how);
                                 }));
  if (!options.routed.empty())
    all.push_back(controller_child(options, "route", "route-controller",
                                   [range = options.routed]() -> std::unique_ptr<controller::core> {
                                     return std::make_unique<route_core>(range);
                                   }));
  return all;
}

}  // namespace troupe::cloud
