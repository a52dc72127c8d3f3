// The node lifecycle controller: nodes that stop heartbeating become unknown and tainted, their pods are evicted and so
// replaced elsewhere; pods of nodes that no longer exist are removed.
#pragma once

#include <map>
#include <set>
#include <string>

#include "actors/controller_manager/node_lifecycle/taints.hpp"
#include "actors/controller_manager/node_lifecycle/zones.hpp"
#include "messages/controller.hpp"
#include "messages/message.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::controllers {

/// See the top of this file. Semantics: k8s.io/kubernetes/pkg/controller/{nodelifecycle,tainteviction,podgc}. Taints
/// that evict are given out at zones' pace; what upstream judges every five seconds is judged here when a node changes.
class node_lifecycle_core final : public controller::core {
 public:
  /// `grace_seconds`: a node whose heartbeat does not change for so long is unknown (node-monitor-grace-period).
  explicit node_lifecycle_core(std::int64_t grace_seconds)
      : grace_ms_(static_cast<std::uint64_t>(grace_seconds) * 1000) {}
  std::string_view name() const override { return "node-controller"; }
  std::vector<controller::source> sources() const override;
  std::string settings() const override { return to_msgpack(grace_ms_ / 1000); }
  std::vector<controller::effect> observe(const controller::object_changed& change,
                                          const controller::caches& view) override;
  std::vector<controller::effect> reconcile(const controller::key_due& due, const controller::caches& view) override;

 private:
  enum : std::uint32_t { nodes = 0, leases = 1, pods = 2 };
  /// What is remembered of a node's heartbeat. The node's own clock is never compared with ours.
  struct heartbeat {
    std::string renewed;        // renewTime and Ready's heartbeat as they read last
    std::uint64_t seen_ms = 0;  // when they changed, by our clock
  };
  struct turn;

  void observe_node(const controller::object_changed& change);
  void settle_zones(const controller::key_due& due, const controller::caches& view,
                    std::vector<controller::effect>& out);
  bool may_evict(turn& now);
  std::vector<taint> harmful_taints(const turn& now) const;
  bool alive(turn& now);
  bool mark_unknown(turn& now);
  void keep_taints(turn& now);
  void evict(turn& now);
  void evict_pod(turn& now, const object& pod);
  void mark_pods_not_ready(turn& now);
  std::vector<controller::effect> collect_lost_pods(const controller::key_due& due, const controller::caches& view);

  std::uint64_t grace_ms_;
  zones zones_;
  std::set<std::string> evicting_;                         // nodes that their zone has let be tainted
  std::map<std::string, heartbeat> heartbeats_;            // by node
  std::map<std::string, std::uint64_t> missing_since_ms_;  // nodes that pods name but that do not exist
  std::map<std::string, std::set<std::string>> pods_on_;   // pod keys by node
  std::map<std::string, std::string> node_of_;             // by pod key
};

}  // namespace troupe::controllers
