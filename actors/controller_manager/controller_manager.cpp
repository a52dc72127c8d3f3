#include "actors/controller_manager/controller_manager.hpp"

#include "actors/controller_manager/deployment/core.hpp"
#include "actors/controller_manager/disruption/core.hpp"
#include "actors/controller_manager/endpoints/core.hpp"
#include "actors/controller_manager/endpointslice/core.hpp"
#include "actors/controller_manager/garbage_collector/core.hpp"
#include "actors/controller_manager/namespace/core.hpp"
#include "actors/controller_manager/node_lifecycle/core.hpp"
#include "actors/controller_manager/replicaset/core.hpp"
#include "actors/controller_manager/root_ca/core.hpp"
#include "actors/controller_manager/service_account/core.hpp"
#include "actors/controller_manager/storage_protection/core.hpp"
#include "runtime/controller.hpp"

namespace troupe::controllers {
namespace {

template <class Core, class... Arguments>
runtime::child_spec controller_child(const manager_options& options, std::string name, Arguments... arguments) {
  return runtime::child<runtime::controller_actor>(
      std::move(name), [server = options.server, arguments...](caf::actor_system& system) {
        return runtime::spawn_controller(system, server, [=] { return std::make_unique<Core>(arguments...); });
      });
}

}  // namespace

std::vector<runtime::child_spec> children(const manager_options& options) {
  std::vector<runtime::child_spec> all;
  all.push_back(controller_child<deployment_core>(options, "deployment"));
  all.push_back(controller_child<replicaset_core>(options, "replicaset"));
  all.push_back(controller_child<endpointslice_core>(options, "endpointslice"));
  all.push_back(controller_child<endpoints_core>(options, "endpoints"));
  all.push_back(controller_child<namespace_core>(options, "namespace"));
  all.push_back(controller_child<service_account_core>(options, "service_account"));
  all.push_back(controller_child<root_ca_core>(options, "root_ca", options.authority));
  all.push_back(controller_child<node_lifecycle_core>(options, "node_lifecycle", options.node_grace_seconds));
  all.push_back(controller_child<garbage_collector_core>(options, "garbage_collector"));
  all.push_back(controller_child<disruption_core>(options, "disruption"));
  all.push_back(controller_child<storage_protection_core>(options, "storage_protection"));
  return all;
}

}  // namespace troupe::controllers
