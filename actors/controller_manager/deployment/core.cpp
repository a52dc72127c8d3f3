// See core.hpp.
#include "actors/controller_manager/deployment/core.hpp"

#include <algorithm>

#include "actors/controller_manager/common/requests.hpp"
#include "actors/controller_manager/common/selector.hpp"
#include "actors/controller_manager/deployment/rollout.hpp"

namespace troupe::controllers {

using controller::effect;

std::vector<controller::source> deployment_core::sources() const {
  return {{"/apis/apps/v1/deployments", {}, {}}, {"/apis/apps/v1/replicasets", {}, {}}};
}

std::vector<effect> deployment_core::observe(const controller::object_changed& change, const controller::caches& view) {
  if (change.source == deployments) {
    if (!change.now) creation_failures_.erase(change.key);
    return {controller::enqueue{change.key, 0}};
  }
  std::vector<effect> out;
  auto wake = [&](const object& one) {
    auto content = decode(one);
    auto by = controller_of(apps_v1::replica_set_view(content).metadata());
    if (by.kind == "Deployment") out.emplace_back(controller::enqueue{key_of(one.namespace_name, by.name), 0});
    return by;
  };
  if (auto known = owner_of_.find(change.key); known != owner_of_.end()) {
    sets_of_[known->second].erase(change.key);
    if (sets_of_[known->second].empty()) sets_of_.erase(known->second);
    owner_of_.erase(known);
  }
  if (change.before && !change.now) wake(*change.before);
  if (!change.now) return out;
  if (auto by = wake(*change.now)) {
    owner_of_[change.key] = by.uid;
    sets_of_[by.uid].insert(change.key);
    return out;
  }
  // An orphan that a Deployment of its namespace may adopt.
  for (const auto& [key, one] : view.all(deployments)) {
    if (one->namespace_name != change.now->namespace_name) continue;
    auto content = decode(*one);
    if (label_matcher(apps_v1::deployment_view(content).spec().selector()).matches(*change.now))
      out.emplace_back(controller::enqueue{key, 0});
  }
  return out;
}

namespace {

// Uncontrolled ReplicaSets that the selector matches become ours.
void adopt(rollout& now, const controller::caches& view) {
  label_matcher selector(now.deployment.spec().selector());
  const auto& all = view.all(deployment_core::sets);
  auto prefix = std::string(now.object->namespace_name) + "/";
  for (auto it = all.lower_bound(prefix); it != all.end() && it->first.starts_with(prefix); ++it) {
    if (!selector.matches(*it->second)) continue;
    auto content = decode(*it->second);
    auto metadata = apps_v1::replica_set_view(content).metadata();
    if (controller_of(metadata) || metadata.has_deletion_timestamp()) continue;
    document body;
    body.make_object(body.root());
    meta_v1::object_meta_view changes(&body, &body.set(body.root(), "metadata"));
    body.make_object(*changes.view_node());
    changes.set_uid(it->second->uid);
    set_controller(changes, "apps/v1", "Deployment", now.object->name, now.object->uid);
    auto path = collection_path("apps/v1", it->second->namespace_name, "replicasets");
    auto order = merge_patch(path + "/" + std::string(it->second->name), to_json(body.root()), deployment_core::sets);
    order.request.content_type = "application/strategic-merge-patch+json";
    now.out.emplace_back(std::move(order));
  }
}

}  // namespace

std::vector<effect> deployment_core::reconcile(const controller::key_due& due, const controller::caches& view) {
  auto found = view.find(deployments, due.key);
  if (!found) return {};
  rollout now(due, found);
  if (auto failure = creation_failures_.find(due.key); failure != creation_failures_.end())
    now.creation_failure = failure->second;
  if (auto owned = sets_of_.find(std::string(found->uid)); owned != sets_of_.end())
    for (const auto& key : owned->second)
      if (auto one = view.find(sets, key)) now.sets.push_back(std::make_unique<rollout_set>(one));
  std::sort(now.sets.begin(), now.sets.end(), [](const auto& a, const auto& b) {
    return std::pair(a->created_ms, a->object->name) < std::pair(b->created_ms, b->object->name);
  });
  if (now.deployment.metadata().has_deletion_timestamp()) {
    ensure_current_set(now);
    now.out.clear();
    now.creating = false;
    now.new_revision = now.new_collisions = 0;
    update_deployment_status(now);
    return std::move(now.out);
  }
  adopt(now, view);
  if (!now.out.empty()) return std::move(now.out);  // the adopted ones count from the next turn on
  ensure_current_set(now);
  scale_sets(now);
  clean_history(now);
  update_deployment_status(now);
  return std::move(now.out);
}

std::vector<effect> deployment_core::written(const controller::write_done& done, const controller::caches& view) {
  if (done.tag != tag_create_set) return {};
  auto deployment = view.find(deployments, done.key);
  if (done.error.ok()) {
    creation_failures_.erase(done.key);
    auto name = done.object ? std::string(done.object->name) : std::string();
    apps_v1::replica_set_view made;
    document content;
    if (done.object) {
      content = decode(*done.object);
      made = apps_v1::replica_set_view(content);
    }
    auto size = made.spec().replicas(0);
    return {controller::note{deployment, false, "ScalingReplicaSet",
                             "Scaled up replica set " + name + " from 0 to " + std::to_string(size)}};
  }
  // A set of that name with another template: the hash collided.
  if (done.error.why == reason::already_exists) return {controller::enqueue{done.key, 0}};
  creation_failures_[done.key] = done.error.message;
  return {controller::note{deployment, true, "ReplicaSetCreateError",
                           "Failed to create new replica set: " + done.error.message}};
}

}  // namespace troupe::controllers
