// Between the project's words and CRI's messages.
#pragma once

// First: CRI has an enum with values named as the signals are, which <csignal> makes macros of.
#include "api.pb.h"

#include "actors/container_runtime/cri/client.hpp"

namespace troupe::cri {

namespace pb = ::runtime::v1;

void write(const container::label_list& from, google::protobuf::Map<std::string, std::string>& to);
void write(const container::sandbox_config& from, pb::PodSandboxConfig& to);
void write(const container::container_config& from, const container::namespace_options& namespaces,
           pb::ContainerConfig& to);
void write(const container::linux_resources& from, pb::LinuxContainerResources& to);
void write(const container::registry_auth& from, pb::AuthConfig& to);

container::sandbox_status read(const pb::PodSandboxStatus& from);
container::container_status read(const pb::ContainerStatus& from);
container::image_info read(const pb::Image& from);
container::container_stats read(const pb::ContainerStats& from);
container::status_info read(const pb::RuntimeStatus& from);
brief read(const pb::PodSandbox& from);
brief read(const pb::Container& from);

}  // namespace troupe::cri
