// What the kubelet and its pod workers say to each other. In-process only.
#pragma once

#include <cstdint>
#include <string>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/typed_actor.hpp>

#include "messages/api_server.hpp"
#include "messages/container_runtime.hpp"
#include "messages/kubelet.hpp"
#include "messages/streams.hpp"
#include "messages/timer.hpp"

namespace troupe::kubelet {

/// Kubelet to worker: the pod as the api_server shows it; null: it has it no more.
struct pod_update {
  object_ptr pod;
};
/// Worker to kubelet: it is up (first or anew) and wants its pod.
struct worker_up {
  std::string uid;
};
/// Worker to kubelet: nothing of the pod is left.
struct worker_done {
  std::string uid;
};
/// Worker to kubelet: make this call with the node's identity; the answer comes back with the token.
struct api_call {
  std::uint64_t token = 0;
  api::request request;
  std::uint64_t step = 0;  // of the worker's core that wants it, for traces
};
struct api_answer {
  std::uint64_t token = 0;
  api::response answer;
};
/// Worker to kubelet: record an Event.
struct worker_note {
  std::string namespace_name, name, uid;
  std::uint64_t revision = 0;
  std::string field_path;
  bool warning = false;
  std::string reason, message;
};

using local_kubelet = kubelet_actor::extend<caf::reacts_to<worker_up>, caf::reacts_to<worker_done>,
                                            caf::reacts_to<api_call>, caf::reacts_to<worker_note>>;

using worker_actor = caf::typed_actor<caf::reacts_to<pod_update>,             // from the kubelet
                                      caf::reacts_to<api_answer>,             // from the kubelet
                                      caf::reacts_to<container::reply>,       // from the runtime
                                      caf::reacts_to<container::happenings>,  // from the runtime
                                      caf::reacts_to<container::log_chunk>,
                                      caf::reacts_to<read_pod_log>,     // passed on by the kubelet
                                      caf::reacts_to<open_pod_stream>,  // passed on by the kubelet
                                      caf::reacts_to<timer_due>>;

}  // namespace troupe::kubelet

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::kubelet::pod_update)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::kubelet::worker_up)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::kubelet::worker_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::kubelet::api_call)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::kubelet::api_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::kubelet::worker_note)
