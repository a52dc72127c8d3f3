// See kubelet_directory.hpp.
#include "runtime/placement/kubelet_directory.hpp"

#include <utility>

namespace troupe::runtime {

void kubelet_directory::add(const std::string& node, stable_ref<kubelet::kubelet_actor> kubelet) {
  std::lock_guard guard(mutex_);
  kubelets_[node] = std::move(kubelet);
}

void kubelet_directory::remove(const std::string& node) {
  std::lock_guard guard(mutex_);
  kubelets_.erase(node);
}

stable_ref<kubelet::kubelet_actor> kubelet_directory::find(const std::string& node) const {
  std::lock_guard guard(mutex_);
  auto found = kubelets_.find(node);
  return found == kubelets_.end() ? stable_ref<kubelet::kubelet_actor>() : found->second;
}

}  // namespace troupe::runtime
