// See nodes.hpp.
#include "runtime/placement/nodes.hpp"

#include <unistd.h>

#include <arpa/inet.h>

#include <fmt/format.h>

#include "actors/container_runtime/hollow/hollow.hpp"
#include "actors/kubelet/kubelet.hpp"
#include "runtime/api_session.hpp"

namespace troupe::runtime {
namespace {

// Part `index` of the cluster's pod range: /24 each. The range is checked by check_runtime.
std::string pod_cidr_of(const std::string& cluster, std::size_t index) {
  in_addr base{};
  inet_pton(AF_INET, cluster.substr(0, cluster.find('/')).c_str(), &base);
  base.s_addr = htonl(ntohl(base.s_addr) + static_cast<std::uint32_t>(index << 8));
  char text[INET_ADDRSTRLEN];
  return std::string(inet_ntop(AF_INET, &base, text, sizeof text)) + "/24";
}

// Hollow nodes have addresses that nobody has: 100.64.0.0/10 is set aside for carriers (RFC 6598).
std::string hollow_ip(std::size_t index) {
  auto n = index + 1;
  return fmt::format("100.{}.{}.{}", 64 + (n >> 16), (n >> 8) & 255, n & 255);
}

std::string node_name(const configuration& config, std::size_t index) {
  auto prefix = config.nodes.name_prefix;
  if (config.nodes.runtime == "hollow") return (prefix.empty() ? "hollow-" : prefix) + std::to_string(index);
  char host[256] = "node";
  gethostname(host, sizeof host - 1);
  return prefix.empty() ? host : prefix;
}

kubelet::kubelet_options hollow_node(const configuration& config, std::size_t index) {
  kubelet::kubelet_options how;
  how.node.name = node_name(config, index);
  how.node.ip = hollow_ip(index);
  how.node.pod_cidr = pod_cidr_of(config.nodes.pod_cidr, index);
  how.node.labels = {{"type", "hollow"}};
  how.node.lease_period = config.nodes.heartbeat_seconds;
  how.node.lease_duration = config.nodes.heartbeat_seconds * 4;
  return how;
}

}  // namespace

status check_runtime(configuration& config) {
  in_addr base{};
  auto slash = config.nodes.pod_cidr.find('/');
  if (slash == std::string::npos || inet_pton(AF_INET, config.nodes.pod_cidr.substr(0, slash).c_str(), &base) != 1)
    return bad_request("nodes.pod_cidr: must be an IPv4 range as 10.244.0.0/16, not \"" + config.nodes.pod_cidr + "\"");
  if (config.nodes.runtime == "cri")
    return make_status(reason::not_implemented,
                       "nodes.runtime cri: this version has no driver for container runtimes yet; use hollow");
  if (config.nodes.runtime == "auto") {
    spdlog::warn("nodes.runtime auto: this version has no driver for container runtimes yet; nodes are hollow");
    config.nodes.runtime = "hollow";
  }
  return {};
}

std::vector<std::string> node_names(const configuration& config) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < static_cast<std::size_t>(config.nodes.count); ++i) names.push_back(node_name(config, i));
  return names;
}

std::vector<child_spec> node_children(caf::actor_system& system, const configuration& config,
                                      const stable_ref<api::api_server_actor>& server, kubelet_directory& kubelets) {
  std::vector<child_spec> nodes;
  for (std::size_t i = 0; i < static_cast<std::size_t>(config.nodes.count); ++i) {
    auto how = hollow_node(config, i);
    auto path = "root/nodes/" + how.node.name;
    auto runtime_ref = stable_ref<container::runtime_actor>::make(system, path + "/runtime");
    auto kubelet_ref = stable_ref<kubelet::kubelet_actor>::make(system, path + "/kubelet");
    hollow::options driver;
    driver.node_name = how.node.name;
    driver.pod_cidr = how.node.pod_cidr;
    how.server = server;
    how.runtime = runtime_ref;
    std::vector<child_spec> parts;
    parts.push_back(child<container::runtime_actor>(
        "runtime", [driver](caf::actor_system& in) { return hollow::spawn_hollow(in, driver); }, runtime_ref));
    parts.push_back(kubelet::kubelet_child(how, kubelet_ref));
    kubelets.add(how.node.name, kubelet_ref);
    nodes.push_back(supervisor_child(how.node.name, std::move(parts)));
  }
  return nodes;
}

}  // namespace troupe::runtime
