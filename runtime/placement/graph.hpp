// The whole troupe as children of one root supervisor, wherever it runs: in a local cluster or in a simulation.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "actors/api_server/api_server.hpp"
#include "actors/store/store.hpp"
#include "runtime/config.hpp"
#include "runtime/metrics.hpp"
#include "runtime/pki.hpp"
#include "runtime/placement/kubelet_directory.hpp"
#include "runtime/placement/machine.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::runtime {

/// What the surroundings give to the graph.
struct surroundings {
  store::options storage;
  std::string identity;   // of this process among several that run the same control loops; empty: it is the only one
  std::string authority;  // PEM of the cluster's authority, published as kube-root-ca.crt
  pki::key_pair signer;   // the same with its key; empty: requests for certificates are not signed
  api::options server;    // endpoint, hooks and addresses; references are filled in
  std::shared_ptr<kubelet_directory> kubelets = std::make_shared<kubelet_directory>();
  const machine* host = nullptr;          // what runs containers here; outlives the graph
  metrics::registry* measured = nullptr;  // null: no metrics, and no kube_proxy that would report some
};

/// The troupe, not started yet: children of a supervisor "root", in order.
struct made_graph {
  stable_ref<store::store_actor> store;
  stable_ref<api::api_server_actor> server;
  std::shared_ptr<api::shared_state> shared;  // shared->ready() says whether the API is ready
  std::vector<child_spec> children;
  /// Control loops that run here without election, by their names in `components`: no other process may run them.
  std::vector<std::string> unelected;
};

/// Puts together what the configuration wants of the troupe, from the inside out: the store first, kube_proxy last.
made_graph make_graph(caf::actor_system& system, const configuration& config, surroundings around);

}  // namespace troupe::runtime
