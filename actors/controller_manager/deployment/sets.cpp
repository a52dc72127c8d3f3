// The ReplicaSets of a Deployment: which is the current one, making it, their annotations and history.
#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "actors/controller_manager/common/requests.hpp"
#include "actors/controller_manager/deployment/core.hpp"
#include "actors/controller_manager/deployment/rollout.hpp"

namespace troupe::controllers {
namespace {

constexpr const char* desired_key = "deployment.kubernetes.io/desired-replicas";
constexpr const char* max_key = "deployment.kubernetes.io/max-replicas";

std::int64_t number(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// An int or a percentage of `of`.
std::int64_t scaled(const node* value, std::int64_t of, std::int64_t fallback, bool round_up) {
  if (!value || value->is_null()) return fallback;
  if (!value->is_string()) return value->integer();
  auto text = value->string();
  auto share = static_cast<double>(number(text)) * static_cast<double>(of) / 100.0;
  return static_cast<std::int64_t>(round_up ? std::ceil(share) : std::floor(share));
}

// Annotations that belong to one object alone (upstream's annotationsToSkip).
bool skipped(std::string_view key) {
  return key == "kubectl.kubernetes.io/last-applied-configuration" || key == revision_key ||
         key == "deployment.kubernetes.io/revision-history" || key == desired_key || key == max_key ||
         key == "deprecated.deployment.rollback.to";
}

std::string sets_path(const rollout& now) {
  return collection_path("apps/v1", now.object->namespace_name, "replicasets");
}

// Deployment and current set carry the same revision number.
void keep_revisions(rollout& now, std::int64_t revision) {
  auto text = std::to_string(revision);
  if (now.current && now.current->revision != revision) {
    auto body = fmt::format(R"({{"metadata":{{"annotations":{{"{}":"{}"}}}}}})", revision_key, text);
    now.out.emplace_back(
        merge_patch(sets_path(now) + "/" + std::string(now.current->object->name), body, deployment_core::sets));
  }
  if (now.deployment.metadata().annotations().get(revision_key) != text) now.new_revision = revision;
}

void order_new_set(rollout& now, std::int64_t revision) {
  auto hash = template_hash(now.deployment.spec().template_(), now.deployment.status().collision_count());
  document made;
  made.make_object(made.root());
  made.set(made.root(), "apiVersion", "apps/v1");
  made.set(made.root(), "kind", "ReplicaSet");
  apps_v1::replica_set_view set(made);
  auto spec = set.mutable_spec();
  spec.set_replicas(now.creating_replicas);
  spec.set_min_ready_seconds(now.deployment.spec().min_ready_seconds());
  if (auto* selector = now.deployment.spec().selector().view_node())
    *spec.mutable_selector().view_node() = made.clone(*selector);
  spec.mutable_selector().mutable_match_labels().set(hash_label, hash);
  if (auto* pattern = now.deployment.spec().template_().view_node())
    *spec.mutable_template().view_node() = made.clone(*pattern);
  spec.mutable_template().mutable_metadata().mutable_labels().set(hash_label, hash);
  auto metadata = set.mutable_metadata();  // views of the spec end here: the object has grown
  metadata.set_name(std::string(now.object->name) + "-" + hash);
  metadata.set_namespace(now.object->namespace_name);
  for (auto [key, value] : now.deployment.spec().template_().metadata().labels())
    metadata.mutable_labels().set(key, value);
  metadata.mutable_labels().set(hash_label, hash);
  for (auto [key, value] : now.deployment.metadata().annotations())
    if (!skipped(key)) metadata.mutable_annotations().set(key, value);
  auto notes = metadata.mutable_annotations();
  notes.set(revision_key, std::to_string(revision));
  notes.set(desired_key, std::to_string(now.wanted()));
  notes.set(max_key, std::to_string(now.wanted() + now.max_surge()));
  set_controller(metadata, "apps/v1", "Deployment", now.object->name, now.object->uid);
  auto order = create(sets_path(now), to_json(made.root()), deployment_core::sets, deployment_core::tag_create_set);
  now.out.emplace_back(std::move(order));
}

}  // namespace

rollout_set::rollout_set(object_ptr one) : object(std::move(one)), content(decode(*object)), view(content) {
  replicas = view.spec().replicas(1);
  available = view.status().available_replicas();
  created_ms = time_ms(view.metadata().creation_timestamp());
  revision = number(view.metadata().annotations().get(revision_key));
}

rollout::rollout(const controller::key_due& due, object_ptr one)
    : key(due.key), object(std::move(one)), content(decode(*object)), deployment(content), now_ms(due.now_ms) {}

std::int64_t rollout::max_surge() const {
  if (!rolling()) return 0;
  return scaled(deployment.spec().strategy().rolling_update().max_surge(), wanted(), 0, true);
}

std::int64_t rollout::max_unavailable() const {
  if (!rolling() || wanted() == 0) return 0;
  auto limit = scaled(deployment.spec().strategy().rolling_update().max_unavailable(), wanted(), 0, false);
  if (limit == 0 && max_surge() == 0) limit = 1;
  return std::min(limit, wanted());
}

std::int64_t rollout::total_replicas() const {
  std::int64_t sum = creating ? creating_replicas : 0;
  for (const auto& one : sets) sum += one->replicas;
  return sum;
}

std::int64_t rollout::total_available() const {
  std::int64_t sum = 0;
  // A set's status lags behind its size: pods beyond the size are on their way out and count no more. (Upstream counts
  // them and may then take too many.)
  for (const auto& one : sets) sum += std::min(one->available, one->replicas);
  return sum;
}

std::vector<rollout_set*> rollout::old_sets() {
  std::vector<rollout_set*> old;
  for (const auto& one : sets)
    if (one.get() != current) old.push_back(one.get());
  return old;
}

void rollout::note(std::string reason, std::string message) {
  out.emplace_back(controller::note{object, false, std::move(reason), std::move(message)});
}

void ensure_current_set(rollout& now) {
  std::int64_t newest = 0;
  for (const auto& one : now.sets)
    if (!now.current && same_template(one->view.spec().template_(), now.deployment.spec().template_()))
      now.current = one.get();
  for (const auto& one : now.sets)
    if (one.get() != now.current) newest = std::max(newest, one->revision);
  auto revision = now.current ? std::max(now.current->revision, newest + 1) : newest + 1;
  if (now.current) {
    keep_revisions(now, revision);
    return;
  }
  // A paused Deployment makes no new set.
  if (now.deployment.spec().paused()) return;
  auto hash = template_hash(now.deployment.spec().template_(), now.deployment.status().collision_count());
  auto name = std::string(now.object->name) + "-" + hash;
  for (const auto& one : now.sets)
    if (one->object->name == name) {
      // The name is taken by another template: count the collision, which changes the hash.
      now.new_collisions = now.deployment.status().collision_count() + 1;
      return;
    }
  now.creating = true;
  std::int64_t room = now.wanted() + now.max_surge();
  for (const auto& one : now.sets) room -= one->replicas;
  now.creating_replicas = now.rolling() ? std::clamp<std::int64_t>(room, 0, now.wanted()) : 0;
  if (!now.rolling() && std::all_of(now.sets.begin(), now.sets.end(), [](const auto& one) {
        return one->replicas == 0 && one->view.status().replicas() == 0 &&
               one->view.status().terminating_replicas() == 0;
      }))
    now.creating_replicas = now.wanted();
  order_new_set(now, revision);
  keep_revisions(now, revision);
}

void resize(rollout& now, rollout_set& one, std::int64_t replicas) {
  auto notes = one.view.metadata().annotations();
  auto desired = std::to_string(now.wanted());
  auto most = std::to_string(now.wanted() + now.max_surge());
  bool annotated = notes.get(desired_key) == desired && notes.get(max_key) == most;
  if (one.replicas == replicas && annotated) return;
  auto name = std::string(one.object->name);
  auto body = fmt::format(
      R"({{"metadata":{{"resourceVersion":"{}","annotations":{{"{}":"{}","{}":"{}"}}}},"spec":{{"replicas":{}}}}})",
      one.object->revision, desired_key, desired, max_key, most, replicas);
  now.out.emplace_back(merge_patch(sets_path(now) + "/" + name, body, deployment_core::sets));
  if (one.replicas != replicas)
    now.note("ScalingReplicaSet", fmt::format("Scaled {} replica set {} from {} to {}",
                                              replicas > one.replicas ? "up" : "down", name, one.replicas, replicas));
  one.replicas = replicas;
}

void clean_history(rollout& now) {
  auto limit = now.deployment.spec().revision_history_limit(10);
  if (!now.current && !now.creating) return;
  std::vector<rollout_set*> empty;
  for (auto* one : now.old_sets())
    if (one->replicas == 0 && one->view.status().replicas() == 0 && !one->view.metadata().has_deletion_timestamp() &&
        one->view.status().observed_generation() >= one->view.metadata().generation())
      empty.push_back(one);
  std::sort(empty.begin(), empty.end(), [](auto* a, auto* b) { return a->revision < b->revision; });
  for (std::size_t i = 0; static_cast<std::int64_t>(empty.size() - i) > limit; ++i)
    now.out.emplace_back(erase(sets_path(now) + "/" + std::string(empty[i]->object->name), empty[i]->object->uid,
                               deployment_core::sets));
}

}  // namespace troupe::controllers
