// Who reads a pod's logs or has streams into it: each is led to the container that is meant, and the runtime answers it
// directly.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <caf/actor_control_block.hpp>

#include "actors/kubelet/pod_core.hpp"
#include "messages/container_runtime.hpp"
#include "messages/kubelet.hpp"
#include "runtime/actor_context.hpp"
#include "runtime/stable_ref.hpp"

namespace troupe::kubelet {

/// Part of one pod's worker, used in its handlers. After a start of the kubelet nothing can be said of a pod that was
/// there before until the runtime has told what runs of it: who asks earlier waits, five seconds at most.
class pod_readers {
 public:
  pod_readers(runtime::actor_context& in, const pod_state& pod, runtime::stable_ref<container::runtime_actor> runtime)
      : in_(in), pod_(pod), runtime_(std::move(runtime)) {}

  void take(const read_pod_log& wanted, const caf::strong_actor_ptr& reader);
  void take(const open_pod_stream& wanted, const caf::strong_actor_ptr& reader);
  /// The pod's state may be another one.
  void look_again();

 private:
  bool waits(std::function<void()> again);
  void answer_all();
  void lead(const read_pod_log& wanted, const caf::strong_actor_ptr& reader);
  void lead(const open_pod_stream& wanted, const caf::strong_actor_ptr& reader);
  /// The number of the container of that name, or of the first that is none.
  std::size_t index_of(const std::string& container) const;
  template <class Order>
  void pass_to_runtime(const caf::strong_actor_ptr& asker, Order&& order);

  runtime::actor_context& in_;
  const pod_state& pod_;
  runtime::stable_ref<container::runtime_actor> runtime_;
  std::vector<std::function<void()>> waiting_;
};

}  // namespace troupe::kubelet
