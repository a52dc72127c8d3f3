// See core.hpp. Semantics: k8s.io/kubernetes/pkg/controller/replicaset.
#include "actors/controller_manager/replicaset/core.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "actors/controller_manager/common/requests.hpp"

namespace troupe::controllers {

using controller::effect;

struct replicaset_core::turn {
  std::string key;
  object_ptr object;
  document content;
  apps_v1::replica_set_view set;
  label_matcher selector;
  std::uint64_t now_ms;
  const controller::caches& view;
  std::vector<std::pair<std::string, const pod_facts*>> owned;  // pod key and facts, not finished or being deleted
  std::size_t terminating = 0;
  std::vector<effect> out;

  turn(const controller::key_due& due, object_ptr one, const controller::caches& caches)
      : key(due.key),
        object(std::move(one)),
        content(decode(*object)),
        set(content),
        selector(set.spec().selector()),
        now_ms(due.now_ms),
        view(caches) {}
  std::string pods_path() const { return collection_path("v1", object->namespace_name, "pods"); }
};

std::vector<controller::source> replicaset_core::sources() const {
  return {{"/apis/apps/v1/replicasets", {}, {}}, {"/api/v1/pods", {}, {}}};
}

std::vector<effect> replicaset_core::observe(const controller::object_changed& change, const controller::caches& view) {
  return change.source == sets ? observe_set(change) : observe_pod(change, view);
}

std::vector<effect> replicaset_core::observe_set(const controller::object_changed& change) {
  if (!change.now) creation_failures_.erase(change.key);
  return {controller::enqueue{change.key, 0}};
}

void replicaset_core::forget_pod(const std::string& key) {
  auto found = facts_.find(key);
  if (found == facts_.end()) return;
  auto space = key.substr(0, key.find('/'));
  if (auto& by = found->second.controlled_by; by) {
    if (auto owned = pods_of_.find(by.uid); owned != pods_of_.end()) {
      owned->second.erase(key);
      if (owned->second.empty()) pods_of_.erase(owned);
    }
  } else if (auto loose = orphans_.find(space); loose != orphans_.end()) {
    loose->second.erase(key);
    if (loose->second.empty()) orphans_.erase(loose);
  }
  facts_.erase(found);
}

std::vector<effect> replicaset_core::observe_pod(const controller::object_changed& change,
                                                 const controller::caches& view) {
  std::vector<effect> out;
  auto space = change.key.substr(0, change.key.find('/'));
  auto wake_owner = [&](const owner& by) {
    if (by.kind == "ReplicaSet") out.emplace_back(controller::enqueue{key_of(space, by.name), 0});
  };
  if (auto known = facts_.find(change.key); known != facts_.end()) wake_owner(known->second.controlled_by);
  forget_pod(change.key);
  if (!change.now) return out;
  auto& facts = facts_[change.key] = facts_of(*change.now);
  if (facts.controlled_by) {
    pods_of_[facts.controlled_by.uid].insert(change.key);
    if (out.empty()) wake_owner(facts.controlled_by);
    return out;
  }
  orphans_[space].insert(change.key);
  // Somebody may want to adopt it.
  const auto& all = view.all(sets);
  for (auto it = all.lower_bound(space + "/"); it != all.end() && it->second->namespace_name == space; ++it) {
    auto content = decode(*it->second);
    if (label_matcher(apps_v1::replica_set_view(content).spec().selector()).matches(*change.now))
      out.emplace_back(controller::enqueue{it->first, 0});
  }
  return out;
}

std::vector<effect> replicaset_core::reconcile(const controller::key_due& due, const controller::caches& view) {
  auto found = view.find(sets, due.key);
  if (!found) return {};
  turn now(due, found, view);
  if (auto owned = pods_of_.find(std::string(found->uid)); owned != pods_of_.end())
    for (const auto& key : owned->second) {
      const auto& facts = facts_.at(key);
      if (facts.active()) now.owned.emplace_back(key, &facts);
      if (facts.deleting && facts.phase != "Succeeded" && facts.phase != "Failed") ++now.terminating;
    }
  bool failing = false;
  if (!now.set.metadata().has_deletion_timestamp()) {
    adopt_and_release(now);
    auto wanted = static_cast<std::size_t>(std::max<std::int64_t>(0, now.set.spec().replicas(1)));
    if (now.owned.size() < wanted) create_missing(now, std::min(wanted - now.owned.size(), burst));
    if (now.owned.size() > wanted) delete_surplus(now, std::min(now.owned.size() - wanted, burst));
    failing = creation_failures_.count(due.key) && now.owned.size() < wanted;
  }
  if (!failing) creation_failures_.erase(due.key);
  update_status(now, failing);
  return std::move(now.out);
}

// Uncontrolled pods that match are adopted; controlled ones that do not match any more are released.
void replicaset_core::adopt_and_release(turn& now) {
  std::erase_if(now.owned, [&](const auto& one) {
    auto pod = now.view.find(pods, one.first);
    if (!pod || now.selector.matches(*pod)) return false;
    auto body = fmt::format(R"({{"metadata":{{"uid":"{}","ownerReferences":[{{"$patch":"delete","uid":"{}"}}]}}}})",
                            pod->uid, now.object->uid);
    auto release = merge_patch(now.pods_path() + "/" + std::string(pod->name), std::move(body), pods, tag_adopt);
    release.request.content_type = "application/strategic-merge-patch+json";
    release.tolerated = {reason::not_found, reason::invalid};
    now.out.emplace_back(std::move(release));
    return true;
  });
  auto loose = orphans_.find(std::string(now.object->namespace_name));
  if (loose == orphans_.end()) return;
  for (const auto& key : loose->second) {
    auto pod = now.view.find(pods, key);
    const auto& facts = facts_.at(key);
    if (!pod || !facts.active() || !now.selector.matches(*pod)) continue;
    auto body = fmt::format(
        R"({{"metadata":{{"uid":"{}","ownerReferences":[{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"{}","uid":"{}","controller":true,"blockOwnerDeletion":true}}]}}}})",
        pod->uid, now.object->name, now.object->uid);
    auto adopt = merge_patch(now.pods_path() + "/" + std::string(pod->name), std::move(body), pods, tag_adopt);
    adopt.request.content_type = "application/strategic-merge-patch+json";
    now.out.emplace_back(std::move(adopt));
    now.owned.emplace_back(key, &facts);
  }
}

void replicaset_core::create_missing(turn& now, std::size_t count) {
  document made;
  core_v1::pod_view pod(made);
  made.make_object(made.root());
  made.set(made.root(), "apiVersion", "v1");
  made.set(made.root(), "kind", "Pod");
  auto pattern = now.set.spec().template_();
  if (auto* metadata = pattern.metadata().view_node()) made.set(made.root(), "metadata", made.clone(*metadata));
  auto metadata = pod.mutable_metadata();
  metadata.clear_name();
  metadata.clear_creation_timestamp();
  metadata.set_generate_name(std::string(now.object->name) + "-");
  set_controller(metadata, "apps/v1", "ReplicaSet", now.object->name, now.object->uid);
  if (auto* spec = pattern.spec().view_node()) made.set(made.root(), "spec", made.clone(*spec));
  auto order = create(now.pods_path(), to_json(made.root()), pods, tag_create);
  for (std::size_t i = 0; i < count; ++i) now.out.emplace_back(order);
}

void replicaset_core::delete_surplus(turn& now, std::size_t count) {
  std::unordered_map<std::string, std::size_t> company;
  for (const auto& [key, facts] : now.owned) ++company[facts->node_name];
  auto ranked = now.owned;
  std::sort(ranked.begin(), ranked.end(), [&](const auto& a, const auto& b) {
    return delete_first(*a.second, company[a.second->node_name], *b.second, company[b.second->node_name]);
  });
  for (std::size_t i = 0; i < count; ++i) {
    auto name = ranked[i].first.substr(ranked[i].first.find('/') + 1);
    now.out.emplace_back(erase(now.pods_path() + "/" + name, ranked[i].second->uid, pods, tag_delete));
    now.out.emplace_back(controller::note{now.object, false, "SuccessfulDelete", "Deleted pod: " + name});
  }
}

std::vector<effect> replicaset_core::written(const controller::write_done& done, const controller::caches& view) {
  auto set = view.find(sets, done.key);
  if (done.tag != tag_create || !set) return {};
  if (done.error.ok()) {
    auto name = done.object ? std::string(done.object->name) : std::string();
    return {controller::note{set, false, "SuccessfulCreate", "Created pod: " + name}};
  }
  creation_failures_[done.key] = done.error.message;
  return {controller::note{set, true, "FailedCreate", "Error creating: " + done.error.message}};
}

void replicaset_core::update_status(turn& now, bool failing) {
  std::int64_t ready = 0, available = 0, labelled = 0;
  auto delay = now.set.spec().min_ready_seconds();
  std::uint64_t next_ms = 0;
  label_matcher pattern(now.set.spec().template_().metadata().labels());
  for (const auto& [key, facts] : now.owned) {
    auto pod = now.view.find(pods, key);
    labelled += pod && pattern.matches(*pod);
    ready += facts->ready;
    available += facts->available(delay, now.now_ms);
    if (facts->ready && !facts->available(delay, now.now_ms)) {
      auto due = facts->ready_since_ms + static_cast<std::uint64_t>(delay) * 1000;
      next_ms = next_ms == 0 ? due : std::min(next_ms, due);
    }
  }
  if (next_ms > now.now_ms) now.out.emplace_back(controller::enqueue{now.key, next_ms - now.now_ms});

  auto old = now.set.status();
  auto total = static_cast<std::int64_t>(now.owned.size());
  auto terminating = static_cast<std::int64_t>(now.terminating);
  bool was_failing = false;
  for (auto condition : old.conditions()) was_failing = was_failing || condition.type() == "ReplicaFailure";
  bool same = old.replicas() == total && old.fully_labeled_replicas() == labelled && old.ready_replicas() == ready &&
              old.available_replicas() == available && old.terminating_replicas(-1) == terminating &&
              old.observed_generation() == now.set.metadata().generation() && was_failing == failing;
  if (same) return;
  auto body = decode(*now.object);  // whole: the controller's role has no patch of replicasets/status
  auto& status = body.set(body.root(), "status");
  if (!status.is_object()) body.make_object(status);
  body.set(status, "replicas", total);
  body.set(status, "fullyLabeledReplicas", labelled);
  body.set(status, "readyReplicas", ready);
  body.set(status, "availableReplicas", available);
  body.set(status, "terminatingReplicas", terminating);
  body.set(status, "observedGeneration", now.set.metadata().generation());
  if (was_failing || failing) {
    auto& conditions = body.set(status, "conditions");
    body.make_array(conditions);
    if (failing) {
      auto& condition = body.append(conditions);
      body.make_object(condition);
      body.set(condition, "type", "ReplicaFailure");
      body.set(condition, "status", "True");
      body.set(condition, "lastTransitionTime", time_text(now.now_ms));
      body.set(condition, "reason", "FailedCreate");
      body.set(condition, "message", creation_failures_[now.key]);
    }
  }
  auto path =
      collection_path("apps/v1", now.object->namespace_name, "replicasets") + "/" + std::string(now.object->name);
  auto order = replace(path + "/status", to_json(body.root()), sets, tag_status);
  order.tolerated = {reason::not_found};
  now.out.emplace_back(std::move(order));
}

}  // namespace troupe::controllers
