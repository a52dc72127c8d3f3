// Between the api_server and the kubelets: what a client asks of a pod's node (its log, exec, attach, port-forward)
// becomes a stream of messages.
#pragma once

#include <memory>

#include <caf/allowed_unsafe_message_type.hpp>

#include "runtime/component.hpp"
#include "runtime/placement/kubelet_directory.hpp"
#include "runtime/placement/log_streams.hpp"
#include "runtime/placement/peers.hpp"
#include "runtime/placement/pod_streams.hpp"
#include "runtime/placement/relay_request.hpp"

namespace troupe::runtime {

using node_relay_actor = stream::relay_actor::extend<caf::reacts_to<relay_request>, caf::reacts_to<relay_stop>,
                                                     caf::reacts_to<container::log_chunk>,
                                                     caf::reacts_to<stream::opened>, caf::reacts_to<stream::closed>>;

/// See the top of this file. When it ends, so do all streams.
class node_relay final : public component<node_relay_actor> {
 public:
  explicit node_relay(caf::actor_config& settings);
  behavior_type make_behavior() override;
  bool cleanup(caf::error&& why, caf::execution_unit* where) override;

 private:
  peers peers_{*this};
  log_streams logs_{*this, peers_};
  pod_streams streams_{*this, peers_};
};

/// Connects an api_server's hooks with a relay, which is a node_relay.
api::node_proxy make_node_proxy(const stream::relay_actor& relay, std::shared_ptr<kubelet_directory> kubelets);
api::stream_stopper make_stream_stopper(const stream::relay_actor& relay);

}  // namespace troupe::runtime
