// See node_process.hpp.
#include "runtime/placement/node_process.hpp"

#include <optional>
#include <vector>

#include <fmt/format.h>

#include "runtime/link/dialer.hpp"
#include "runtime/link/rotation.hpp"
#include "runtime/log.hpp"
#include "runtime/pki.hpp"
#include "runtime/placement/nodes.hpp"
#include "runtime/placement/process_parts.hpp"
#include "runtime/placement/service_proxy.hpp"

namespace troupe::runtime {
namespace {

result<link::credentials> read_credentials(const pki::node_files& from) {
  link::credentials out;
  for (auto [path, into] : {std::pair{&from.certificate, &out.certificate}, std::pair{&from.key, &out.private_key},
                            std::pair{&from.authority, &out.authority}}) {
    auto text = pki::read_file(*path);
    if (!text) return text.error();
    *into = std::move(*text);
  }
  return out;
}

}  // namespace

pki::node_files files_of_node(const configuration& config, const std::string& node) {
  auto folder = config.link.credentials.empty() ? config.data_dir + "/pki" : config.link.credentials;
  return {folder + "/" + node + ".crt", folder + "/" + node + ".key", folder + "/ca.crt"};
}

struct node_process::parts : process_parts {
  parts(configuration given, provision how) : process_parts(std::move(given)), provide(std::move(how)) {}

  provision provide;
  kubelet_directory kubelets;
  std::vector<stable_ref<api::api_server_actor>> servers;  // one a node

  std::size_t count() const { return static_cast<std::size_t>(config.nodes.count); }
  status check_credentials() const;
  child_spec link_child() const;
  child_spec rotation_child() const;
  void start_actors();
};

/// What is missing from the start is said at once; what goes missing later is logged at each try.
status node_process::parts::check_credentials() const {
  for (std::size_t i = 0; i < count(); ++i) {
    auto files = files_of_node(config, node_name(config, i));
    if (auto read = read_credentials(files); !read) return read.error();
  }
  return {};
}

child_spec node_process::parts::link_child() const {
  link::dialer_options how;
  how.servers = config.link.servers;
  for (std::size_t i = 0; i < count(); ++i) {
    auto name = node_name(config, i);
    auto proof = [files = files_of_node(config, name)] { return read_credentials(files); };
    how.nodes.push_back({name, proof, servers[i], kubelets.find(name)});
  }
  return link::dialer_child(std::move(how));
}

child_spec node_process::parts::rotation_child() const {
  link::rotation_options how;
  for (std::size_t i = 0; i < count(); ++i) {
    auto name = node_name(config, i);
    how.nodes.push_back({name, files_of_node(config, name), servers[i]});
  }
  return link::rotation_child(std::move(how));
}

void node_process::parts::start_actors() {
  for (std::size_t i = 0; i < count(); ++i)
    servers.push_back(
        stable_ref<api::api_server_actor>::make(*system, "root/link/" + node_name(config, i) + "/server"));
  auto nodes = make_nodes(
      *system, config, *host_machine, [this](std::size_t i) { return servers[i]; }, kubelets);
  std::vector<child_spec> children;
  children.push_back(link_child());
  children.push_back(rotation_child());
  auto network = pod_network_child(config, *host_machine, servers.front(), nodes);
  children.push_back(supervisor_child("nodes", std::move(nodes.children)));
  children.push_back(std::move(network));
  if (auto proxy = proxy_child(config, *host_machine, servers.front(), measured)) children.push_back(std::move(*proxy));
  start_root(std::move(children));
}

node_process::node_process(configuration config, provision provide)
    : parts_(std::make_unique<parts>(std::move(config), std::move(provide))) {}
node_process::~node_process() = default;

status node_process::start() {
  auto& p = *parts_;
  if (auto bad = p.take_data_dir(); !bad.ok()) return bad;
  if (auto bad = p.open_host(); !bad.ok()) return bad;
  // A replacement that was cut off is finished first, or whoever provides would take the files for bad ones.
  for (const auto& name : names()) pki::settle_files(files_of_node(p.config, name));
  if (p.provide)
    if (auto bad = p.provide(p.config, names()); !bad.ok()) return bad;
  if (auto bad = p.check_credentials(); !bad.ok()) return bad;
  if (auto bad =
          p.open_trace(fmt::format("nodes.count={} nodes.runtime={}", p.config.nodes.count, p.config.nodes.runtime));
      !bad.ok())
    return bad;
  p.start_system();
  p.start_actors();
  spdlog::info("node.started nodes={} runtime={}", p.config.nodes.count, p.config.nodes.runtime);
  return {};
}

bool node_process::running() const { return parts_->running(); }

std::string node_process::failure() const { return parts_->failure(); }

std::vector<std::string> node_process::names() const {
  std::vector<std::string> out;
  out.reserve(parts_->count());
  for (std::size_t i = 0; i < parts_->count(); ++i) out.push_back(node_name(parts_->config, i));
  return out;
}

void node_process::disturb(message_hooks* by) { parts_->hooks = by; }

caf::actor_system& node_process::system() { return *parts_->system; }

bool node_process::stop() {
  auto& p = *parts_;
  if (!p.system) return true;
  bool clean = p.stop_root();
  p.servers.clear();
  p.host_machine->clean_up();
  if (p.recorder) p.recorder->flush();
  spdlog::info("node.stopped clean={}", clean);
  return clean;
}

}  // namespace troupe::runtime
