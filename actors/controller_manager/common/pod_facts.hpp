// The few fields of a pod by which controllers decide.
#pragma once

#include <cstdint>
#include <string>

#include "actors/controller_manager/common/owner.hpp"
#include "messages/object.hpp"

namespace troupe::controllers {

/// One pod as ReplicaSet and its kind see it.
struct pod_facts {
  std::string uid;
  owner controlled_by;
  std::string phase;
  std::string node_name;
  bool ready = false;
  bool deleting = false;
  std::uint64_t ready_since_ms = 0;  // wall clock; 0 while not ready
  std::uint64_t created_ms = 0;
  std::int64_t restarts = 0;       // of all containers
  std::int64_t deletion_cost = 0;  // annotation controller.kubernetes.io/pod-deletion-cost

  /// Not finished and not being deleted (upstream's IsPodActive).
  bool active() const { return phase != "Succeeded" && phase != "Failed" && !deleting; }
  /// Ready for at least `min_ready_seconds`.
  bool available(std::int64_t min_ready_seconds, std::uint64_t now_ms) const {
    return ready &&
           (min_ready_seconds == 0 || ready_since_ms + static_cast<std::uint64_t>(min_ready_seconds) * 1000 <= now_ms);
  }
};

pod_facts facts_of(const object& pod);

/// Whether `a` is to be deleted before `b` when there are too many (upstream's ActivePodsWithRanks). `*_company`: pods
/// of the same owner on its node.
bool delete_first(const pod_facts& a, std::size_t a_company, const pod_facts& b, std::size_t b_company);

}  // namespace troupe::controllers
