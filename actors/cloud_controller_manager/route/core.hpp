// The route controller: whether a node's pods can be reached from the other machines.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "messages/controller.hpp"

namespace troupe::cloud {

/// Sets the condition NetworkUnavailable of each node that has a podCIDR, by k8s.io/cloud-provider/controllers/route.
/// The local provider has no table of routes to write to: every machine keeps its own (actors/pod_network), and this
/// says by the same rules whether it does: the range is a /24 of the cluster's, no other node has it already (of
/// several that claim it the first by name is given it), and the node has an address to go by. The taint is the node
/// lifecycle controller's.
class route_core final : public controller::core {
 public:
  /// `cluster`: the range of all pods.
  explicit route_core(std::string cluster) : cluster_(std::move(cluster)) {}
  std::string_view name() const override { return "route-controller"; }
  std::vector<controller::source> sources() const override { return {{"/api/v1/nodes", {}, {}}}; }
  std::vector<controller::effect> observe(const controller::object_changed& change,
                                          const controller::caches& view) override;
  std::vector<controller::effect> reconcile(const controller::key_due& due, const controller::caches& view) override;

 private:
  enum : std::uint32_t { nodes = 0 };
  /// What of a node its route depends on.
  struct facts {
    std::string pod_cidr;
    bool has_address = false;  // an InternalIP
    bool routed = false;       // by its condition
    bool operator==(const facts&) const = default;
  };

  bool can_be_routed(const std::string& node) const;

  std::string cluster_;
  std::map<std::string, facts> known_;  // by node
};

}  // namespace troupe::cloud
