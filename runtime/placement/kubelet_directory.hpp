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
  void remove(const std::string& node);
  /// Empty when there is none.
  stable_ref<kubelet::kubelet_actor> find(const std::string& node) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, stable_ref<kubelet::kubelet_actor>> kubelets_;
};

}  // namespace troupe::runtime
