// The driver `cri`: any container runtime that speaks CRI v1, through its unix socket. One actor per node.
#pragma once

#include <string>

#include "messages/container_runtime.hpp"

namespace troupe::cri {

/// On every sandbox and container that a driver makes: the node it belongs to. Several nodes can share a runtime, each
/// seeing only its own.
inline constexpr const char* node_label = "io.troupe.node";

struct options {
  std::string socket;
  std::string node_name;
  std::string runtime_handler;  // of pods that name none; empty: the runtime's default
};

/// Starts a driver. Throws std::runtime_error when the module cannot be loaded.
container::runtime_actor spawn_driver(caf::actor_system& system, options settings);

}  // namespace troupe::cri
