// What the api_server hands to a node_relay, and how a relay refuses it.
#pragma once

#include <cstdint>

#include <caf/allowed_unsafe_message_type.hpp>

#include "actors/api_server/pipeline/shared.hpp"
#include "messages/kubelet.hpp"
#include "runtime/stable_ref.hpp"

namespace troupe::runtime {

/// A request with the kubelet that is to answer it.
struct relay_request {
  api::node_request asked;
  stable_ref<kubelet::kubelet_actor> kubelet;
};
/// The reader of a log is gone.
struct relay_stop {
  std::uint64_t watch_id = 0;
};

/// The answer when it cannot be done, as kube-apiserver words it where it does.
api::response refusal(std::uint64_t request_id, const container::failure& why);

}  // namespace troupe::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::relay_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::relay_stop)
