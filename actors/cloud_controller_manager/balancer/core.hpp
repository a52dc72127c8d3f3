// LoadBalancer Services of a cluster that is its own cloud: the nodes themselves are the balancer, and the service
// proxy on them answers. A Service gets an address of the pool; where there is no pool, those of the nodes.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "messages/controller.hpp"
#include "messages/ipv4.hpp"
#include "messages/status.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::cloud {

struct balancer_options {
  /// Whether a service proxy answers on the nodes; else Services stay pending.
  bool nodes_answer = false;
  /// Addresses to give out, as ipv4_pool_in reads them; empty: none.
  std::string pool = {};
};

/// See the top of this file. Semantics of finalizer, status and events: k8s.io/cloud-provider/controllers/service. A
/// Service with loadBalancerClass is somebody else's.
///
/// With a pool every Service has an address of its own: spec.loadBalancerIP if that is in the pool and free, else the
/// lowest free one, which it keeps. One node that is ready announces it (announcer_annotation): the one that does
/// already, or one chosen by the Service's key; with externalTrafficPolicy Local one that has a ready endpoint.
/// Without a pool, of two Services that want the same port of the nodes the older one has it.
class balancer_core final : public controller::core {
 public:
  explicit balancer_core(const balancer_options& options)
      : nodes_answer_(options.nodes_answer), pool_text_(options.pool), pool_(ipv4_pool_in(options.pool)) {}
  std::string_view name() const override { return "service-controller"; }
  std::vector<controller::source> sources() const override;
  std::vector<controller::effect> observe(const controller::object_changed& change,
                                          const controller::caches& view) override;
  std::vector<controller::effect> reconcile(const controller::key_due& due, const controller::caches& view) override;

 private:
  enum : std::uint32_t { services = 0, nodes = 1, slices = 2 };
  /// What a Service should have.
  struct balance {
    std::set<std::string> addresses;
    std::string announcer;  // node; empty: nobody
  };
  struct turn;

  std::vector<controller::effect> observe_service(const controller::object_changed& change);
  std::vector<controller::effect> observe_node(const controller::object_changed& change,
                                               const controller::caches& view);
  std::vector<controller::effect> wake_waiting();
  std::vector<controller::effect> release(const turn& now) const;
  std::vector<controller::effect> ensure(const turn& now);
  result<balance> wanted(const turn& now);
  result<ipv4_address> address_for(const turn& now, const ipv4_pool& pool);
  std::string announcer_for(const turn& now) const;
  std::string port_trouble(const turn& now) const;

  bool nodes_answer_;
  std::string pool_text_;
  std::optional<ipv4_pool> pool_;
  std::map<std::string, std::string> ready_nodes_;  // their addresses, of those that take part
  std::map<std::string, ipv4_address> held_;        // of the pool, by Service: shown in its status, or on its way there
  std::set<std::string> waiting_;                   // Services that could not have what they want
};

}  // namespace troupe::cloud
