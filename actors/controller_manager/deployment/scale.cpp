// How big each ReplicaSet is to be: proportional scaling, rolling update, recreate.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "actors/controller_manager/deployment/rollout.hpp"

namespace troupe::controllers {
namespace {

std::int64_t desired_of(const rollout_set& one) {
  auto text = one.view.metadata().annotations().get("deployment.kubernetes.io/desired-replicas");
  std::int64_t value = -1;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::int64_t max_of(const rollout_set& one, std::int64_t fallback) {
  auto text = one.view.metadata().annotations().get("deployment.kubernetes.io/max-replicas");
  std::int64_t value = fallback;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value > 0 ? value : fallback;
}

// spec.replicas has changed since the sets were sized (upstream's isScalingEvent).
bool size_changed(const rollout& now) {
  return std::any_of(now.sets.begin(), now.sets.end(), [&](const auto& one) {
    auto desired = desired_of(*one);
    return one->replicas > 0 && desired >= 0 && desired != now.wanted();
  });
}

// Spreads the difference over all sets with pods in proportion to their sizes; the biggest takes what rounding leaves.
void spread(rollout& now, std::vector<rollout_set*> active) {
  auto allowed = now.wanted() > 0 ? now.wanted() + (now.rolling() ? now.max_surge() : 0) : 0;
  std::int64_t total = 0;
  for (auto* one : active) total += one->replicas;
  auto left = allowed - total;
  auto difference = left;
  std::stable_sort(active.begin(), active.end(), [&](auto* a, auto* b) {
    if (a->replicas != b->replicas) return a->replicas > b->replicas;
    return difference > 0 ? a->created_ms > b->created_ms : a->created_ms < b->created_ms;
  });
  std::vector<std::int64_t> sizes;
  for (auto* one : active) {
    auto whole = static_cast<double>(one->replicas) * static_cast<double>(allowed) /
                 static_cast<double>(max_of(*one, now.wanted()));
    auto fraction = static_cast<std::int64_t>(std::llround(whole)) - one->replicas;
    auto share = difference > 0 ? std::clamp<std::int64_t>(fraction, 0, std::max<std::int64_t>(left, 0))
                                : std::clamp<std::int64_t>(fraction, std::min<std::int64_t>(left, 0), 0);
    if (difference == 0) share = 0;
    sizes.push_back(one->replicas + share);
    left -= share;
  }
  for (std::size_t i = 0; i < active.size(); ++i) {
    auto size = sizes[i] + (i == 0 ? left : 0);
    resize(now, *active[i], std::max<std::int64_t>(size, 0));
  }
}

void scale_proportionally(rollout& now) {
  std::vector<rollout_set*> active;
  for (const auto& one : now.sets)
    if (one->replicas > 0) active.push_back(one.get());
  if (active.size() <= 1) {
    auto* one = active.empty() ? now.current : active[0];
    if (!one && !now.sets.empty()) one = now.sets.back().get();
    if (one) resize(now, *one, now.wanted());
    return;
  }
  // Saturated: the current set alone serves, what is left of the old ones goes.
  bool saturated = now.current && now.current->replicas == now.wanted() && now.current->available == now.wanted();
  if (saturated) {
    for (auto* one : now.old_sets())
      if (one->replicas > 0) resize(now, *one, 0);
  } else if (now.rolling()) {
    spread(now, std::move(active));
  }
}

// Old pods that are not available are taken first: they cost no availability.
std::int64_t remove_unhealthy(rollout& now, std::int64_t most) {
  std::int64_t removed = 0;
  for (auto* one : now.old_sets()) {
    if (removed >= most) break;
    if (one->replicas == 0 || one->available >= one->replicas) continue;
    auto count = std::min(most - removed, one->replicas - one->available);
    resize(now, *one, one->replicas - count);
    removed += count;
  }
  return removed;
}

void shrink_old(rollout& now) {
  std::int64_t old_total = 0;
  for (auto* one : now.old_sets()) old_total += one->replicas;
  if (old_total == 0) return;
  auto least = now.wanted() - now.max_unavailable();
  auto new_size = now.current ? now.current->replicas : now.creating_replicas;
  auto new_available = now.current ? now.current->available : 0;
  auto room = now.total_replicas() - least - (new_size - new_available);
  if (room <= 0) return;
  remove_unhealthy(now, std::min(room, old_total));
  auto spare = now.total_available() - least;
  for (auto* one : now.old_sets()) {
    if (spare <= 0) break;
    if (one->replicas == 0) continue;
    auto count = std::min(spare, one->replicas);
    resize(now, *one, one->replicas - count);
    spare -= count;
  }
}

void roll(rollout& now) {
  if (now.current) {
    auto size = now.current->replicas;
    auto room = now.wanted() + now.max_surge() - now.total_replicas();
    if (size > now.wanted()) size = now.wanted();
    if (size < now.wanted() && room > 0) size += std::min(room, now.wanted() - size);
    resize(now, *now.current, size);
  }
  shrink_old(now);
}

// All old pods go before the first new one comes.
void recreate(rollout& now) {
  bool gone = true;
  for (auto* one : now.old_sets()) {
    resize(now, *one, 0);
    gone = gone && one->view.status().replicas() == 0 && one->view.status().terminating_replicas() == 0;
  }
  if (gone && now.current) resize(now, *now.current, now.wanted());
}

}  // namespace

void scale_sets(rollout& now) {
  if (now.deployment.spec().paused() || size_changed(now)) {
    scale_proportionally(now);
    return;
  }
  if (now.rolling())
    roll(now);
  else
    recreate(now);
}

}  // namespace troupe::controllers
