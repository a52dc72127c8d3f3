// Between the api_server and the kubelets: a request for a pod's log becomes a stream of its chunks.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <caf/allowed_unsafe_message_type.hpp>

#include "actors/api_server/pipeline/shared.hpp"
#include "messages/kubelet.hpp"
#include "runtime/component.hpp"
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

/// A request with the kubelet that is to answer it.
struct relay_request {
  api::node_request asked;
  stable_ref<kubelet::kubelet_actor> kubelet;
};
/// The reader of a stream is gone.
struct relay_stop {
  std::uint64_t watch_id = 0;
};

using log_relay_actor =
    caf::typed_actor<caf::reacts_to<relay_request>, caf::reacts_to<relay_stop>, caf::reacts_to<container::log_chunk>>;

/// See the top of this file. Answers 400/404 Statuses as kube-apiserver does when a log cannot be read.
class log_relay final : public component<log_relay_actor> {
 public:
  explicit log_relay(caf::actor_config& settings) : component(settings, "log_relay") {}
  behavior_type make_behavior() override;
  /// Readers of streams that were open hear of their end.
  bool cleanup(caf::error&& why, caf::execution_unit* where) override;

 private:
  struct stream {
    std::uint64_t request_id = 0;
    api::client_actor client;
    std::uint64_t watch_id = 0;
    bool answered = false;
  };
  void begin(const relay_request& what);
  void pass_on(const container::log_chunk& chunk);
  void refuse(const stream& to, const container::failure& why);

  std::map<std::uint64_t, stream> streams_;  // by id of the read
  std::uint64_t next_ = 1;
};

/// Connects an api_server's hooks with a relay.
api::node_proxy make_node_proxy(log_relay_actor relay, std::shared_ptr<kubelet_directory> kubelets);
api::stream_stopper make_stream_stopper(log_relay_actor relay);

}  // namespace troupe::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::relay_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::relay_stop)
