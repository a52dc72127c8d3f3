// The machine as it was: what containerd, its shims and the network plug-ins leave behind is removed. Blocks.
#pragma once

#include <filesystem>
#include <string>

#include "actors/container_runtime/cri/containerd_config.hpp"

namespace troupe::cri {

/// Notes what will have to be put back (forwarding, tables of nftables), unless an earlier start noted it.
void remember_machine(const containerd_places& at);

/// Removes processes, mounts, links, control groups, packet filter rules and files, in that order. Each step goes as
/// far as it can. `nodes`: how many networks there are.
void remove_leftovers(const containerd_places& at, std::size_t nodes);

/// After the pods of a cluster whose containerd is not its own: their control groups, volumes and logs.
void remove_pod_traces(const containerd_places& at);

/// The folder is on an overlay itself, on which no other can be stacked.
bool on_overlay(const std::string& folder);

/// What a file holds; empty where it cannot be read.
std::string content_of(const std::filesystem::path& path);

}  // namespace troupe::cri
