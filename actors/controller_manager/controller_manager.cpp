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

/// `account`: the service account that upstream gives the controller; its role is system:controller:ACCOUNT.
template <class Core, class... Arguments>
runtime::child_spec controller_child(const manager_options& options, std::string name, std::string account,
                                     Arguments... arguments) {
  runtime::controller_options how;
  how.account = std::move(account);
  return runtime::child<runtime::controller_actor>(
      std::move(name), [server = options.server, how, arguments...](caf::actor_system& system) {
        return runtime::spawn_controller(
            system, server, [=] { return std::make_unique<Core>(arguments...); }, how);
      });
}

}  // namespace

std::vector<runtime::child_spec> children(const manager_options& options) {
  std::vector<runtime::child_spec> all;
  all.push_back(controller_child<deployment_core>(options, "deployment", "deployment-controller"));
  all.push_back(controller_child<replicaset_core>(options, "replicaset", "replicaset-controller"));
  all.push_back(controller_child<endpointslice_core>(options, "endpointslice", "endpointslice-controller"));
  all.push_back(controller_child<endpoints_core>(options, "endpoints", "endpoint-controller"));
  all.push_back(controller_child<namespace_core>(options, "namespace", "namespace-controller"));
  all.push_back(controller_child<service_account_core>(options, "service_account", "service-account-controller"));
  all.push_back(controller_child<root_ca_core>(options, "root_ca", "root-ca-cert-publisher", options.authority));
  all.push_back(
      controller_child<node_lifecycle_core>(options, "node_lifecycle", "node-controller", options.node_grace_seconds));
  all.push_back(controller_child<garbage_collector_core>(options, "garbage_collector", "generic-garbage-collector"));
  all.push_back(controller_child<disruption_core>(options, "disruption", "disruption-controller"));
  all.push_back(controller_child<storage_protection_core>(options, "pvc_protection", "pvc-protection-controller",
                                                          storage_protection_core::kind::claims));
  all.push_back(controller_child<storage_protection_core>(options, "pv_protection", "pv-protection-controller",
                                                          storage_protection_core::kind::volumes));
  return all;
}

}  // namespace troupe::controllers
