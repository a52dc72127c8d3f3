// LoadBalancer Services of a cluster that is its own cloud: the nodes themselves are the balancer. Their addresses
// become the Service's, and the service proxy on them answers.
#pragma once

#include <string>

#include "messages/controller.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::cloud {

/// See the top of this file. Semantics of status and events: k8s.io/cloud-provider/controllers/service. A Service with
/// loadBalancerClass is somebody else's. Of two Services that want the same port of the nodes the older one has it.
class balancer_core final : public controller::core {
 public:
  /// `nodes_answer`: whether a service proxy answers at the nodes' addresses; else Services stay pending.
  explicit balancer_core(bool nodes_answer) : nodes_answer_(nodes_answer) {}
  std::string_view name() const override { return "service-controller"; }
  std::vector<controller::source> sources() const override;
  std::vector<controller::effect> observe(const controller::object_changed& change,
                                          const controller::caches& view) override;
  std::vector<controller::effect> reconcile(const controller::key_due& due, const controller::caches& view) override;

 private:
  enum : std::uint32_t { services = 0, nodes = 1 };

  std::string trouble_with(const std::string& key, const core_v1::service_view& service,
                           const controller::caches& view) const;

  bool nodes_answer_;
};

}  // namespace troupe::cloud
