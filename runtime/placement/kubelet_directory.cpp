// See kubelet_directory.hpp.
#include "runtime/placement/kubelet_directory.hpp"

#include <utility>

namespace troupe::runtime {

void kubelet_directory::add(const std::string& node, stable_ref<kubelet::kubelet_actor> kubelet) {
  std::lock_guard guard(mutex_);
  kubelets_[node] = {std::move(kubelet), true};
}

void kubelet_directory::linked(const std::string& node, const kubelet::kubelet_actor& kubelet) {
  std::lock_guard guard(mutex_);
  auto& known = kubelets_[node];
  if (!known.kubelet)
    known.kubelet = stable_ref<kubelet::kubelet_actor>::make(kubelet.home_system(), "link/" + node, 0);
  known.kubelet.set_target(kubelet);
  known.reached = true;
}

void kubelet_directory::unlinked(const std::string& node) {
  std::lock_guard guard(mutex_);
  if (auto found = kubelets_.find(node); found != kubelets_.end()) found->second.reached = false;
}

stable_ref<kubelet::kubelet_actor> kubelet_directory::find(const std::string& node) const {
  std::lock_guard guard(mutex_);
  auto found = kubelets_.find(node);
  return found == kubelets_.end() || !found->second.reached ? stable_ref<kubelet::kubelet_actor>()
                                                            : found->second.kubelet;
}

}  // namespace troupe::runtime
