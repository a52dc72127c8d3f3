// Sandbox and container configurations.
#include "actors/kubelet/container_settings.hpp"

#include <algorithm>

#include "actors/kubelet/environment.hpp"
#include "messages/schema/codec.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::kubelet {
namespace {

std::int64_t amount(const map_view& list, std::string_view name) {
  std::int64_t value = 0;
  auto text = list.find(name);
  if (!text) return 0;
  name == "cpu" ? schema::quantity_milli(*text, value) : schema::quantity_value(*text, value);
  return value;
}

std::string profile(std::string_view type, std::string_view path) {
  if (type == "Localhost") return "localhost/" + std::string(path);
  return std::string(type);
}

std::int64_t oom_score(const core_v1::pod_view& pod, const core_v1::container_view& c, const node_facts& node) {
  auto quality = pod.status().qos_class();
  if (quality == "Guaranteed") return -997;
  if (quality == "BestEffort") return 1000;
  if (node.memory <= 0) return 999;
  auto asked = amount(c.resources().requests(), "memory");
  return std::clamp<std::int64_t>(1000 - 1000 * asked / node.memory, 3, 999);
}

container::linux_resources read_resources(const core_v1::pod_view& pod, const core_v1::container_view& c,
                                          const node_facts& node) {
  container::linux_resources out;
  auto limit = amount(c.resources().limits(), "cpu");
  auto asked = amount(c.resources().requests(), "cpu");
  auto weight = c.resources().requests().contains("cpu") ? asked : limit;
  out.cpu_shares = std::max<std::int64_t>(2, weight * 1024 / 1000);
  if (limit > 0) {
    out.cpu_period = 100'000;
    out.cpu_quota = std::max<std::int64_t>(1000, limit * 100);
  }
  out.memory_limit = amount(c.resources().limits(), "memory");
  out.oom_score_adj = oom_score(pod, c, node);
  return out;
}

container::security_options read_security(const core_v1::pod_view& pod, const core_v1::container_view& c) {
  auto whole = pod.spec().security_context();
  auto own = c.security_context();
  container::security_options out;
  out.run_as_user = own.run_as_user(whole.run_as_user(-1));
  out.run_as_group = own.run_as_group(whole.run_as_group(-1));
  for (auto group : whole.supplemental_groups()) out.supplemental_groups.push_back(group);
  if (whole.has_fs_group()) out.supplemental_groups.push_back(whole.fs_group());
  out.privileged = own.privileged();
  out.read_only_root = own.read_only_root_filesystem();
  out.no_new_privileges = own.has_allow_privilege_escalation() && !own.allow_privilege_escalation();
  for (auto one : own.capabilities().add()) out.add_capabilities.emplace_back(one);
  for (auto one : own.capabilities().drop()) out.drop_capabilities.emplace_back(one);
  auto seccomp = own.has_seccomp_profile() ? own.seccomp_profile() : whole.seccomp_profile();
  out.seccomp = profile(seccomp.type(), seccomp.localhost_profile());
  auto armor = own.has_app_armor_profile() ? own.app_armor_profile() : whole.app_armor_profile();
  out.apparmor = profile(armor.type(), armor.localhost_profile());
  if (out.privileged || own.proc_mount() == "Unmasked") return out;
  out.masked_paths = {"/proc/asound",     "/proc/acpi",        "/proc/kcore",       "/proc/keys", "/proc/latency_stats",
                      "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"};
  out.readonly_paths = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
  return out;
}

std::string read_mounts(const core_v1::container_view& c, const container_inputs& in,
                        const std::map<std::string, std::string>& known, std::vector<container::mount>& out) {
  for (auto m : c.volume_mounts()) {
    auto found = in.volume_paths.find(std::string(m.name()));
    if (found == in.volume_paths.end()) return "volume \"" + std::string(m.name()) + "\" is not mounted";
    container::mount one;
    one.container_path = m.mount_path();
    one.host_path = found->second;
    auto sub = m.sub_path_expr().empty() ? std::string(m.sub_path()) : expand(m.sub_path_expr(), known);
    if (sub.find("..") != sub.npos) return "subPath must not contain '..'";
    if (!sub.empty()) one.host_path += "/" + sub;
    one.read_only = m.read_only();
    if (m.mount_propagation() == "HostToContainer") one.propagation = container::mount_propagation::host_to_container;
    if (m.mount_propagation() == "Bidirectional") one.propagation = container::mount_propagation::bidirectional;
    out.push_back(std::move(one));
  }
  out.insert(out.end(), in.extra_mounts.begin(), in.extra_mounts.end());
  return {};
}

container::label_list identity_labels(const core_v1::pod_view& pod) {
  auto meta = pod.metadata();
  return {{"io.kubernetes.pod.name", std::string(meta.name())},
          {"io.kubernetes.pod.namespace", std::string(meta.namespace_())},
          {"io.kubernetes.pod.uid", std::string(meta.uid())}};
}

void read_dns(const core_v1::pod_view& pod, const node_facts& node, container::dns_config& out) {
  auto spec = pod.spec();
  auto policy = spec.dns_policy();
  bool cluster =
      policy == "ClusterFirstWithHostNet" || (policy != "Default" && policy != "None" && !spec.host_network());
  if (cluster && !node.cluster_dns.empty()) {
    out.servers = node.cluster_dns;
    auto domain = node.cluster_domain;
    out.searches = {std::string(pod.metadata().namespace_()) + ".svc." + domain, "svc." + domain, domain};
    out.options = {"ndots:5"};
  }
  for (auto one : spec.dns_config().nameservers()) out.servers.emplace_back(one);
  for (auto one : spec.dns_config().searches()) out.searches.emplace_back(one);
  for (auto one : spec.dns_config().options())
    out.options.push_back(std::string(one.name()) + (one.has_value() ? ":" + std::string(one.value()) : ""));
}

}  // namespace

container::sandbox_config build_sandbox(const document& doc, const node_facts& node, std::uint32_t attempt) {
  core_v1::pod_view pod(doc);
  auto meta = pod.metadata();
  auto spec = pod.spec();
  container::sandbox_config out;
  out.name = meta.name();
  out.uid = meta.uid();
  out.namespace_name = meta.namespace_();
  out.attempt = attempt;
  auto hostname = spec.hostname().empty() ? meta.name() : spec.hostname();
  out.hostname = spec.host_network() ? std::string() : std::string(hostname.substr(0, 63));
  out.log_directory = node.log_root + "/" + out.namespace_name + "_" + out.name + "_" + out.uid;
  read_dns(pod, node, out.dns);
  auto take_ports = [&](const core_v1::container_view& c) {
    for (auto p : c.ports())
      out.ports.push_back({std::string(p.protocol().empty() ? "TCP" : p.protocol()),
                           static_cast<std::int32_t>(p.container_port()), static_cast<std::int32_t>(p.host_port()),
                           std::string(p.host_ip())});
  };
  for (auto c : spec.containers()) take_ports(c);
  for (auto c : spec.init_containers())
    if (c.restart_policy() == "Always") take_ports(c);
  out.labels = identity_labels(pod);
  for (auto [key, value] : meta.labels()) out.labels.emplace_back(key, value);
  for (auto [key, value] : meta.annotations()) out.annotations.emplace_back(key, value);
  auto quality = pod.status().qos_class();
  out.cgroup_parent = quality == "BestEffort"  ? "/kubepods/besteffort/pod" + out.uid
                      : quality == "Burstable" ? "/kubepods/burstable/pod" + out.uid
                                               : "/kubepods/pod" + out.uid;
  out.namespaces = {spec.host_network(), spec.host_pid(), spec.host_ipc(), spec.share_process_namespace(),
                    spec.host_users(true)};
  for (auto one : spec.security_context().sysctls()) out.sysctls.emplace_back(one.name(), one.value());
  auto security = spec.security_context();
  out.security.run_as_user = security.run_as_user(-1);
  out.security.run_as_group = security.run_as_group(-1);
  out.security.seccomp = "RuntimeDefault";
  for (auto c : spec.containers()) out.security.privileged |= c.security_context().privileged();
  out.runtime_handler = spec.runtime_class_name();
  out.cgroup_parent = node.cgroup_parent;
  return out;
}

result<container::container_config> build_container(const document& doc, const node_facts& node,
                                                    const container_inputs& in) {
  core_v1::pod_view pod(doc);
  auto c = find_container(doc, in.name);
  container::container_config out;
  std::map<std::string, std::string> known;
  if (auto bad = build_environment(doc, node, in, known, out.envs); !bad.empty()) return bad_request(bad);
  if (auto bad = read_mounts(c, in, known, out.mounts); !bad.empty()) return bad_request(bad);
  out.name = in.name;
  out.attempt = in.attempt;
  out.image = in.image_ref.empty() ? std::string(c.image()) : in.image_ref;
  out.user_image = c.image();
  for (auto word : c.command()) out.command.push_back(expand(word, known));
  for (auto word : c.args()) out.args.push_back(expand(word, known));
  out.working_dir = c.working_dir();
  out.labels = identity_labels(pod);
  out.labels.emplace_back("io.kubernetes.container.name", in.name);
  out.annotations = {{"io.kubernetes.container.restartCount", std::to_string(in.attempt)},
                     {"io.kubernetes.container.terminationMessagePath", std::string(c.termination_message_path())},
                     {"io.kubernetes.container.terminationMessagePolicy", std::string(c.termination_message_policy())}};
  out.log_path = in.name + "/" + std::to_string(in.attempt) + ".log";
  out.stdin_open = c.stdin();
  out.stdin_once = c.stdin_once();
  out.tty = c.tty();
  out.resources = read_resources(pod, c, node);
  out.security = read_security(pod, c);
  out.stop_signal = c.lifecycle().stop_signal();
  return out;
}

}  // namespace troupe::kubelet
