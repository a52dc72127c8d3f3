// The score plug-ins and their weights.
#include "actors/scheduler/scores.hpp"

#include <algorithm>
#include <cmath>

namespace troupe::scheduler {
namespace {

constexpr std::int64_t max_score = 100;
constexpr std::int64_t taint_weight = 3;
constexpr std::int64_t affinity_weight = 2;
constexpr std::int64_t spread_weight = 2;

std::int64_t least_requested(std::int64_t requested, std::int64_t capacity) {
  return capacity == 0 || requested > capacity ? 0 : (capacity - requested) * max_score / capacity;
}

double fraction(std::int64_t requested, std::int64_t capacity) {
  return std::min(1.0, static_cast<double>(requested) / static_cast<double>(capacity));
}

// Scales board.raw so that its largest becomes 100 and adds it; reversed, so that the largest becomes 0.
void add_normalised(score_board& board, std::int64_t weight, bool reversed) {
  auto largest = *std::max_element(board.raw.begin(), board.raw.end());
  if (largest == 0) return;  // the same for all nodes
  for (std::size_t i = 0; i < board.raw.size(); ++i) {
    auto scaled = max_score * board.raw[i] / largest;
    board.total[i] += weight * (reversed ? max_score - scaled : scaled);
  }
}

void add_spread(cycle& pod, const std::vector<slot_id>& feasible, score_board& board) {
  auto* spread = pod.table().spread_of(pod.pod().owner);
  if (!spread) return;
  board.owner_pods.assign(pod.table().slots(), 0);
  for (auto& [slot, count] : spread->counts) board.owner_pods[slot] = count;
  for (std::size_t i = 0; i < feasible.size(); ++i) board.raw[i] = board.owner_pods[feasible[i]];
  add_normalised(board, spread_weight, true);
}

void add_affinity(cycle& pod, const std::vector<slot_id>& feasible, score_board& board) {
  for (std::size_t i = 0; i < feasible.size(); ++i) {
    board.raw[i] = 0;
    for (auto& [weight, term] : pod.compiled().preferred)
      if (term_matches(pod.table(), term, feasible[i])) board.raw[i] += weight;
  }
  add_normalised(board, affinity_weight, false);
}

}  // namespace

std::int64_t least_allocated(const node_table& t, const pod_usage& usage, slot_id slot) {
  std::int64_t sum = 0, weights = 0;
  if (t.allocatable_cpu[slot] > 0) {
    sum += least_requested(t.scored_cpu[slot] + usage.scored_milli_cpu, t.allocatable_cpu[slot]);
    ++weights;
  }
  if (t.allocatable_memory[slot] > 0) {
    sum += least_requested(t.scored_memory[slot] + usage.scored_memory, t.allocatable_memory[slot]);
    ++weights;
  }
  return weights == 0 ? 0 : sum / weights;
}

std::int64_t balanced_allocation(const node_table& t, const pod_usage& usage, slot_id slot) {
  if (t.allocatable_cpu[slot] <= 0 || t.allocatable_memory[slot] <= 0) return max_score;
  auto cpu = fraction(t.requested_cpu[slot] + usage.milli_cpu, t.allocatable_cpu[slot]);
  auto memory = fraction(t.requested_memory[slot] + usage.memory, t.allocatable_memory[slot]);
  return static_cast<std::int64_t>((1.0 - std::fabs(cpu - memory) / 2) * max_score);
}

void score(cycle& pod, const std::vector<slot_id>& feasible, score_board& board) {
  auto& table = pod.table();
  auto& usage = pod.compiled().usage;
  board.total.resize(feasible.size());
  board.raw.resize(feasible.size());
  for (std::size_t i = 0; i < feasible.size(); ++i) {
    board.total[i] = least_allocated(table, usage, feasible[i]);
    if (!pod.compiled().best_effort) board.total[i] += balanced_allocation(table, usage, feasible[i]);
    board.raw[i] = pod.untolerated_preferences(feasible[i]);
  }
  add_normalised(board, taint_weight, true);
  if (!pod.compiled().preferred.empty()) add_affinity(pod, feasible, board);
  if (!pod.pod().owner.empty()) add_spread(pod, feasible, board);
}

slot_id pick_best(const std::vector<slot_id>& feasible, const score_board& board, std::uint64_t random) {
  auto best = *std::max_element(board.total.begin(), board.total.end());
  auto ties = static_cast<std::uint64_t>(std::count(board.total.begin(), board.total.end(), best));
  auto skip = random % ties;
  for (std::size_t i = 0;; ++i)
    if (board.total[i] == best && skip-- == 0) return feasible[i];
}

}  // namespace troupe::scheduler
