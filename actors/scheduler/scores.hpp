// Scores: which of the feasible nodes is best? Each plug-in gives 0..100; weights are Kubernetes' defaults.
#pragma once

#include <cstdint>
#include <vector>

#include "actors/scheduler/filters.hpp"

namespace troupe::scheduler {

/// Scratch of one scoring, kept between pods so that nothing is allocated.
struct score_board {
  std::vector<std::int64_t> total;        // per feasible node
  std::vector<std::int64_t> raw;          // of one plug-in, before it is normalised
  std::vector<std::uint32_t> owner_pods;  // per slot
};

/// NodeResourcesFit, LeastAllocated over cpu and memory.
std::int64_t least_allocated(const node_table& table, const pod_usage& usage, slot_id slot);
/// NodeResourcesBalancedAllocation: even use of cpu and memory.
std::int64_t balanced_allocation(const node_table& table, const pod_usage& usage, slot_id slot);

/// Weighted sums for all feasible nodes, into board.total.
void score(cycle& pod, const std::vector<slot_id>& feasible, score_board& board);

/// One of the best nodes, chosen among equals by the random number.
slot_id pick_best(const std::vector<slot_id>& feasible, const score_board& board, std::uint64_t random);

}  // namespace troupe::scheduler
