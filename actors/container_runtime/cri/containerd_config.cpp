// See containerd_config.hpp.
#include "actors/container_runtime/cri/containerd_config.hpp"

#include <cstdint>
#include <cstdio>

#include "messages/hash.hpp"

namespace troupe::cri {
namespace {

/// Folded to 32 bits: a name, not a secret.
std::string tag_of(const std::string& text) {
  const auto hash = fnv1a(text);
  char out[9];
  std::snprintf(out, sizeof out, "%08x", static_cast<unsigned>(hash ^ hash >> 32));
  return out;
}

/// A string of TOML and JSON: both escape quotes, backslashes and control characters alike.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", c);
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string runtime_section(const containerd_places& at, const containerd_settings& settings, std::size_t node) {
  auto name = node == 0 ? std::string("runc") : handler_name(node);
  auto section = "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes." + name;
  return "  " + section + "]\n" + "    runtime_type = \"io.containerd.runc.v2\"\n" +
         (node == 0 ? std::string() : "    cni_conf_dir = " + quoted(network_folder(at, node)) + "\n") + "    " +
         section + ".options]\n" + "      BinaryName = " + quoted(settings.runc) + "\n" +
         "      Root = " + quoted(at.run + "/runc") + "\n" + "      SystemdCgroup = false\n";
}

}  // namespace

containerd_places places_of(const std::string& data_dir) {
  containerd_places at;
  at.tag = tag_of(data_dir);
  at.home = data_dir + "/containerd";
  at.root = at.home + "/root";
  at.log = at.home + "/log";
  at.lock = at.home + "/lock";
  at.address = at.home + "/address";
  at.pods = data_dir + "/pods";
  at.pod_logs = data_dir + "/logs";
  at.run = "/run/troupe-" + at.tag;
  at.state = at.run + "/state";
  at.socket = at.run + "/containerd.sock";
  at.config = at.run + "/containerd.toml";
  at.pid = at.run + "/containerd.pid";
  at.before = at.run + "/before";
  at.cgroup = "/troupe-" + at.tag;
  at.table = "troupe_" + at.tag;
  return at;
}

std::string bridge_name(const containerd_places& at, std::size_t node) {
  return "trp" + std::to_string(node) + "-" + at.tag;
}
std::string network_folder(const containerd_places& at, std::size_t node) {
  return at.run + "/cni/" + std::to_string(node);
}
std::string handler_name(std::size_t node) { return node == 0 ? std::string() : "node-" + std::to_string(node); }

std::string containerd_config(const containerd_places& at, const containerd_settings& settings) {
  std::string out = "version = 2\nroot = " + quoted(at.root) + "\nstate = " + quoted(at.state) +
                    "\noom_score = 0\n"
                    "disabled_plugins = [\"io.containerd.snapshotter.v1.btrfs\", "
                    "\"io.containerd.snapshotter.v1.devmapper\", \"io.containerd.snapshotter.v1.zfs\", "
                    "\"io.containerd.snapshotter.v1.aufs\", \"io.containerd.internal.v1.opt\"]\n"
                    "[grpc]\n  address = " +
                    quoted(at.socket) + "\n[ttrpc]\n  address = " + quoted(at.socket + ".ttrpc") +
                    "\n"
                    "[plugins.\"io.containerd.grpc.v1.cri\"]\n"
                    "  sandbox_image = \"localhost/pause:1\"\n"
                    // Without CAP_SYS_RESOURCE no process may lower its score, and every sandbox would fail.
                    "  restrict_oom_score_adj = true\n"
                    "  netns_mounts_under_state_dir = true\n"
                    "  stream_server_address = \"127.0.0.1\"\n"
                    "  [plugins.\"io.containerd.grpc.v1.cri\".cni]\n"
                    "    bin_dir = " +
                    quoted(settings.plugin_dir) + "\n    conf_dir = " + quoted(network_folder(at, 0)) +
                    "\n"
                    "  [plugins.\"io.containerd.grpc.v1.cri\".containerd]\n"
                    "    snapshotter = " +
                    quoted(settings.snapshotter) + "\n    default_runtime_name = \"runc\"\n";
  for (std::size_t node = 0; node < settings.nodes.size(); ++node) out += runtime_section(at, settings, node);
  return out;
}

std::string network_config(const containerd_places& at, const containerd_settings& settings, std::size_t node) {
  return "{\"cniVersion\":\"1.0.0\",\"name\":" + quoted("troupe-" + at.tag + "-" + std::to_string(node)) +
         ",\"plugins\":[{\"type\":\"bridge\",\"bridge\":" + quoted(bridge_name(at, node)) +
         ",\"isDefaultGateway\":true,\"ipMasq\":false,\"hairpinMode\":true,\"ipam\":{\"type\":\"host-local\","
         "\"ranges\":[[{\"subnet\":" +
         quoted(settings.nodes[node].pod_cidr) + "}]],\"dataDir\":" + quoted(at.run + "/ipam") +
         "}},{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true},\"snat\":true}]}\n";
}

std::string masquerade_rules(const containerd_places& at, const containerd_settings& settings) {
  auto& range = settings.cluster_cidr;
  return "table ip " + at.table + "\ndelete table ip " + at.table + "\ntable ip " + at.table +
         " {\n  chain postrouting {\n    type nat hook postrouting priority srcnat; policy accept;\n    ip saddr " +
         range + " ip daddr != " + range + " ip daddr != 224.0.0.0/4 oifname != \"trp*\" masquerade\n  }\n}\n";
}

}  // namespace troupe::cri
