// Who can be asked about the pods of a node.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "messages/kubelet.hpp"
#include "runtime/stable_ref.hpp"

namespace troupe::runtime {

/// The kubelets that can be reached, by node name. Thread-safe.
class kubelet_directory {
 public:
  void add(const std::string& node, stable_ref<kubelet::kubelet_actor> kubelet);
  /// From now on that actor stands for the node's kubelet: the newest of its links. Who has found the node before
  /// reaches it, too.
  void linked(const std::string& node, const kubelet::kubelet_actor& kubelet);
  /// The node has no link any more.
  void unlinked(const std::string& node);
  /// Empty when there is none.
  stable_ref<kubelet::kubelet_actor> find(const std::string& node) const;

 private:
  struct entry {
    stable_ref<kubelet::kubelet_actor> kubelet;
    bool reached = true;
  };
  mutable std::mutex mutex_;
  std::map<std::string, entry> kubelets_;
};

}  // namespace troupe::runtime
