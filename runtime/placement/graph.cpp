// See graph.hpp.
#include "runtime/placement/graph.hpp"

#include <optional>

#include "actors/cloud_controller_manager/cloud_controller_manager.hpp"
#include "actors/controller_manager/controller_manager.hpp"
#include "actors/leader/leader.hpp"
#include "actors/scheduler/scheduler.hpp"
#include "runtime/placement/nodes.hpp"
#include "runtime/placement/service_proxy.hpp"

namespace troupe::runtime {
namespace {

bool has_cloud(const configuration& config, const machine& host) {
  return config.cloud.provider == "local" ||
         (config.cloud.provider == "auto" && (!host.hollow() || !config.cloud.load_balancer_pool.empty()));
}

bool joins_machines(const configuration& config) { return !config.link.listen.empty(); }

/// The nodes of other machines are given their pod ranges; this process's have the first ones.
controllers::pod_ranges ranges_for_others(const configuration& config) {
  if (!joins_machines(config)) return {};
  return {config.nodes.pod_cidr, static_cast<std::uint32_t>(config.nodes.count)};
}

/// Service proxies on other machines are those machines' own matter.
cloud::manager_options cloud_options(const configuration& config, const stable_ref<api::api_server_actor>& server,
                                     bool has_proxy) {
  cloud::manager_options out;
  out.server = server;
  out.balancer = {has_proxy || joins_machines(config), config.cloud.load_balancer_pool};
  if (joins_machines(config)) out.routed = config.nodes.pod_cidr;
  return out;
}

child_spec scheduler_child(const stable_ref<api::api_server_actor>& server) {
  return child<scheduler::scheduler_actor>("scheduler", [server](caf::actor_system& in) {
    scheduler::scheduler_options how;
    how.server = server;
    return scheduler::spawn_scheduler(in, how);
  });
}

/// Where other processes serve the same cluster, the control loops run in the one that leads.
void add_elected(std::vector<child_spec>& to, const configuration& config, const surroundings& around,
                 const stable_ref<api::api_server_actor>& server, std::vector<child_spec> managers) {
  const auto lease_ms = static_cast<std::uint64_t>(config.controllers.leader_lease_seconds) * 1000;
  const auto candidate = [&](const std::string& lease) {
    return leader::options{server, lease, "system:" + lease, around.identity, lease_ms};
  };
  to.push_back(leader::child("managers", candidate("kube-controller-manager"), std::move(managers)));
  to.push_back(leader::child("planner", candidate("kube-scheduler"), {scheduler_child(server)}));
}

}  // namespace

made_graph make_graph(caf::actor_system& system, const configuration& config, surroundings around) {
  made_graph out;
  out.store = stable_ref<store::store_actor>::make(system, "root/store");
  out.server = stable_ref<api::api_server_actor>::make(system, "root/api_server/front");
  auto& server = around.server;
  server.store = out.store;
  server.self = out.server;
  server.toleration_seconds = config.controllers.eviction_seconds;
  server.shared_store = around.storage.backend == store::backend_kind::etcd;
  server.workers = static_cast<std::size_t>(config.api_server.workers);
  auto made = api::make_api_server(system, "root/api_server", server);
  out.shared = made.shared;
  auto& children = out.children;
  children.push_back(child<store::store_actor>(
      "store", [how = around.storage](caf::actor_system& in) { return store::spawn(in, how); }, out.store));
  children.back().level = urgency::serving;
  children.push_back(std::move(made.spec));
  auto manager = supervisor_child(
      "controller_manager", controllers::children({out.server, around.authority, config.controllers.node_grace_seconds,
                                                   around.signer, ranges_for_others(config)}));
  const bool alone = around.identity.empty();
  std::vector<child_spec> elected;
  (alone ? children : elected).push_back(std::move(manager));
  if (alone) children.push_back(scheduler_child(out.server));
  auto nodes = make_nodes(
      system, config, *around.host, [&](std::size_t) { return out.server; }, *around.kubelets);
  std::optional<child_spec> network;
  if (joins_machines(config) && !around.host->hollow())
    network = pod_network_child(config, *around.host, out.server, nodes);
  children.push_back(supervisor_child("nodes", std::move(nodes.children)));
  if (network) children.push_back(std::move(*network));
  std::optional<child_spec> proxy;
  if (around.measured) proxy = proxy_child(config, *around.host, out.server, *around.measured);
  if (has_cloud(config, *around.host))
    (alone ? children : elected)
        .push_back(supervisor_child("cloud_controller_manager",
                                    cloud::children(cloud_options(config, out.server, proxy.has_value()))));
  if (!alone) add_elected(children, config, around, out.server, std::move(elected));
  if (proxy) children.push_back(std::move(*proxy));
  return out;
}

}  // namespace troupe::runtime
