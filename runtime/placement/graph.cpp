// See graph.hpp.
#include "runtime/placement/graph.hpp"

#include <optional>

#include "runtime/placement/control_loops.hpp"
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
  return {config.nodes.pod_cidr, config.runs("nodes") ? static_cast<std::uint32_t>(config.nodes.count) : 0};
}

loop_surroundings loops_of(const configuration& config, const surroundings& around,
                           const stable_ref<api::api_server_actor>& server) {
  loop_surroundings out;
  out.server = [server](std::string_view) { return server; };
  out.identity = around.identity;
  out.authority = around.authority;
  out.signer = around.signer;
  out.ranges = ranges_for_others(config);
  out.cloud = has_cloud(config, *around.host);
  if (joins_machines(config)) out.routed = config.nodes.pod_cidr;
  return out;
}

/// Without election everything runs here.
std::vector<std::string> unelected_of(const loop_surroundings& loops) {
  if (!loops.identity.empty()) return {};
  std::vector<std::string> out = {"controller_manager", "scheduler"};
  if (loops.cloud) out.emplace_back("cloud_controller_manager");
  return out;
}

/// The nodes of this process; what joins their pods with those of other machines.
void add_nodes(made_graph& to, caf::actor_system& system, const configuration& config, const surroundings& around) {
  if (!config.runs("nodes")) return;
  const auto& host = *around.host;
  auto nodes = make_nodes(
      system, config, host, [&](std::size_t) { return to.server; }, *around.kubelets);
  std::optional<child_spec> network;
  if (ranges_are_given(config) || (joins_machines(config) && !host.hollow()))
    network = pod_network_child(config, host, to.server, nodes);
  to.children.push_back(supervisor_child("nodes", std::move(nodes.children)));
  if (network) to.children.push_back(std::move(*network));
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
  std::optional<child_spec> proxy;
  if (around.measured)
    proxy = proxy_child(config, around.host->hollow(), around.host->address(), out.server, *around.measured);
  auto loops = loops_of(config, around, out.server);
  // Service proxies on other machines are those machines' own matter.
  loops.nodes_answer = proxy.has_value() || joins_machines(config);
  out.unelected = unelected_of(loops);
  for (auto& one : control_loops(config, loops)) children.push_back(std::move(one));
  add_nodes(out, system, config, around);
  if (proxy) children.push_back(std::move(*proxy));
  return out;
}

}  // namespace troupe::runtime
