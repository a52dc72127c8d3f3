// What values of the configuration mean together.
#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "messages/ipv4.hpp"
#include "runtime/config.hpp"

namespace troupe::runtime {

namespace {

constexpr const char* lone_store =
    "components: a store in a process of its own is an etcd cluster; its api_servers have store.backend etcd";

status check_address(std::string_view key, const std::string& text) {
  if (split_address(text)) return {};
  return bad_request(std::string(key) + ": must be ADDRESS:PORT with a port between 0 and 65535, not \"" + text + "\"");
}

status check_store(const configuration& config) {
  const auto& store = config.store;
  if (store.backend != "etcd") {
    bool unused = !store.endpoints.empty() || !store.ca.empty() || !store.cert.empty() || !store.key.empty();
    if (unused) return bad_request("store.endpoints, store.ca, store.cert, store.key: only with store.backend etcd");
    return {};
  }
  if (store.endpoints.empty()) return bad_request("store.endpoints: required with store.backend etcd");
  if (store.cert.empty() != store.key.empty())
    return bad_request("store.cert, store.key: one is of no use without the other");
  for (const auto& one : store.endpoints) {
    if (!one.starts_with("http://") && !one.starts_with("https://"))
      return bad_request("store.endpoints: must be https://HOST:PORT or http://HOST:PORT, not \"" + one + "\"");
    if (one.starts_with("https://") && store.ca.empty())
      return bad_request("store.ca: required for the endpoint " + one);
  }
  return {};
}

/// An address that is a pod's or a Service's already would lead to neither.
status check_pool(const configuration& config) {
  const auto& text = config.cloud.load_balancer_pool;
  if (text.empty()) return {};
  auto refused = [](const std::string& why) { return bad_request("cloud.load_balancer_pool: " + why); };
  auto pool = ipv4_pool_in(text);
  if (!pool) return refused("must be FIRST-LAST or BASE/BITS in IPv4, not \"" + text + "\"");
  if (config.cloud.provider == "none") return refused("of no use with cloud.provider none");
  const std::pair<std::string_view, const std::string&> others[] = {
      {"api_server.service_cidr", config.api_server.service_cidr}, {"nodes.pod_cidr", config.nodes.pod_cidr}};
  for (const auto& [key, range] : others)
    if (auto block = ipv4_block_in(range); block && pool->first <= block->last() && block->first() <= pool->last)
      return refused("overlaps " + std::string(key).append(" ").append(range));
  return {};
}

/// Whether `components` names nothing but these.
bool lists_only(const configuration& config, std::initializer_list<std::string_view> known) {
  return std::all_of(config.components.begin(), config.components.end(),
                     [&](const auto& one) { return std::find(known.begin(), known.end(), one) != known.end(); });
}

bool lists(const configuration& config, std::string_view component) {
  return !config.components.empty() && config.runs(component);
}

status check_components(const configuration& config) {
  if (!config.runs("api_server")) {
    if (lists(config, "store")) return bad_request(lone_store);
    return bad_request("components: without api_server they are run by `troupe component`, nodes by `troupe node`");
  }
  if (!config.runs("store") && config.store.backend != "etcd")
    return bad_request("components: api_server without store needs store.backend etcd");
  if (!config.controllers.cluster_signing_cert_file.empty() || !config.controllers.cluster_signing_key_file.empty())
    return bad_request(
        "controllers.cluster_signing_cert_file, controllers.cluster_signing_key_file: only where controller_manager "
        "runs without the api_server, which has its authority's key itself");
  return {};
}

/// What every process without an api_server needs.
status check_links(const configuration& config) {
  if (config.data_dir.empty()) return bad_request("data_dir: required (--data-dir DIR)");
  if (config.link.servers.empty())
    return bad_request("link.servers: the control plane's ADDRESS:PORT is required (--server ADDRESS:PORT)");
  for (const auto& server : config.link.servers)
    if (auto bad = check_address("link.servers", server); !bad.ok()) return bad;
  return {};
}

}  // namespace

status check_config(const configuration& config) {
  if (auto bad = check_components(config); !bad.ok()) return bad;
  if (auto bad = check_address("api_server.listen", config.api_server.listen); !bad.ok()) return bad;
  if (!config.link.listen.empty())
    if (auto bad = check_address("link.listen", config.link.listen); !bad.ok()) return bad;
  if (config.data_dir.empty() && config.store.backend == "embedded")
    return bad_request("data_dir: required with store.backend embedded (--data-dir DIR)");
  if (auto bad = check_pool(config); !bad.ok()) return bad;
  return check_store(config);
}

status check_node_config(const configuration& config) {
  if (auto bad = check_links(config); !bad.ok()) return bad;
  if (config.nodes.count < 1) return bad_request("nodes.count: a node process has one node at least");
  if (!config.runs("nodes") || !lists_only(config, {"nodes", "kube_proxy"}))
    return bad_request(
        "components: `troupe node` runs nodes, with or without kube_proxy; others are run by "
        "`troupe component`");
  return {};
}

status check_component_config(const configuration& config) {
  if (config.components.empty())
    return bad_request("components: required: scheduler, controller_manager, cloud_controller_manager, kube_proxy");
  if (lists(config, "api_server")) return bad_request("components: api_server is run by `troupe control-plane`");
  if (lists(config, "store")) return bad_request(lone_store);
  if (lists(config, "nodes")) return bad_request("components: nodes are run by `troupe node`");
  if (auto bad = check_links(config); !bad.ok()) return bad;
  const auto& controllers = config.controllers;
  if (controllers.cluster_signing_cert_file.empty() != controllers.cluster_signing_key_file.empty())
    return bad_request(
        "controllers.cluster_signing_cert_file, controllers.cluster_signing_key_file: one is of no use "
        "without the other");
  if (lists(config, "cloud_controller_manager") && config.cloud.provider == "none")
    return bad_request("components: cloud_controller_manager has nothing to do with cloud.provider none");
  if (lists(config, "kube_proxy") && config.kube_proxy.enabled == "false")
    return bad_request("components: kube_proxy has nothing to do with kube_proxy.enabled false");
  return check_pool(config);
}

}  // namespace troupe::runtime
