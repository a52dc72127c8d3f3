// See nodes.hpp.
#include "runtime/placement/nodes.hpp"

#include <fmt/format.h>

#include "actors/container_runtime/cri/cri.hpp"
#include "actors/container_runtime/cri/keeper.hpp"
#include "actors/container_runtime/hollow/hollow.hpp"
#include "actors/kubelet/kubelet.hpp"
#include "actors/pod_network/pod_network.hpp"
#include "runtime/api_session.hpp"

namespace troupe::runtime {
namespace {

// Hollow nodes have addresses that nobody has: 100.64.0.0/10 is set aside for carriers (RFC 6598).
std::string hollow_ip(std::size_t index) {
  auto n = index + 1;
  return fmt::format("100.{}.{}.{}", 64 + (n >> 16), (n >> 8) & 255, n & 255);
}

kubelet::kubelet_options any_node(const configuration& config, std::size_t index) {
  kubelet::kubelet_options how;
  how.node.name = node_name(config, index);
  if (!ranges_are_given(config)) how.node.pod_cidr = pod_cidr_of(config.nodes.pod_cidr, index);
  how.node.lease_period = config.nodes.heartbeat_seconds;
  how.node.lease_duration = config.nodes.heartbeat_seconds * 4;
  return how;
}

kubelet::kubelet_options hollow_node(const configuration& config, std::size_t index) {
  auto how = any_node(config, index);
  how.node.ip = hollow_ip(index);
  how.node.labels = {{"type", "hollow"}};
  return how;
}

kubelet::kubelet_options real_node(const configuration& config, const machine& host, std::size_t index) {
  auto how = any_node(config, index);
  kubelet::describe_host(how.node);
  how.node.ip = host.address();
  how.runtime_name = "containerd";
  auto places = cri::places_of(host.data_dir());
  how.volume_root = places.pods;
  how.log_root = places.pod_logs;
  how.cgroup_parent = places.cgroup;
  return how;
}

/// Another incarnation of the driver has the range that the first one was given.
child_spec hollow_driver(const std::string& node, const std::shared_ptr<range_table>& ranges,
                         const stable_ref<container::runtime_actor>& reference) {
  auto start = [node, ranges](caf::actor_system& in) {
    return hollow::spawn_hollow(in, hollow::options{node, ranges->of(node)});
  };
  auto spec = child<container::runtime_actor>("runtime", start, reference);
  spec.level = urgency::reporting;  // as the pods' workers, which it answers
  return spec;
}

child_spec real_driver(const kubelet::kubelet_options& how, const machine& host, std::size_t index,
                       const stable_ref<container::runtime_actor>& reference) {
  cri::options driver{host.socket(), how.node.name, host.containerd() ? cri::handler_name(index) : std::string()};
  return child<container::runtime_actor>(
      "runtime", [driver](caf::actor_system& in) { return cri::spawn_driver(in, driver); }, reference);
}

}  // namespace

void range_table::set(const std::string& node, const std::string& pod_cidr) {
  std::lock_guard guard(mutex_);
  ranges_[node] = pod_cidr;
}

std::string range_table::of(const std::string& node) const {
  std::lock_guard guard(mutex_);
  auto found = ranges_.find(node);
  return found == ranges_.end() ? std::string() : found->second;
}

made_nodes make_nodes(caf::actor_system& system, const configuration& config, const machine& host,
                      const server_of_node& server, kubelet_directory& kubelets) {
  made_nodes out;
  out.ranges = std::make_shared<range_table>();
  if (host.containerd()) out.children.push_back(cri::keeper_child(host.containerd()));
  for (std::size_t i = 0; i < static_cast<std::size_t>(config.nodes.count); ++i) {
    auto how = host.hollow() ? hollow_node(config, i) : real_node(config, host, i);
    const auto& name = how.node.name;
    auto path = "root/nodes/" + name;
    auto runtime_ref = stable_ref<container::runtime_actor>::make(system, path + "/runtime");
    auto kubelet_ref = stable_ref<kubelet::kubelet_actor>::make(system, path + "/kubelet");
    out.ranges->set(name, how.node.pod_cidr);
    how.server = server(i);
    how.runtime = runtime_ref;
    std::vector<child_spec> parts;
    parts.push_back(host.hollow() ? hollow_driver(name, out.ranges, runtime_ref)
                                  : real_driver(how, host, i, runtime_ref));
    parts.push_back(kubelet::kubelet_child(how, kubelet_ref));
    kubelets.add(name, kubelet_ref);
    out.runtimes.emplace(name, runtime_ref);
    out.children.push_back(supervisor_child(name, std::move(parts)));
  }
  return out;
}

child_spec pod_network_child(const configuration& config, const machine& host,
                             const stable_ref<api::api_server_actor>& server, const made_nodes& nodes) {
  std::map<std::string, std::size_t> indices;
  for (std::size_t i = 0; i < static_cast<std::size_t>(config.nodes.count); ++i) indices[node_name(config, i)] = i;
  pod_network::options how;
  how.server = server;
  how.cluster = config.nodes.pod_cidr;
  how.address = host.address();
  how.nodes = nodes.runtimes;
  if (host.containerd())
    for (auto& [name, runtime] : how.nodes) runtime = {};  // a private containerd reads what use_range writes
  how.use_range = [ranges = nodes.ranges, indices, machine = &host](const std::string& node, const std::string& cidr) {
    ranges->set(node, cidr);
    return machine->use_range(indices.at(node), cidr);
  };
  if (!host.hollow()) how.make_routes = pod_network::kernel_routes;
  return pod_network::child(std::move(how));
}

}  // namespace troupe::runtime
