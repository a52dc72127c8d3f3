// From CRI.
#include "actors/container_runtime/cri/module/translate.hpp"

namespace troupe::cri {
namespace {

constexpr const char* uid_label = "io.kubernetes.pod.uid";

container::label_list read_labels(const google::protobuf::Map<std::string, std::string>& from) {
  container::label_list out(from.begin(), from.end());
  std::sort(out.begin(), out.end());
  return out;
}

std::string value_of(const google::protobuf::Map<std::string, std::string>& from, const char* key) {
  auto found = from.find(key);
  return found == from.end() ? std::string() : found->second;
}

}  // namespace

container::sandbox_status read(const pb::PodSandboxStatus& from) {
  container::sandbox_status out;
  out.id = from.id();
  out.name = from.metadata().name();
  out.uid = from.metadata().uid();
  out.namespace_name = from.metadata().namespace_();
  out.attempt = from.metadata().attempt();
  out.state = from.state() == pb::SANDBOX_READY ? container::sandbox_state::ready : container::sandbox_state::not_ready;
  out.created_ns = from.created_at();
  if (!from.network().ip().empty()) out.ips.push_back(from.network().ip());
  for (auto& more : from.network().additional_ips()) out.ips.push_back(more.ip());
  out.labels = read_labels(from.labels());
  out.annotations = read_labels(from.annotations());
  return out;
}

container::container_status read(const pb::ContainerStatus& from) {
  container::container_status out;
  out.id = from.id();
  out.pod_uid = value_of(from.labels(), uid_label);
  out.name = from.metadata().name();
  out.attempt = from.metadata().attempt();
  switch (from.state()) {
    case pb::CONTAINER_CREATED:
      out.state = container::container_state::created;
      break;
    case pb::CONTAINER_RUNNING:
      out.state = container::container_state::running;
      break;
    case pb::CONTAINER_EXITED:
      out.state = container::container_state::exited;
      break;
    default:
      out.state = container::container_state::unknown;
  }
  out.created_ns = from.created_at();
  out.started_ns = from.started_at();
  out.finished_ns = from.finished_at();
  out.exit_code = from.exit_code();
  out.image = from.image().image();
  out.image_ref = from.image_ref();
  out.reason = from.reason();
  out.message = from.message();
  out.log_path = from.log_path();
  out.labels = read_labels(from.labels());
  out.annotations = read_labels(from.annotations());
  return out;
}

container::image_info read(const pb::Image& from) {
  container::image_info out;
  out.id = from.id();
  out.tags.assign(from.repo_tags().begin(), from.repo_tags().end());
  out.digests.assign(from.repo_digests().begin(), from.repo_digests().end());
  out.size = from.size();
  if (from.has_uid()) out.user = from.uid().value();
  out.user_name = from.username();
  return out;
}

container::container_stats read(const pb::ContainerStats& from) {
  container::container_stats out;
  out.id = from.attributes().id();
  out.pod_uid = value_of(from.attributes().labels(), uid_label);
  out.name = from.attributes().metadata().name();
  out.time_ns = from.cpu().timestamp();
  out.cpu_ns = from.cpu().usage_core_nano_seconds().value();
  out.memory_working_set = from.memory().working_set_bytes().value();
  out.root_used_bytes = from.writable_layer().used_bytes().value();
  return out;
}

container::status_info read(const pb::RuntimeStatus& from) {
  container::status_info out;
  for (auto& one : from.conditions()) {
    if (one.type() == "RuntimeReady") {
      out.runtime_ready = one.status();
      out.runtime_message = one.message();
    } else if (one.type() == "NetworkReady") {
      out.network_ready = one.status();
      out.network_message = one.message();
    }
  }
  return out;
}

brief read(const pb::PodSandbox& from) {
  return {from.id(), from.id(), from.metadata().uid(), static_cast<std::int32_t>(from.state())};
}

brief read(const pb::Container& from) {
  return {from.id(), from.pod_sandbox_id(), value_of(from.labels(), uid_label),
          static_cast<std::int32_t>(from.state())};
}

}  // namespace troupe::cri
