// What a private containerd is told.
#include <doctest/doctest.h>

#include "actors/container_runtime/cri/containerd_config.hpp"
#include "messages/document.hpp"

using namespace troupe;
using namespace troupe::cri;

namespace {

containerd_settings two_nodes() {
  containerd_settings out;
  out.data_dir = "/var/lib/a \"quoted\" place";
  out.cluster_cidr = "10.244.0.0/16";
  out.nodes = {{"10.244.0.0/24"}, {"10.244.1.0/24"}};
  return out;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

}  // namespace

TEST_CASE("names fit a socket's path and a link's name however long the data directory is called") {
  auto at = places_of("/" + std::string(300, 'x'));
  CHECK(at.socket.size() + std::string(".ttrpc").size() < 108);
  CHECK(bridge_name(at, 99).size() <= 15);
  CHECK(at.tag.size() == 8);
  CHECK(places_of("/a").tag != places_of("/b").tag);
  CHECK(places_of("/a").tag == places_of("/a").tag);
}

TEST_CASE("containerd keeps images in the data directory and the rest in /run, each node has its network") {
  auto settings = two_nodes();
  auto at = places_of(settings.data_dir);
  auto text = containerd_config(at, settings);
  CHECK(has(text, "root = \"/var/lib/a \\\"quoted\\\" place/containerd/root\""));
  CHECK(has(text, "state = \"" + at.run + "/state\""));
  CHECK(has(text, "restrict_oom_score_adj = true"));
  CHECK(has(text, "netns_mounts_under_state_dir = true"));
  CHECK(has(text, "sandbox_image = \"localhost/pause:1\""));
  CHECK(has(text, "conf_dir = \"" + at.run + "/cni/0\""));
  CHECK(has(text, "runtimes.node-1]\n    runtime_type = \"io.containerd.runc.v2\"\n    cni_conf_dir = \"" + at.run +
                      "/cni/1\""));
  CHECK(handler_name(0).empty());
  CHECK(handler_name(1) == "node-1");
}

TEST_CASE("a node's network is a bridge with the addresses of its pod range") {
  auto settings = two_nodes();
  auto at = places_of(settings.data_dir);
  auto parsed = document::parse(network_config(at, settings, 1));
  REQUIRE(parsed);
  auto& root = parsed->root();
  CHECK(root.find("cniVersion")->string() == "1.0.0");
  auto& bridge = root.find("plugins")->element(0);
  CHECK(bridge.find("type")->string() == "bridge");
  CHECK(bridge.find("bridge")->string() == bridge_name(at, 1));
  CHECK(bridge.find("hairpinMode")->boolean());
  auto& range = bridge.find("ipam", "ranges")->element(0).element(0);
  CHECK(range.find("subnet")->string() == "10.244.1.0/24");
  CHECK(root.find("plugins")->element(1).find("type")->string() == "portmap");
}

TEST_CASE("only what leaves the cluster is masqueraded") {
  auto settings = two_nodes();
  auto at = places_of(settings.data_dir);
  auto text = masquerade_rules(at, settings);
  CHECK(has(text, "ip saddr 10.244.0.0/16 ip daddr != 10.244.0.0/16"));
  CHECK(has(text, "table ip " + at.table + "\ndelete table ip " + at.table + "\n"));
}
