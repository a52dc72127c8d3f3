// The Deployment's status: counts and the conditions Available, Progressing and ReplicaFailure.
#include <algorithm>

#include "actors/controller_manager/common/requests.hpp"
#include "actors/controller_manager/deployment/core.hpp"
#include "actors/controller_manager/deployment/rollout.hpp"

namespace troupe::controllers {
namespace {

struct set_counts {
  std::int64_t replicas = 0, updated = 0, ready = 0, available = 0, terminating = 0;
};

struct deployment_condition {
  std::string type, status, reason, message, updated, changed;
};

set_counts count(const rollout& now) {
  set_counts sum;
  for (const auto& one : now.sets) {
    auto status = one->view.status();
    sum.replicas += status.replicas();
    sum.ready += status.ready_replicas();
    sum.available += status.available_replicas();
    sum.terminating += status.terminating_replicas();
    if (one.get() == now.current) sum.updated = status.replicas();
  }
  return sum;
}

const deployment_condition* find(const std::vector<deployment_condition>& all, std::string_view type) {
  for (const auto& one : all)
    if (one.type == type) return &one;
  return nullptr;
}

std::vector<deployment_condition> read_conditions(const rollout& now) {
  std::vector<deployment_condition> all;
  for (auto one : now.deployment.status().conditions())
    all.push_back({std::string(one.type()), std::string(one.status()), std::string(one.reason()),
                   std::string(one.message()), std::string(one.last_update_time()),
                   std::string(one.last_transition_time())});
  return all;
}

// Replaces the condition of that type; times move only with what they tell of.
void set_condition(std::vector<deployment_condition>& all, deployment_condition next, const std::string& now) {
  const auto* old = find(all, next.type);
  if (old && old->status == next.status && old->reason == next.reason && old->message == next.message) return;
  next.updated = now;
  next.changed = old && old->status == next.status ? old->changed : now;
  std::erase_if(all, [&](const deployment_condition& one) { return one.type == next.type; });
  all.push_back(std::move(next));
}

bool complete(const rollout& now, const set_counts& sum) {
  return sum.updated == now.wanted() && sum.replicas == now.wanted() && sum.available == now.wanted();
}

bool moved(const rollout& now, const set_counts& sum) {
  auto old = now.deployment.status();
  return sum.updated > old.updated_replicas() || sum.replicas - sum.updated < old.replicas() - old.updated_replicas() ||
         sum.ready > old.ready_replicas() || sum.available > old.available_replicas();
}

std::string quoted_set(const rollout& now) {
  auto name = now.current ? std::string(now.current->object->name) : std::string(now.object->name);
  return (now.current ? "ReplicaSet \"" : "Deployment \"") + name + "\"";
}

void judge_progress(rollout& now, const set_counts& sum, std::vector<deployment_condition>& all,
                    const std::string& time) {
  auto deadline = now.deployment.spec().progress_deadline_seconds(600);
  const auto* old = find(all, "Progressing");
  // INT32_MAX stands for no deadline.
  if (deadline == 2147483647) {
    std::erase_if(all, [](const deployment_condition& one) { return one.type == "Progressing"; });
    return;
  }
  if (now.creating) {
    set_condition(
        all,
        {"Progressing",
         "True",
         "NewReplicaSetCreated",
         "Created new replica set \"" + std::string(now.object->name) + "-" +
             template_hash(now.deployment.spec().template_(), now.deployment.status().collision_count()) + "\"",
         {},
         {}},
        time);
    return;
  }
  if (now.current && !old)
    set_condition(all,
                  {"Progressing",
                   "True",
                   "FoundNewReplicaSet",
                   "Found new replica set \"" + std::string(now.current->object->name) + "\"",
                   {},
                   {}},
                  time);
  old = find(all, "Progressing");
  bool was_complete = old && old->reason == "NewReplicaSetAvailable";
  if (complete(now, sum)) {
    if (now.current)
      set_condition(
          all,
          {"Progressing", "True", "NewReplicaSetAvailable", quoted_set(now) + " has successfully progressed.", {}, {}},
          time);
    return;
  }
  if (moved(now, sum)) {
    // The update time is what the deadline counts from: it moves although nothing else may.
    deployment_condition next{"Progressing", "True", "ReplicaSetUpdated", quoted_set(now) + " is progressing.",
                              time,          time};
    if (old && old->status == "True") next.changed = old->changed;
    std::erase_if(all, [](const deployment_condition& one) { return one.type == "Progressing"; });
    all.push_back(std::move(next));
    return;
  }
  if (!old || was_complete || now.deployment.spec().paused()) return;
  auto due = time_ms(old->updated) + static_cast<std::uint64_t>(deadline) * 1000;
  if (old->reason == "ProgressDeadlineExceeded") return;
  if (due > now.now_ms)
    now.out.emplace_back(controller::enqueue{now.key, due - now.now_ms + 1});
  else
    set_condition(
        all,
        {"Progressing", "False", "ProgressDeadlineExceeded", quoted_set(now) + " has timed out progressing.", {}, {}},
        time);
}

void judge(rollout& now, const set_counts& sum, std::vector<deployment_condition>& all) {
  auto time = time_text(now.now_ms);
  if (sum.available >= now.wanted() - now.max_unavailable())
    set_condition(
        all, {"Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", {}, {}}, time);
  else
    set_condition(
        all,
        {"Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.", {}, {}},
        time);
  judge_progress(now, sum, all, time);
  deployment_condition failure;
  for (const auto& one : now.sets)
    for (auto found : one->view.status().conditions())
      if (found.type() == "ReplicaFailure" && failure.type.empty())
        failure = {"ReplicaFailure", "True", std::string(found.reason()), std::string(found.message()), {}, {}};
  if (failure.type.empty() && !now.creation_failure.empty())
    failure = {"ReplicaFailure", "True", "ReplicaSetCreateError", now.creation_failure, {}, {}};
  if (failure.type.empty())
    std::erase_if(all, [](const deployment_condition& one) { return one.type == "ReplicaFailure"; });
  else
    set_condition(all, std::move(failure), time);
}

bool same_conditions(const rollout& now, const std::vector<deployment_condition>& all) {
  auto old = now.deployment.status().conditions();
  if (old.size() != all.size()) return false;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (old[i].type() != all[i].type || old[i].status() != all[i].status || old[i].reason() != all[i].reason ||
        old[i].message() != all[i].message || old[i].last_update_time() != all[i].updated)
      return false;
  return true;
}

void write_conditions(document& body, node& status, const std::vector<deployment_condition>& all) {
  auto& list = body.set(status, "conditions");
  body.make_array(list);
  for (const auto& one : all) {
    auto& entry = body.append(list);
    body.make_object(entry);
    body.set(entry, "type", one.type);
    body.set(entry, "status", one.status);
    body.set(entry, "lastUpdateTime", one.updated);
    body.set(entry, "lastTransitionTime", one.changed);
    body.set(entry, "reason", one.reason);
    body.set(entry, "message", one.message);
  }
}

}  // namespace

void update_deployment_status(rollout& now) {
  auto sum = count(now);
  auto all = read_conditions(now);
  judge(now, sum, all);
  auto old = now.deployment.status();
  auto generation = now.deployment.metadata().generation();
  auto unavailable = std::max<std::int64_t>(0, now.total_replicas() - sum.available);
  bool same = old.replicas() == sum.replicas && old.updated_replicas() == sum.updated &&
              old.ready_replicas() == sum.ready && old.available_replicas() == sum.available &&
              old.unavailable_replicas() == unavailable && old.terminating_replicas(-1) == sum.terminating &&
              old.observed_generation() == generation && same_conditions(now, all);
  if (same && now.new_revision == 0 && now.new_collisions == 0) return;
  auto body = decode(*now.object);  // whole: the controller's role has no patch of deployments
  if (now.new_revision != 0)
    apps_v1::deployment_view(body).mutable_metadata().mutable_annotations().set(revision_key,
                                                                                std::to_string(now.new_revision));
  auto& status = body.set(body.root(), "status");
  if (!status.is_object()) body.make_object(status);
  if (now.new_collisions != 0) body.set(status, "collisionCount", now.new_collisions);
  body.set(status, "observedGeneration", generation);
  body.set(status, "replicas", sum.replicas);
  body.set(status, "updatedReplicas", sum.updated);
  body.set(status, "readyReplicas", sum.ready);
  body.set(status, "availableReplicas", sum.available);
  body.set(status, "unavailableReplicas", unavailable);
  body.set(status, "terminatingReplicas", sum.terminating);
  write_conditions(body, status, all);
  auto path =
      collection_path("apps/v1", now.object->namespace_name, "deployments") + "/" + std::string(now.object->name);
  auto order = replace(path + "/status", to_json(body.root()), deployment_core::deployments);
  order.tolerated = {reason::not_found};
  now.out.emplace_back(std::move(order));
}

}  // namespace troupe::controllers
