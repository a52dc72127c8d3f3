// Configuration: one structure, one table of keys. A file (YAML), `--set key=value` and the flags all go through the
// table, so a wrong key or type is refused the same way everywhere, with its line and the nearest right name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/status.hpp"

namespace troupe::runtime {

/// Everything that can be configured. Defaults are those of local mode; configs/local.yaml documents each key.
struct configuration {
  std::string data_dir;    // where the store, certificates and traces live
  std::string kubeconfig;  // written for the administrator; empty: DATA_DIR/kubeconfig
  /// What runs in this process: store, api_server, controller_manager, scheduler, cloud_controller_manager, nodes,
  /// kube_proxy; empty: everything that the command runs.
  std::vector<std::string> components;

  struct {
    std::string level = "info";  // trace, debug, info, warn, error
    std::string file;            // empty: standard error
  } log;

  struct {
    std::string backend = "embedded";  // embedded, memory, etcd
    std::int64_t compact_seconds = 300;
    std::vector<std::string> endpoints;  // etcd: "https://HOST:PORT"
    std::string ca;                      // etcd: files in PEM
    std::string cert;
    std::string key;
  } store;

  struct {
    std::string listen = "127.0.0.1:6443";
    std::int64_t gateway_threads = 2;
    std::int64_t workers = 2;
    std::int64_t max_body_bytes = 3145728;
    std::int64_t max_inflight = 400;
    std::int64_t max_mutating_inflight = 200;
    std::string service_cidr = "10.96.0.0/16";
    std::vector<std::string> extra_names;  // further names and addresses of the serving certificate
    /// Life of the serving certificate and of the administrator's.
    std::int64_t certificate_seconds = std::int64_t{365} * 24 * 3600;
  } api_server;

  struct {
    std::string listen;                // control plane: ADDRESS:PORT for links; empty: none
    std::vector<std::string> servers;  // without api_server: ADDRESS:PORT of control planes
    std::string credentials;           // folder of ca.crt, NAME.crt, NAME.key (node, component); empty: DATA_DIR/pki
  } link;

  struct {
    std::string runtime = "auto";  // auto, cri, hollow
    std::int64_t count = 1;
    std::string name_prefix;  // empty: the host's name, or hollow-N with several nodes
    std::string pod_cidr = "10.244.0.0/16";
    std::int64_t heartbeat_seconds = 10;
    std::string cri_socket;  // empty: look for one, or start a private containerd
  } nodes;

  struct {
    std::int64_t node_grace_seconds = 40;    // without heartbeat: NotReady (node-monitor-grace-period)
    std::int64_t eviction_seconds = 300;     // default toleration of not-ready and unreachable
    std::int64_t leader_lease_seconds = 15;  // of several processes the one that leads (leader-elect-lease-duration)
    // Files in PEM with what signs certificates, where controller_manager runs without the api_server (kube-controller-
    // manager's flags of these names); empty: nothing is signed.
    std::string cluster_signing_cert_file;
    std::string cluster_signing_key_file;
  } controllers;

  struct {
    std::string enabled = "auto";  // auto, true, false
  } kube_proxy;

  struct {
    std::string provider = "auto";   // auto, local, none
    std::string load_balancer_pool;  // "FIRST-LAST" or "BASE/BITS"; empty: Services get the nodes' addresses
  } cloud;

  struct {
    bool enabled = true;
    std::int64_t max_bytes = 67108864;  // recorded traces on disk
  } trace;

  struct {
    bool allow_crash = false;  // `troupe debug crash` may end a component
  } debug;

  /// Whether a component, by its name in `components`, runs in this process.
  bool runs(std::string_view component) const;
};

/// One row of the table of keys.
struct config_key {
  std::string_view name;  // "api_server.listen"
  std::string_view type;  // string, integer, boolean, list of strings
  std::string_view about;
};
const std::vector<config_key>& config_keys();

/// Reads a YAML file into `out`. The error names file, line and the nearest right key.
status load_config(const std::string& path, configuration& out);
/// The same for text; `source` names it in errors.
status parse_config(std::string_view yaml, std::string_view source, configuration& out);
/// Applies one "key=value".
status set_config(std::string_view assignment, configuration& out);
/// Judges values against each other and their ranges.
status check_config(const configuration& config);
/// The same for a process that is nodes only.
status check_node_config(const configuration& config);
/// The same for a process of control loops and kube_proxy, without an api_server (`troupe component`).
status check_component_config(const configuration& config);

/// A host and its port, split.
struct host_and_port {
  std::string host;
  std::uint16_t port = 0;
};
/// "127.0.0.1:6443", "[::1]:6443"; nothing for another text.
std::optional<host_and_port> split_address(std::string_view text);

/// The candidate closest to `word` by edit distance, or empty if none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace troupe::runtime
