// Pieces of container_settings that its files and the volume driver share.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "actors/kubelet/container_settings.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::kubelet {

/// An init or regular container of the pod; absent when there is none of that name.
core_v1::container_view find_container(const document& pod, std::string_view name);

/// The container's variables in the order they were set; `known`: the same by name. The text says what is wrong.
std::string build_environment(const document& pod, const node_facts& node, const container_inputs& in,
                              std::map<std::string, std::string>& known, container::label_list& out);

/// Standard base64; false when it is none.
bool decode_base64(std::string_view text, std::string& out);

}  // namespace troupe::kubelet
