// See graph.hpp.
#include "runtime/placement/graph.hpp"

#include <optional>

#include "actors/cloud_controller_manager/cloud_controller_manager.hpp"
#include "actors/controller_manager/controller_manager.hpp"
#include "actors/scheduler/scheduler.hpp"
#include "runtime/placement/nodes.hpp"
#include "runtime/placement/service_proxy.hpp"

namespace troupe::runtime {
namespace {

bool has_cloud(const configuration& config, const machine& host) {
  return config.cloud.provider == "local" || (config.cloud.provider == "auto" && !host.hollow());
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
  server.workers = static_cast<std::size_t>(config.api_server.workers);
  auto made = api::make_api_server(system, "root/api_server", server);
  out.shared = made.shared;
  auto& children = out.children;
  children.push_back(child<store::store_actor>(
      "store", [how = around.storage](caf::actor_system& in) { return store::spawn(in, how); }, out.store));
  children.back().level = urgency::serving;
  children.push_back(std::move(made.spec));
  children.push_back(supervisor_child(
      "controller_manager",
      controllers::children({out.server, around.authority, config.controllers.node_grace_seconds, around.signer})));
  children.push_back(child<scheduler::scheduler_actor>("scheduler", [server_ref = out.server](caf::actor_system& in) {
    scheduler::scheduler_options how;
    how.server = server_ref;
    return scheduler::spawn_scheduler(in, how);
  }));
  children.push_back(supervisor_child(
      "nodes", node_children(
                   system, config, *around.host, [&](std::size_t) { return out.server; }, *around.kubelets)));
  std::optional<child_spec> proxy;
  if (around.measured) proxy = proxy_child(config, *around.host, out.server, *around.measured);
  if (has_cloud(config, *around.host))
    children.push_back(supervisor_child("cloud_controller_manager", cloud::children({out.server, proxy.has_value()})));
  if (proxy) children.push_back(std::move(*proxy));
  return out;
}

}  // namespace troupe::runtime
