// The nodes of this process: a runtime driver and a kubelet each, and what joins their pods with those of others.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "messages/api_server.hpp"
#include "messages/container_runtime.hpp"
#include "runtime/config.hpp"
#include "runtime/placement/kubelet_directory.hpp"
#include "runtime/placement/machine.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::runtime {

/// The api_server as the node of that index reaches it.
using server_of_node = std::function<stable_ref<api::api_server_actor>(std::size_t index)>;

/// The pod ranges of this process's nodes, by name. Thread-safe.
class range_table {
 public:
  void set(const std::string& node, const std::string& pod_cidr);
  /// Empty: not known yet.
  std::string of(const std::string& node) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> ranges_;
};

struct made_nodes {
  /// What the machine's nodes share, first, then one supervisor child a node ("hollow-0", ...).
  std::vector<child_spec> children;
  std::map<std::string, stable_ref<container::runtime_actor>> runtimes;  // by node
  std::shared_ptr<range_table> ranges;
};

/// Kubelets are entered into the directory.
made_nodes make_nodes(caf::actor_system& system, const configuration& config, const machine& host,
                      const server_of_node& server, kubelet_directory& kubelets);

/// The actor that gives the nodes their ranges and leads to the pods of other machines. `host` outlives it.
child_spec pod_network_child(const configuration& config, const machine& host,
                             const stable_ref<api::api_server_actor>& server, const made_nodes& nodes);

}  // namespace troupe::runtime
