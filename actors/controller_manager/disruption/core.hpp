// The disruption controller: how many pods of a PodDisruptionBudget may be evicted now.
#pragma once

#include <map>
#include <string>

#include "actors/controller_manager/common/selector.hpp"
#include "messages/controller.hpp"
#include "messages/views/policy_v1.hpp"

namespace troupe::controllers {

/// See the top of this file. Semantics: k8s.io/kubernetes/pkg/controller/disruption. The eviction subresource takes
/// disruptions from what this controller allows. Keys are budgets. Expected sizes are known of ReplicaSets,
/// Deployments, StatefulSets and ReplicationControllers.
class disruption_core final : public controller::core {
 public:
  std::string_view name() const override { return "disruption-controller"; }
  std::vector<controller::source> sources() const override;
  std::vector<controller::effect> observe(const controller::object_changed& change,
                                          const controller::caches& view) override;
  std::vector<controller::effect> reconcile(const controller::key_due& due, const controller::caches& view) override;

  enum : std::uint32_t { budgets = 0, pods = 1, replica_sets = 2, deployments = 3, stateful_sets = 4, controllers = 5 };

 private:
  struct counts {
    std::int64_t expected = 0, desired = 0, healthy = 0;
    std::map<std::string, std::string> disrupted;  // pod and since when, of evictions that are not seen yet
    std::uint64_t recheck_ms = 0;                  // when such a wait ends; 0: nothing waits
  };
  counts count(const policy_v1::pod_disruption_budget_view& budget, const controller::key_due& due,
               const controller::caches& view) const;

  std::map<std::string, label_matcher> selectors_;  // by budget
};

}  // namespace troupe::controllers
