#include "actors/controller_manager/disruption/core.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include "actors/controller_manager/common/owner.hpp"
#include "actors/controller_manager/common/pod_facts.hpp"
#include "actors/controller_manager/common/requests.hpp"
#include "messages/views/apps_v1.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::controllers {

using controller::effect;

namespace {

constexpr std::uint64_t eviction_patience_ms = 120'000;  // upstream's DeletionTimeout

// An int or a percentage of `of`, rounded up.
std::int64_t scaled(const node& value, std::int64_t of) {
  if (!value.is_string()) return value.integer();
  auto text = value.string();
  std::int64_t percent = 0;
  std::from_chars(text.data(), text.data() + text.size(), percent);
  return static_cast<std::int64_t>(std::ceil(static_cast<double>(percent) * static_cast<double>(of) / 100.0));
}

std::int64_t replicas_of(const object_ptr& one) {
  if (!one) return 0;
  auto content = decode(*one);
  auto* replicas = content.root().find("spec", "replicas");
  return replicas ? replicas->integer() : 1;
}

// The size that a pod's controller is to have; a ReplicaSet of a Deployment stands for the Deployment. `id` tells
// controllers apart. 0 where the kind has no scale.
std::int64_t expected_size(const owner& by, const std::string& space, const controller::caches& view, std::string& id) {
  id = by.uid;
  auto key = space + "/" + by.name;
  if (by.kind == "StatefulSet") return replicas_of(view.find(disruption_core::stateful_sets, key));
  if (by.kind == "ReplicationController") return replicas_of(view.find(disruption_core::controllers, key));
  if (by.kind != "ReplicaSet") return 0;
  auto set = view.find(disruption_core::replica_sets, key);
  if (!set) return 0;
  auto content = decode(*set);
  auto over = controller_of(apps_v1::replica_set_view(content).metadata());
  if (over.kind != "Deployment") return replicas_of(set);
  id = over.uid;
  return replicas_of(view.find(disruption_core::deployments, space + "/" + over.name));
}

void set_condition(document& budget, node& status, std::int64_t allowed, const std::string& now) {
  policy_v1::pod_disruption_budget_view view(budget);
  std::string value = allowed > 0 ? "True" : "False", since = now;
  for (auto old : view.status().conditions())
    if (old.type() == "DisruptionAllowed" && old.status() == value) since = old.last_transition_time();
  auto generation = view.metadata().generation();
  auto& list = budget.set(status, "conditions");
  budget.clear(list);
  budget.make_array(list);
  auto& entry = budget.append(list);
  budget.make_object(entry);
  budget.set(entry, "type", "DisruptionAllowed");
  budget.set(entry, "status", value);
  budget.set(entry, "observedGeneration", generation);
  budget.set(entry, "lastTransitionTime", since);
  budget.set(entry, "reason", allowed > 0 ? "SufficientPods" : "InsufficientPods");
  budget.set(entry, "message", "");
}

}  // namespace

std::vector<controller::source> disruption_core::sources() const {
  return {{"/apis/policy/v1/poddisruptionbudgets", {}, {}},
          {"/api/v1/pods", {}, {}},
          {"/apis/apps/v1/replicasets", {}, {}},
          {"/apis/apps/v1/deployments", {}, {}},
          {"/apis/apps/v1/statefulsets", {}, {}},
          {"/api/v1/replicationcontrollers", {}, {}}};
}

std::vector<effect> disruption_core::observe(const controller::object_changed& change, const controller::caches&) {
  if (change.source == budgets) {
    selectors_.erase(change.key);
    if (!change.now) return {};
    auto content = decode(*change.now);
    selectors_.emplace(change.key, label_matcher(policy_v1::pod_disruption_budget_view(content).spec().selector()));
    return {controller::enqueue{change.key, 0}};
  }
  std::vector<effect> out;
  auto prefix = change.key.substr(0, change.key.find('/')) + "/";
  for (auto it = selectors_.lower_bound(prefix); it != selectors_.end() && it->first.starts_with(prefix); ++it) {
    bool concerned = change.source != pods || (change.now && it->second.matches(*change.now)) ||
                     (change.before && it->second.matches(*change.before));
    if (concerned) out.emplace_back(controller::enqueue{it->first, 0});
  }
  return out;
}

disruption_core::counts disruption_core::count(const policy_v1::pod_disruption_budget_view& budget,
                                               const controller::key_due& due, const controller::caches& view) const {
  counts out;
  auto space = due.key.substr(0, due.key.find('/'));
  const auto& selector = selectors_.at(due.key);
  std::int64_t found = 0;
  std::map<std::string, std::int64_t> sizes;  // by controller
  const auto& all = view.all(pods);
  for (auto it = all.lower_bound(space + "/"); it != all.end() && it->second->namespace_name == space; ++it) {
    if (!selector.matches(*it->second)) continue;
    auto facts = facts_of(*it->second);
    ++found;
    std::string id;
    auto size = expected_size(facts.controlled_by, space, view, id);
    if (size > 0) sizes[id] = size;
    std::string name(it->second->name);
    auto since = budget.status().disrupted_pods().find(name);
    bool waits = since && !facts.deleting && time_ms(*since) + eviction_patience_ms > due.now_ms;
    if (waits) {
      out.disrupted[name] = *since;
      auto left = time_ms(*since) + eviction_patience_ms - due.now_ms;
      out.recheck_ms = out.recheck_ms ? std::min(out.recheck_ms, left) : left;
    }
    out.healthy += facts.ready && !facts.deleting && !waits;
  }
  std::int64_t total = 0;
  for (const auto& [id, size] : sizes) total += size;
  const auto* least = budget.spec().min_available();
  const auto* most = budget.spec().max_unavailable();
  out.expected = total;
  if (most && !most->is_null()) {
    out.desired = std::max<std::int64_t>(0, total - scaled(*most, total));
  } else if (least && !least->is_null()) {
    if (!least->is_string()) out.expected = found;
    out.desired = scaled(*least, total);
  }
  return out;
}

std::vector<effect> disruption_core::reconcile(const controller::key_due& due, const controller::caches& view) {
  auto object = view.find(budgets, due.key);
  if (!object || !selectors_.count(due.key)) return {};
  auto content = decode(*object);
  policy_v1::pod_disruption_budget_view budget(content);
  auto now = count(budget, due, view);
  auto allowed = now.expected > 0 ? std::max<std::int64_t>(0, now.healthy - now.desired) : 0;
  std::vector<effect> out;
  if (now.recheck_ms) out.emplace_back(controller::enqueue{due.key, now.recheck_ms + 1});
  auto old = budget.status();
  auto generation = budget.metadata().generation();
  std::map<std::string, std::string> known;
  for (auto [name, since] : old.disrupted_pods()) known.emplace(name, since);
  bool same = old.current_healthy() == now.healthy && old.desired_healthy() == now.desired &&
              old.expected_pods() == now.expected && old.disruptions_allowed() == allowed &&
              old.observed_generation() == generation && known == now.disrupted && !old.conditions().empty();
  if (same) return out;
  // Whole, for the controller's role has no patch; of the version that was counted on, for an eviction may take from
  // the budget at the same time.
  auto& status = content.set(content.root(), "status");
  if (!status.is_object()) content.make_object(status);
  set_condition(content, status, allowed, time_text(due.now_ms));
  content.set(status, "observedGeneration", generation);
  content.set(status, "disruptionsAllowed", allowed);
  content.set(status, "currentHealthy", now.healthy);
  content.set(status, "desiredHealthy", now.desired);
  content.set(status, "expectedPods", now.expected);
  content.remove(status, "disruptedPods");
  for (const auto& [name, since] : now.disrupted)
    policy_v1::pod_disruption_budget_view(content).mutable_status().mutable_disrupted_pods().set(name, since);
  auto path = collection_path("policy/v1", object->namespace_name, "poddisruptionbudgets") + "/" +
              std::string(object->name) + "/status";
  auto order = replace(std::move(path), to_json(content.root()), budgets);
  order.tolerated = {reason::not_found};
  out.emplace_back(std::move(order));
  return out;
}

}  // namespace troupe::controllers
