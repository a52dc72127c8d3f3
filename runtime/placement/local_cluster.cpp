// Puts the local troupe together, from the inside out: system, store, api_server, controllers, scheduler, nodes.
#include "runtime/placement/local_cluster.hpp"

#include <unistd.h>

#include <vector>

#include <caf/scoped_actor.hpp>

#include <fmt/format.h>

#include "runtime/host_address.hpp"
#include "runtime/link/listener.hpp"
#include "runtime/log.hpp"
#include "runtime/pki.hpp"
#include "runtime/placement/debug_endpoint.hpp"
#include "runtime/placement/graph.hpp"
#include "runtime/placement/node_relay.hpp"
#include "runtime/placement/process_parts.hpp"

namespace troupe::runtime {
namespace {

// The first address of the service range is the API's own Service.
std::string first_service_address(const std::string& cidr) {
  auto base = cidr.substr(0, cidr.find('/'));
  auto dot = base.rfind('.');
  return dot == std::string::npos ? base : base.substr(0, dot + 1) + "1";
}

bool any_address(const std::string& host) { return host == "0.0.0.0" || host == "::"; }

}  // namespace

struct local_cluster::parts : process_parts {
  using process_parts::process_parts;

  std::shared_ptr<gateway::endpoint> endpoint;
  std::shared_ptr<link::link_port> link_port;  // null: no nodes of other machines
  std::shared_ptr<kubelet_directory> kubelets = std::make_shared<kubelet_directory>();
  stable_ref<stream::relay_actor> relay;
  stable_ref<store::store_actor> store_ref;
  stable_ref<api::api_server_actor> server_ref;
  std::string host;
  pki::cluster_certificates certificates;
  store::options storage;

  status make_certificates();
  status open_endpoint();
  status open_link();
  child_spec link_child(const stable_ref<api::api_server_actor>& server) const;
  status choose_storage();
  std::string identity();
  void start_actors();
  void measure();
  status await_store();
  std::string url() const {
    return fmt::format("https://{}:{}", any_address(host) ? "127.0.0.1" : host, endpoint->port());
  }
};

status local_cluster::parts::make_certificates() {
  std::vector<std::string> names = {"kubernetes",
                                    "kubernetes.default",
                                    "kubernetes.default.svc",
                                    "kubernetes.default.svc.cluster.local",
                                    "localhost",
                                    "127.0.0.1",
                                    first_service_address(config.api_server.service_cidr)};
  host = split_address(config.api_server.listen).value_or(host_and_port{}).host;
  if (!any_address(host) && host != "127.0.0.1" && host != "localhost") names.push_back(host);
  if (auto advertised = advertise_address(host); !advertised.empty() && advertised != host) names.push_back(advertised);
  if (auto link = split_address(config.link.listen); link && !any_address(link->host) && link->host != host)
    names.push_back(link->host);
  for (const auto& name : config.api_server.extra_names) names.push_back(name);
  auto now = static_cast<std::int64_t>(outside.wall_now_ms() / 1000);
  auto directory =
      config.data_dir.empty() ? std::string("/tmp/troupe-pki-") + std::to_string(getpid()) : config.data_dir + "/pki";
  auto made = pki::load_or_make(directory, names, now);
  if (!made) return made.error();
  certificates = std::move(*made);
  return {};
}

status local_cluster::parts::open_endpoint() {
  auto where = split_address(config.api_server.listen).value_or(host_and_port{});
  if (where.host == "localhost") where.host = "127.0.0.1";
  gateway::tls_credentials credentials{certificates.serving.certificate, certificates.serving.private_key,
                                       certificates.authority.certificate};
  gateway::limits bounds;
  bounds.body_bytes = static_cast<std::size_t>(config.api_server.max_body_bytes);
  bounds.read_only_in_flight = static_cast<std::uint32_t>(config.api_server.max_inflight);
  bounds.mutating_in_flight = static_cast<std::uint32_t>(config.api_server.max_mutating_inflight);
  auto opened = gateway::endpoint::open(where.host, where.port, credentials,
                                        static_cast<std::size_t>(config.api_server.gateway_threads), bounds);
  if (!opened) return opened.error();
  endpoint = std::move(*opened);
  return {};
}

/// Nodes prove themselves by certificates of the cluster's authority, the control plane by its serving certificate.
status local_cluster::parts::open_link() {
  auto where = split_address(config.link.listen);
  if (!where) return {};
  link::credentials with{certificates.serving.certificate, certificates.serving.private_key,
                         certificates.authority.certificate};
  auto opened = link::link_port::open(where->host, where->port, with, {}, &measured);
  if (!opened) return opened.error();
  link_port = std::move(*opened);
  return {};
}

child_spec local_cluster::parts::link_child(const stable_ref<api::api_server_actor>& server) const {
  link::listener_options how;
  how.port = link_port;
  how.server = server;
  how.node_up = [all = kubelets](const std::string& node, const kubelet::kubelet_actor& kubelet) {
    all->add(node, stable_ref<kubelet::kubelet_actor>::fixed(kubelet, "link/" + node));
  };
  how.node_down = [all = kubelets](const std::string& node) { all->remove(node); };
  return link::listener_child(std::move(how));
}

/// As client-go's leader election makes it: the host's name and something unique.
std::string local_cluster::parts::identity() {
  char host_name[256] = {};
  gethostname(host_name, sizeof host_name - 1);
  return fmt::format("{}_{}", host_name, outside.new_uid());
}

status local_cluster::parts::choose_storage() {
  const auto& wanted = config.store;
  const auto interval_ms = static_cast<std::uint64_t>(wanted.compact_seconds) * 1000;
  if (wanted.backend == "memory") {
    storage = store::in_memory();
  } else if (wanted.backend == "etcd") {
    auto connection = store::etcd::read_connection(wanted.endpoints, wanted.ca, wanted.cert, wanted.key);
    if (!connection) return connection.error();
    storage.backend = store::backend_kind::etcd;
    storage.etcd.connection = std::move(*connection);
    storage.etcd.policy.compact_interval_ms = interval_ms;
  } else {
    storage.data_dir = config.data_dir;
    storage.policy.compact_interval_ms = interval_ms;
  }
  return {};
}

void local_cluster::parts::start_actors() {
  relay = stable_ref<stream::relay_actor>::make(*system, "root/node_relay");
  surroundings around;
  around.storage = storage;
  if (storage.backend == store::backend_kind::etcd) around.identity = identity();
  around.authority = certificates.authority.certificate;
  around.signer = certificates.authority;
  around.kubelets = kubelets;
  around.host = host_machine.get();
  around.measured = &measured;
  auto& server = around.server;
  server.advertise_address = advertise_address(host);
  server.advertise_port = endpoint->port();
  server.proxy = make_node_proxy(relay.handle(), kubelets);
  server.stop_stream = make_stream_stopper(relay.handle());
  server.relay = relay;
  server.extra = [this](const api::request& asked) { return answer_debug(*system, measured, asked); };
  server.endpoint = endpoint;
  auto graph = make_graph(*system, config, std::move(around));
  store_ref = graph.store;
  server_ref = graph.server;
  graph.children.insert(graph.children.begin(),
                        child<stream::relay_actor>(
                            "node_relay", [](caf::actor_system& in) { return in.spawn<node_relay>(); }, relay));
  if (link_port) graph.children.push_back(link_child(graph.server));
  start_root(std::move(graph.children));
}

void local_cluster::parts::measure() {
  measured.make_callback("troupe_trace_frames_total", "Frames recorded.",
                         [this] { return recorder ? static_cast<double>(recorder->written_frames()) : 0.0; });
  measured.make_callback("troupe_trace_dropped_total", "Frames that did not fit the recorder's queue.",
                         [this] { return recorder ? static_cast<double>(recorder->dropped()) : 0.0; });
}

// What is wrong with the data directory is said at once, not after its supervisor has given up.
status local_cluster::parts::await_store() {
  while (!store_ref.up()) {
    for (const auto& one : settings->registry().snapshot("root/store"))
      if (!one.last_error.empty()) return internal_error(one.last_error);
    usleep(500);
  }
  return {};
}

local_cluster::local_cluster(configuration config) : parts_(std::make_unique<parts>(std::move(config))) {}
local_cluster::~local_cluster() = default;

status local_cluster::start() {
  auto& p = *parts_;
  if (auto bad = p.take_data_dir(); !bad.ok()) return bad;
  if (auto bad = p.open_host(); !bad.ok()) return bad;
  if (auto bad = p.make_certificates(); !bad.ok()) return bad;
  if (auto bad = p.open_trace(fmt::format("nodes.count={} nodes.runtime={} store.backend={}", p.config.nodes.count,
                                          p.config.nodes.runtime, p.config.store.backend));
      !bad.ok())
    return bad;
  if (auto bad = p.open_endpoint(); !bad.ok()) return bad;
  if (auto bad = p.open_link(); !bad.ok()) return bad;
  p.start_system();
  if (auto bad = p.choose_storage(); !bad.ok()) return bad;
  auto kubeconfig = pki::make_kubeconfig(p.url(), p.certificates.authority.certificate, p.certificates.admin, "troupe",
                                         "kubernetes-admin");
  if (!p.config.kubeconfig.empty())
    if (auto bad = pki::write_file(p.config.kubeconfig, kubeconfig, 0600); !bad.ok()) return bad;
  p.start_actors();
  p.measure();
  if (auto bad = p.await_store(); !bad.ok()) {
    stop();
    return bad;
  }
  spdlog::info("cluster.started url={} nodes={} runtime={}", p.url(), p.config.nodes.count, p.config.nodes.runtime);
  return {};
}

bool local_cluster::running() const { return parts_->running(); }

std::string local_cluster::failure() const { return parts_->failure(); }

std::string local_cluster::server_url() const { return parts_->url(); }

const std::string& local_cluster::kubeconfig_path() const { return parts_->config.kubeconfig; }

void local_cluster::disturb(message_hooks* by) { parts_->hooks = by; }

caf::actor_system& local_cluster::system() { return *parts_->system; }

const stable_ref<api::api_server_actor>& local_cluster::server() const { return parts_->server_ref; }

std::uint16_t local_cluster::link_port() const { return parts_->link_port->port(); }

bool local_cluster::stop() {
  auto& p = *parts_;
  if (!p.system) return true;
  bool clean = p.stop_root();
  p.relay = {};
  p.store_ref = {};
  p.server_ref = {};
  p.host_machine->clean_up();
  if (p.recorder) p.recorder->flush();
  spdlog::info("cluster.stopped clean={}", clean);
  return clean;
}

}  // namespace troupe::runtime
