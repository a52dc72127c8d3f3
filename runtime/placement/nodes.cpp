// See nodes.hpp.
#include "runtime/placement/nodes.hpp"

#include <fmt/format.h>

#include "actors/container_runtime/cri/cri.hpp"
#include "actors/container_runtime/cri/keeper.hpp"
#include "actors/container_runtime/hollow/hollow.hpp"
#include "actors/kubelet/kubelet.hpp"
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
  how.node.pod_cidr = pod_cidr_of(config.nodes.pod_cidr, index);
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

child_spec hollow_driver(const kubelet::kubelet_options& how, const stable_ref<container::runtime_actor>& reference) {
  hollow::options driver{how.node.name, how.node.pod_cidr};
  auto spec = child<container::runtime_actor>(
      "runtime", [driver](caf::actor_system& in) { return hollow::spawn_hollow(in, driver); }, reference);
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

std::vector<child_spec> node_children(caf::actor_system& system, const configuration& config, const machine& host,
                                      const server_of_node& server, kubelet_directory& kubelets) {
  std::vector<child_spec> nodes;
  if (host.containerd()) nodes.push_back(cri::keeper_child(host.containerd()));
  for (std::size_t i = 0; i < static_cast<std::size_t>(config.nodes.count); ++i) {
    auto how = host.hollow() ? hollow_node(config, i) : real_node(config, host, i);
    auto path = "root/nodes/" + how.node.name;
    auto runtime_ref = stable_ref<container::runtime_actor>::make(system, path + "/runtime");
    auto kubelet_ref = stable_ref<kubelet::kubelet_actor>::make(system, path + "/kubelet");
    how.server = server(i);
    how.runtime = runtime_ref;
    std::vector<child_spec> parts;
    parts.push_back(host.hollow() ? hollow_driver(how, runtime_ref) : real_driver(how, host, i, runtime_ref));
    parts.push_back(kubelet::kubelet_child(how, kubelet_ref));
    kubelets.add(how.node.name, kubelet_ref);
    nodes.push_back(supervisor_child(how.node.name, std::move(parts)));
  }
  return nodes;
}

}  // namespace troupe::runtime
