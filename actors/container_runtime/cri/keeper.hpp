// Keeps a private containerd running: starts it, and again when it ends, after a growing wait.
#pragma once

#include <memory>

#include "actors/container_runtime/cri/private_containerd.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::cri {

/// The keeper as a child named "containerd". containerd itself lives as long as `kept`: another incarnation of the
/// keeper finds it running.
runtime::child_spec keeper_child(std::shared_ptr<private_containerd> kept);

}  // namespace troupe::cri
