// Configuration: what is accepted, and how precisely the rest is refused.
#include "runtime/config.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace troupe;
using namespace troupe::runtime;

namespace {
std::string refusal(std::string_view yaml) {
  configuration config;
  return parse_config(yaml, "local.yaml", config).message;
}
}  // namespace

TEST_CASE("the shipped configuration is valid, and names every key with its default") {
  configuration config, defaults;
  REQUIRE(load_config(TROUPE_SOURCE_DIR "/configs/local.yaml", config).ok());
  CHECK(config.api_server.listen == defaults.api_server.listen);
  CHECK(config.trace.max_bytes == defaults.trace.max_bytes);
  CHECK(config.nodes.runtime == "auto");

  std::string text;
  FILE* file = fopen(TROUPE_SOURCE_DIR "/configs/local.yaml", "r");
  REQUIRE(file);
  for (int c; (c = fgetc(file)) != EOF;) text += static_cast<char>(c);
  fclose(file);
  for (const auto& key : config_keys()) {
    auto last = std::string(key.name.substr(key.name.find('.') == std::string_view::npos ? 0 : key.name.find('.') + 1));
    INFO(key.name);
    CHECK(text.find(last + ":") != std::string::npos);
  }
}

TEST_CASE("the configurations of a cluster's processes are valid") {
  configuration plane, node;
  REQUIRE(load_config(TROUPE_SOURCE_DIR "/configs/control_plane.yaml", plane).ok());
  CHECK(check_config(plane).ok());
  CHECK(plane.nodes.count == 0);
  REQUIRE(load_config(TROUPE_SOURCE_DIR "/configs/node.yaml", node).ok());
  CHECK(check_node_config(node).ok());
  node.link.servers = {"10.0.0.1"};
  CHECK(check_node_config(node).message ==
        "link.servers: must be ADDRESS:PORT with a port between 0 and 65535, not \"10.0.0.1\"");
  node.link.servers.clear();
  CHECK(!check_node_config(node).ok());
}

TEST_CASE("what runs in a process: components that are not known or cannot be alone are refused") {
  CHECK(refusal("components: [store, api_srver]\n") ==
        "local.yaml:1: \"components\" must be one of store, api_server, controller_manager, scheduler, "
        "cloud_controller_manager, nodes, kube_proxy, not \"api_srver\"; did you mean \"api_server\"?");
  configuration config;
  config.data_dir = "/tmp/x";
  CHECK(config.runs("scheduler"));
  auto plane = [&](std::vector<std::string> components) {
    config.components = std::move(components);
    return check_config(config).message;
  };
  CHECK(plane({"store", "api_server"}).empty());
  CHECK(!config.runs("scheduler"));
  CHECK(plane({"store"}).starts_with("components: a store in a process of its own is an etcd cluster"));
  CHECK(plane({"scheduler"}).find("`troupe component`") != std::string::npos);
  CHECK(plane({"api_server"}) == "components: api_server without store needs store.backend etcd");
  config.store.backend = "etcd";
  config.store.endpoints = {"http://127.0.0.1:2379"};
  CHECK(plane({"api_server"}).empty());
  config.controllers.cluster_signing_key_file = "/tmp/ca.key";
  CHECK(plane({}).find("only where controller_manager runs without the api_server") != std::string::npos);
}

TEST_CASE("a process of components has a control plane elsewhere") {
  for (const char* name : {"scheduler", "controller_manager"}) {
    configuration shipped;
    REQUIRE(load_config(std::string(TROUPE_SOURCE_DIR "/configs/").append(name).append(".yaml"), shipped).ok());
    CHECK(check_component_config(shipped).ok());
    CHECK(shipped.components == std::vector<std::string>{name});
  }
  configuration config;
  config.data_dir = "/tmp/x";
  config.link.servers = {"10.0.0.1:6444"};
  auto message = [&](std::vector<std::string> components) {
    config.components = std::move(components);
    return check_component_config(config).message;
  };
  CHECK(message({"scheduler", "controller_manager", "cloud_controller_manager", "kube_proxy"}).empty());
  CHECK(message({}).starts_with("components: required"));
  CHECK(message({"scheduler", "api_server"}).find("`troupe control-plane`") != std::string::npos);
  CHECK(message({"store"}).find("an etcd cluster") != std::string::npos);
  CHECK(message({"nodes"}).find("`troupe node`") != std::string::npos);
  config.controllers.cluster_signing_key_file = "/tmp/ca.key";
  CHECK(message({"controller_manager"}).find("one is of no use without the other") != std::string::npos);
  config.controllers.cluster_signing_key_file.clear();
  config.link.servers.clear();
  CHECK(message({"scheduler"}).starts_with("link.servers: "));
  config.link.servers = {"10.0.0.1:6444"};
  config.components = {"nodes"};
  CHECK(check_node_config(config).ok());
  config.components = {"kube_proxy"};
  CHECK(!check_node_config(config).ok());
}

TEST_CASE("an unknown key is refused with file, line and the nearest right name") {
  CHECK(refusal("log:\n  level: info\napi_server:\n  listn: 127.0.0.1:1\n") ==
        "local.yaml:4: unknown key \"api_server.listn\"; did you mean \"api_server.listen\"?");
  CHECK(refusal("stor:\n  backend: memory\n") == "local.yaml:1: unknown key \"stor\"; did you mean \"store\"?");
  CHECK(refusal("zzzzzzzzzz: 1\n") == "local.yaml:1: unknown key \"zzzzzzzzzz\"");
}

TEST_CASE("a wrong type or value is refused with its line") {
  CHECK(refusal("nodes:\n\n  count: many\n") == "local.yaml:3: \"nodes.count\" must be an integer, not \"many\"");
  CHECK(refusal("nodes:\n  count: [1]\n") == "local.yaml:2: \"nodes.count\" must be an integer, not a list");
  CHECK(refusal("api_server:\n  extra_names: a\n") ==
        "local.yaml:2: \"api_server.extra_names\" must be a list of strings, not \"a\"");
  CHECK(refusal("api_server:\n  extra_names:\n    - a\n    - {b: c}\n") ==
        "local.yaml:4: \"api_server.extra_names\" must be a list of strings, not a list of something else");
  CHECK(refusal("api_server:\n  extra_names:\n").empty());
  CHECK(refusal("data_dir: *nothing\n").starts_with("local.yaml:1: "));
  CHECK(refusal("nodes: 3\n") == "local.yaml:1: \"nodes\" must be a mapping");
  CHECK(refusal("nodes:\n  count: -1\n") == "local.yaml:2: \"nodes.count\" must be between 0 and 100000, not -1");
  CHECK(refusal("store:\n  backend: disk\n") ==
        "local.yaml:2: \"store.backend\" must be one of embedded, memory, etcd, not \"disk\"");
  CHECK(refusal("a: [\n").starts_with("local.yaml:"));
  CHECK(refusal("- a\n") == "local.yaml: the configuration must be a mapping");
}

TEST_CASE("--set goes through the same table") {
  configuration config;
  CHECK(set_config("nodes.count=7", config).ok());
  CHECK(config.nodes.count == 7);
  CHECK(set_config("trace.enabled=false", config).ok());
  CHECK(!config.trace.enabled);
  CHECK(set_config("nodes.cuont=7", config).message ==
        "--set nodes.cuont=7: unknown key \"nodes.cuont\"; did you mean \"nodes.count\"?");
  CHECK(set_config("trace.enabled=maybe", config).message.find("must be a boolean") != std::string::npos);
  CHECK(set_config("oops", config).message == "--set oops: must have the form key=value");
}

TEST_CASE("values are judged together") {
  configuration config;
  CHECK(check_config(config).message.starts_with("data_dir: required"));
  config.data_dir = "/tmp/x";
  CHECK(check_config(config).ok());
  config.api_server.listen = "127.0.0.1:99999";
  CHECK(check_config(config).message.starts_with("api_server.listen: must be ADDRESS:PORT"));
}

TEST_CASE("a pool of addresses for load balancers is one, and nobody else's") {
  auto judged = [](const char* pool, const char* provider = "auto") {
    configuration config;
    config.data_dir = "/data";
    config.cloud.load_balancer_pool = pool;
    config.cloud.provider = provider;
    return check_config(config).message;
  };
  CHECK(judged("").empty());
  CHECK(judged("10.0.0.192/27").empty());
  CHECK(judged("10.0.0.200-10.0.0.220").empty());
  CHECK(judged("10.0.0.200") ==
        "cloud.load_balancer_pool: must be FIRST-LAST or BASE/BITS in IPv4, not \"10.0.0.200\"");
  CHECK(judged("10.96.255.0/24") == "cloud.load_balancer_pool: overlaps api_server.service_cidr 10.96.0.0/16");
  CHECK(judged("10.0.0.0/8") == "cloud.load_balancer_pool: overlaps api_server.service_cidr 10.96.0.0/16");
  CHECK(judged("10.243.0.1-10.244.0.0") == "cloud.load_balancer_pool: overlaps nodes.pod_cidr 10.244.0.0/16");
  CHECK(judged("10.0.0.192/27", "none") == "cloud.load_balancer_pool: of no use with cloud.provider none");
}
