// To CRI.
#include "actors/container_runtime/cri/module/translate.hpp"

namespace troupe::cri {
namespace {

/// "", "RuntimeDefault", "Unconfined", "localhost/PATH". Without a profile Kubernetes runs a container unconfined.
void write_profile(const std::string& from, pb::SecurityProfile& to) {
  constexpr std::string_view local = "localhost/";
  if (from == "RuntimeDefault") {
    to.set_profile_type(pb::SecurityProfile::RuntimeDefault);
  } else if (from.starts_with(local)) {
    to.set_profile_type(pb::SecurityProfile::Localhost);
    to.set_localhost_ref(from.substr(local.size()));
  } else {
    to.set_profile_type(pb::SecurityProfile::Unconfined);
  }
}

void write_namespaces(const container::namespace_options& from, pb::NamespaceOption& to) {
  to.set_network(from.host_network ? pb::NODE : pb::POD);
  to.set_pid(from.host_pid ? pb::NODE : from.share_process_namespace ? pb::POD : pb::CONTAINER);
  to.set_ipc(from.host_ipc ? pb::NODE : pb::POD);
}

template <class Security>
void write_identity(const container::security_options& from, Security& to) {
  if (from.run_as_user >= 0) to.mutable_run_as_user()->set_value(from.run_as_user);
  if (from.run_as_group >= 0) to.mutable_run_as_group()->set_value(from.run_as_group);
  for (auto group : from.supplemental_groups) to.add_supplemental_groups(group);
  to.set_privileged(from.privileged);
  to.set_readonly_rootfs(from.read_only_root);
  write_profile(from.seccomp, *to.mutable_seccomp());
  // No word about AppArmor leaves the choice to the runtime, as a kubelet does.
  if (!from.apparmor.empty()) write_profile(from.apparmor, *to.mutable_apparmor());
}

void write_mount(const container::mount& from, pb::Mount& to) {
  to.set_container_path(from.container_path);
  to.set_host_path(from.host_path);
  to.set_readonly(from.read_only);
  to.set_recursive_read_only(from.recursive_read_only);
  to.set_propagation(from.propagation == container::mount_propagation::bidirectional ? pb::PROPAGATION_BIDIRECTIONAL
                     : from.propagation == container::mount_propagation::host_to_container
                         ? pb::PROPAGATION_HOST_TO_CONTAINER
                         : pb::PROPAGATION_PRIVATE);
}

void write_security(const container::security_options& from, const container::namespace_options& namespaces,
                    pb::LinuxContainerSecurityContext& to) {
  write_identity(from, to);
  write_namespaces(namespaces, *to.mutable_namespace_options());
  to.set_no_new_privs(from.no_new_privileges);
  for (auto& one : from.add_capabilities) to.mutable_capabilities()->add_add_capabilities(one);
  for (auto& one : from.drop_capabilities) to.mutable_capabilities()->add_drop_capabilities(one);
  for (auto& one : from.masked_paths) to.add_masked_paths(one);
  for (auto& one : from.readonly_paths) to.add_readonly_paths(one);
}

}  // namespace

void write(const container::label_list& from, google::protobuf::Map<std::string, std::string>& to) {
  for (auto& [key, value] : from) to[key] = value;
}

void write(const container::sandbox_config& from, pb::PodSandboxConfig& to) {
  auto& meta = *to.mutable_metadata();
  meta.set_name(from.name);
  meta.set_uid(from.uid);
  meta.set_namespace_(from.namespace_name);
  meta.set_attempt(from.attempt);
  to.set_hostname(from.hostname);
  to.set_log_directory(from.log_directory);
  for (auto& one : from.dns.servers) to.mutable_dns_config()->add_servers(one);
  for (auto& one : from.dns.searches) to.mutable_dns_config()->add_searches(one);
  for (auto& one : from.dns.options) to.mutable_dns_config()->add_options(one);
  for (auto& port : from.ports) {
    auto& out = *to.add_port_mappings();
    out.set_protocol(port.protocol == "UDP" ? pb::UDP : port.protocol == "SCTP" ? pb::SCTP : pb::TCP);
    out.set_container_port(port.container_port);
    out.set_host_port(port.host_port);
    out.set_host_ip(port.host_ip);
  }
  write(from.labels, *to.mutable_labels());
  write(from.annotations, *to.mutable_annotations());
  auto& system = *to.mutable_linux();
  system.set_cgroup_parent(from.cgroup_parent);
  write(from.sysctls, *system.mutable_sysctls());
  write_identity(from.security, *system.mutable_security_context());
  write_namespaces(from.namespaces, *system.mutable_security_context()->mutable_namespace_options());
}

void write(const container::linux_resources& from, pb::LinuxContainerResources& to) {
  constexpr std::string_view pages = "hugetlb.";
  to.set_cpu_shares(from.cpu_shares);
  to.set_cpu_quota(from.cpu_quota);
  to.set_cpu_period(from.cpu_period);
  to.set_memory_limit_in_bytes(from.memory_limit);
  to.set_oom_score_adj(from.oom_score_adj);
  for (auto& [key, value] : from.unified) {
    auto end = key.rfind(".max");
    if (key.starts_with(pages) && end != key.npos) {
      auto& limit = *to.add_hugepage_limits();
      limit.set_page_size(key.substr(pages.size(), end - pages.size()));
      limit.set_limit(std::strtoull(value.c_str(), nullptr, 10));
    } else {
      (*to.mutable_unified())[key] = value;
    }
  }
}

void write(const container::container_config& from, const container::namespace_options& namespaces,
           pb::ContainerConfig& to) {
  to.mutable_metadata()->set_name(from.name);
  to.mutable_metadata()->set_attempt(from.attempt);
  to.mutable_image()->set_image(from.image);
  to.mutable_image()->set_user_specified_image(from.user_image);
  for (auto& word : from.command) to.add_command(word);
  for (auto& word : from.args) to.add_args(word);
  to.set_working_dir(from.working_dir);
  for (auto& [name, value] : from.envs) {
    auto& out = *to.add_envs();
    out.set_key(name);
    out.set_value(value);
  }
  for (auto& one : from.mounts) write_mount(one, *to.add_mounts());
  write(from.labels, *to.mutable_labels());
  write(from.annotations, *to.mutable_annotations());
  to.set_log_path(from.log_path);
  to.set_stdin(from.stdin_open);
  to.set_stdin_once(from.stdin_once);
  to.set_tty(from.tty);
  write(from.resources, *to.mutable_linux()->mutable_resources());
  write_security(from.security, namespaces, *to.mutable_linux()->mutable_security_context());
  pb::Signal signal = pb::RUNTIME_DEFAULT;
  if (pb::Signal_Parse(from.stop_signal, &signal)) to.set_stop_signal(signal);
}

void write(const container::registry_auth& from, pb::AuthConfig& to) {
  to.set_username(from.username);
  to.set_password(from.password);
  to.set_server_address(from.server);
  to.set_identity_token(from.identity_token);
  to.set_registry_token(from.registry_token);
}

}  // namespace troupe::cri
