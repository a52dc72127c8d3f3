// See component_process.hpp.
#include "runtime/placement/component_process.hpp"

#include <map>
#include <utility>
#include <vector>

#include "runtime/certificate_request.hpp"
#include "runtime/host_address.hpp"
#include "runtime/link/dialer.hpp"
#include "runtime/link/rotation.hpp"
#include "runtime/log.hpp"
#include "runtime/placement/control_loops.hpp"
#include "runtime/placement/link_files.hpp"
#include "runtime/placement/process_parts.hpp"
#include "runtime/placement/service_proxy.hpp"

namespace troupe::runtime {

struct component_process::parts : process_parts {
  using process_parts::process_parts;

  std::map<std::string, stable_ref<api::api_server_actor>, std::less<>> servers;  // by component
  std::string authority;                                                          // PEM
  pki::key_pair signer;

  status read_files();
  status read_signer();
  child_spec link_child() const;
  child_spec rotation_child() const;
  void start_actors();
};

/// What is missing from the start is said at once; what goes missing later is logged at each try.
status component_process::parts::read_files() {
  for (const auto& component : config.components) {
    // A replacement that was cut off is finished first.
    pki::settle_files(link_files(config, component));
    auto read = read_credentials(link_files(config, component));
    if (!read) return read.error();
    authority = read->authority;
  }
  return config.runs("controller_manager") ? read_signer() : status();
}

status component_process::parts::read_signer() {
  const auto& files = config.controllers;
  if (files.cluster_signing_key_file.empty()) {
    spdlog::warn(
        "certificates.not_signed why=\"no controllers.cluster_signing_cert_file and cluster_signing_key_file\"");
    return {};
  }
  auto certificate = pki::read_file(files.cluster_signing_cert_file);
  if (!certificate) return certificate.error();
  auto key = pki::read_file(files.cluster_signing_key_file);
  if (!key) return key.error();
  signer = {std::move(*certificate), std::move(*key)};
  if (pki::key_matches(signer)) return {};
  return bad_request("controllers.cluster_signing_key_file: " + files.cluster_signing_key_file + " is not the key of " +
                     files.cluster_signing_cert_file);
}

child_spec component_process::parts::link_child() const {
  link::dialer_options how;
  how.servers = config.link.servers;
  for (const auto& [component, server] : servers) {
    auto files = link_files(config, component);
    how.nodes.push_back({link::user_of_component(component),
                         [files] { return read_credentials(files); },
                         server,
                         {},
                         true,
                         [files] { return stamp_of(files); }});
  }
  return link::dialer_child(std::move(how));
}

child_spec component_process::parts::rotation_child() const {
  link::rotation_options how;
  for (const auto& [component, server] : servers)
    how.all.push_back({component, pki::certificate_of_component(link::user_of_component(component)),
                       link_files(config, component), server});
  return link::rotation_child(std::move(how));
}

void component_process::parts::start_actors() {
  for (const auto& component : config.components)
    servers[component] = stable_ref<api::api_server_actor>::make(*system, "root/link/" + component + "/server");
  loop_surroundings around;
  around.server = [this](std::string_view component) { return servers.find(component)->second; };
  around.identity = identity();
  around.authority = authority;
  around.signer = signer;
  around.ranges = {config.nodes.pod_cidr, 0};
  around.cloud = true;
  around.routed = config.nodes.pod_cidr;
  around.nodes_answer = config.kube_proxy.enabled != "false";
  std::vector<child_spec> children;
  children.push_back(link_child());
  children.push_back(rotation_child());
  for (auto& one : control_loops(config, around)) children.push_back(std::move(one));
  if (config.runs("kube_proxy"))
    if (auto proxy = proxy_child(config, false, host_address(), servers.at("kube_proxy"), measured))
      children.push_back(std::move(*proxy));
  start_root(std::move(children));
}

component_process::component_process(configuration config) : parts_(std::make_unique<parts>(std::move(config))) {}
component_process::~component_process() = default;

status component_process::start() {
  auto& p = *parts_;
  if (auto bad = p.take_data_dir(); !bad.ok()) return bad;
  if (auto bad = p.read_files(); !bad.ok()) return bad;
  std::string names;
  for (const auto& one : p.config.components) names.append(names.empty() ? "" : ",").append(one);
  if (auto bad = p.open_trace("components=" + names); !bad.ok()) return bad;
  p.start_system();
  p.start_actors();
  spdlog::info("components.started components={}", names);
  return {};
}

bool component_process::running() const { return parts_->running(); }

std::string component_process::failure() const { return parts_->failure(); }

bool component_process::stop() {
  auto& p = *parts_;
  if (!p.system) return true;
  bool clean = p.stop_root();
  p.servers.clear();
  if (p.recorder) p.recorder->flush();
  spdlog::info("components.stopped clean={}", clean);
  return clean;
}

}  // namespace troupe::runtime
