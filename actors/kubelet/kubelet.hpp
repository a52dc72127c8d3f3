// The kubelet's shell: registers the node, keeps its Lease and status, runs one worker per pod.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "actors/kubelet/node_core.hpp"
#include "messages/kubelet.hpp"
#include "runtime/stable_ref.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::kubelet {

struct kubelet_options {
  node_options node;
  runtime::stable_ref<api::api_server_actor> server;
  runtime::stable_ref<container::runtime_actor> runtime;
  std::string runtime_name = "hollow";     // scheme of container ids
  std::string volume_root;                 // empty: containers on paper (hollow); else "/var/lib/.../pods"
  std::string log_root = "/var/log/pods";  // of the pods' logs
  std::string cgroup_parent;               // of all pods; empty: the runtime's own choice
  std::vector<std::string> cluster_dns;
  std::string cluster_domain = "cluster.local";
};

/// Starts a kubelet. Its pods' workers run under a supervisor of its own ("PATH/pods") that ends with it; a new
/// incarnation adopts what the runtime has.
kubelet_actor spawn_kubelet(caf::actor_system& system, kubelet_options options);

/// A kubelet as a child named "kubelet"; `reference` may be empty.
runtime::child_spec kubelet_child(kubelet_options options, const runtime::stable_ref<kubelet_actor>& reference = {});

/// This machine as a node's capacity and nodeInfo.
void describe_host(node_options& options);
/// What is left of it: memory, and the disk where the path lies.
machine_room measure_host(const std::string& path);

}  // namespace troupe::kubelet
