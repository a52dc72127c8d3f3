// The actor of one pod: feeds the pod core and does what it says, by the runtime and the kubelet's session.
#pragma once

#include <memory>
#include <string>

#include "actors/kubelet/container_settings.hpp"
#include "actors/kubelet/pod_core.hpp"
#include "actors/kubelet/prober.hpp"
#include "actors/kubelet/worker_messages.hpp"
#include "runtime/stable_ref.hpp"

namespace troupe::kubelet {

/// What all workers of a node share.
struct worker_context {
  node_facts node;
  pod_options pod;
  runtime::stable_ref<container::runtime_actor> runtime;
  local_kubelet kubelet;
  std::string volume_root;  // empty: containers have no files and no network to probe
  std::shared_ptr<prober> probes;
  bool simulated() const { return volume_root.empty(); }
};

worker_actor spawn_worker(caf::actor_system& system, std::string uid, std::shared_ptr<const worker_context> context);

}  // namespace troupe::kubelet
