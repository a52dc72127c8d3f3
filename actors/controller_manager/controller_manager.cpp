#include "actors/controller_manager/controller_manager.hpp"

#include <set>
#include <utility>

#include "actors/controller_manager/certificates/certificates.hpp"
#include "actors/controller_manager/deployment/core.hpp"
#include "actors/controller_manager/disruption/core.hpp"
#include "actors/controller_manager/endpoints/core.hpp"
#include "actors/controller_manager/endpointslice/core.hpp"
#include "actors/controller_manager/garbage_collector/core.hpp"
#include "actors/controller_manager/namespace/core.hpp"
#include "actors/controller_manager/node_ipam/core.hpp"
#include "actors/controller_manager/node_lifecycle/core.hpp"
#include "actors/controller_manager/replicaset/core.hpp"
#include "actors/controller_manager/root_ca/core.hpp"
#include "actors/controller_manager/service_account/core.hpp"
#include "actors/controller_manager/storage_protection/core.hpp"
#include "messages/message.hpp"
#include "runtime/controller.hpp"

namespace troupe::controllers {
namespace {

/// A controller. `account`: the service account that upstream gives it; its role is system:controller:ACCOUNT.
struct member {
  std::string account;
  runtime::child_spec child;
};

template <class Core, class... Arguments>
member member_of(const manager_options& options, std::string name, std::string account, const Arguments&... arguments) {
  runtime::controller_options how;
  how.account = account;
  auto start = [server = options.server, how, arguments...](caf::actor_system& system) {
    return runtime::spawn_controller(
        system, server, [=] { return std::make_unique<Core>(arguments...); }, how);
  };
  return {std::move(account), runtime::child<runtime::controller_actor>(std::move(name), std::move(start))};
}

member signer_of(const manager_options& options) {
  return {certificates::account, certificates::signer_child(options.server, options.signer)};
}

std::vector<member> members(const manager_options& options) {
  std::vector<member> all;
  all.push_back(member_of<deployment_core>(options, "deployment", "deployment-controller"));
  all.push_back(member_of<replicaset_core>(options, "replicaset", "replicaset-controller"));
  all.push_back(member_of<endpointslice_core>(options, "endpointslice", "endpointslice-controller"));
  all.push_back(member_of<endpoints_core>(options, "endpoints", "endpoint-controller"));
  all.push_back(member_of<namespace_core>(options, "namespace", "namespace-controller"));
  all.push_back(member_of<service_account_core>(options, "service_account", "service-account-controller"));
  all.push_back(member_of<root_ca_core>(options, "root_ca", "root-ca-cert-publisher", options.authority));
  all.push_back(
      member_of<node_lifecycle_core>(options, "node_lifecycle", "node-controller", options.node_grace_seconds));
  all.push_back(member_of<garbage_collector_core>(options, "garbage_collector", "generic-garbage-collector"));
  all.push_back(member_of<disruption_core>(options, "disruption", "disruption-controller"));
  all.push_back(member_of<storage_protection_core>(options, "pvc_protection", "pvc-protection-controller",
                                                   storage_protection_core::kind::claims));
  all.push_back(member_of<storage_protection_core>(options, "pv_protection", "pv-protection-controller",
                                                   storage_protection_core::kind::volumes));
  if (!options.ranges.cluster.empty())
    all.push_back(member_of<node_ipam_core>(options, "node_ipam", "node-controller", options.ranges));
  if (!options.signer.private_key.empty()) all.push_back(signer_of(options));
  return all;
}

/// A core that is made of nothing, or of one setting.
template <class Core>
core_maker maker_of(const char* name) {
  return {name, [](std::string_view) { return std::make_unique<Core>(); }};
}
template <class Core, class Setting>
core_maker maker_of(const char* name) {
  return {name, [](std::string_view settings) -> std::unique_ptr<controller::core> {
            Setting read{};
            if (!from_msgpack(settings, read)) return nullptr;
            return std::make_unique<Core>(std::move(read));
          }};
}

}  // namespace

std::vector<core_maker> core_makers() {
  return {maker_of<deployment_core>("deployment-controller"),
          maker_of<replicaset_core>("replicaset-controller"),
          maker_of<endpointslice_core>("endpointslice-controller"),
          maker_of<namespace_core>("namespace-controller"),
          maker_of<service_account_core>("serviceaccount-controller"),
          maker_of<root_ca_core, std::string>("root-ca-cert-publisher"),
          maker_of<node_lifecycle_core, std::int64_t>("node-controller"),
          maker_of<node_ipam_core, pod_ranges>("node-ipam-controller"),
          maker_of<garbage_collector_core>("generic-garbage-collector"),
          maker_of<endpoints_core>("endpoint-controller"),
          maker_of<disruption_core>("disruption-controller"),
          {"pvc-protection-controller",
           [](std::string_view) {
             return std::make_unique<storage_protection_core>(storage_protection_core::kind::claims);
           }},
          {"pv-protection-controller", [](std::string_view) {
             return std::make_unique<storage_protection_core>(storage_protection_core::kind::volumes);
           }}};
}

std::vector<runtime::child_spec> children(const manager_options& options) {
  std::vector<runtime::child_spec> all;
  for (auto& one : members(options)) all.push_back(std::move(one.child));
  return all;
}

std::vector<std::string> accounts() {
  manager_options every;
  every.ranges.cluster = "0.0.0.0/0";
  every.signer.private_key = "-";
  std::set<std::string> found;
  for (auto& one : members(every)) found.insert(std::move(one.account));
  return {found.begin(), found.end()};
}

}  // namespace troupe::controllers
