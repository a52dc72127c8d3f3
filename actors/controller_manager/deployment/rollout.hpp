// One turn of a Deployment: its ReplicaSets and what is to be done about them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "actors/controller_manager/common/owner.hpp"
#include "messages/controller.hpp"
#include "messages/views/apps_v1.hpp"

namespace troupe::controllers {

/// Annotation of a Deployment and its ReplicaSets: which version of the template it is, from 1.
constexpr const char* revision_key = "deployment.kubernetes.io/revision";

/// Label of a ReplicaSet and its pods: the hash of their template (apps/v1 DefaultDeploymentUniqueLabelKey).
constexpr const char* hash_label = "pod-template-hash";

/// A ReplicaSet of the Deployment, decoded, with the size it is to have.
struct rollout_set {
  object_ptr object;
  document content;
  apps_v1::replica_set_view view;
  std::int64_t replicas = 0;   // spec, as decided so far in this turn
  std::int64_t available = 0;  // status
  std::uint64_t created_ms = 0;
  std::int64_t revision = 0;  // annotation deployment.kubernetes.io/revision

  explicit rollout_set(object_ptr one);
};

/// Everything one turn decides on. Not copied or moved: views point into it.
struct rollout {
  std::string key;
  object_ptr object;
  document content;
  apps_v1::deployment_view deployment;
  std::uint64_t now_ms;
  std::vector<std::unique_ptr<rollout_set>> sets;  // oldest first
  rollout_set* current = nullptr;                  // the one with today's template; null until it is made
  std::string creation_failure;                    // why the last attempt to make it failed
  bool creating = false;                           // it is made in this turn
  std::int64_t creating_replicas = 0;
  std::int64_t new_revision = 0;    // to be noted at the Deployment; 0: it is there
  std::int64_t new_collisions = 0;  // to be its status.collisionCount; 0: unchanged
  std::vector<controller::effect> out;

  rollout(const controller::key_due& due, object_ptr one);
  rollout(const rollout&) = delete;
  rollout& operator=(const rollout&) = delete;

  std::int64_t wanted() const { return deployment.spec().replicas(1); }
  bool rolling() const { return deployment.spec().strategy().type() != "Recreate"; }
  /// maxSurge and maxUnavailable in pods; percentages round up resp. down, and both are never zero.
  std::int64_t max_surge() const;
  std::int64_t max_unavailable() const;
  std::int64_t total_replicas() const;  // of all specs
  std::int64_t total_available() const;
  std::vector<rollout_set*> old_sets();  // all but the current one, oldest first
  void note(std::string reason, std::string message);
};

/// Finds or orders the ReplicaSet of today's template, keeps revisions and annotations.
void ensure_current_set(rollout& now);
/// Sets the sizes: a change of spec.replicas alone is spread in proportion, otherwise the strategy takes a step.
void scale_sets(rollout& now);
/// Deletes old empty ReplicaSets beyond revisionHistoryLimit.
void clean_history(rollout& now);
/// Orders the change of a ReplicaSet's size, with its annotations.
void resize(rollout& now, rollout_set& one, std::int64_t replicas);
/// Orders the update of the Deployment's status, revision and collision count when any of them differs. It is one
/// write, as upstream's: the status strategy keeps new annotations.
void update_deployment_status(rollout& now);

/// The hash that names a template's ReplicaSet (label pod-template-hash).
std::string template_hash(const core_v1::pod_template_spec_view& pattern, std::int64_t collisions);
/// Whether two templates are the same but for that label.
bool same_template(const core_v1::pod_template_spec_view& a, const core_v1::pod_template_spec_view& b);

}  // namespace troupe::controllers
