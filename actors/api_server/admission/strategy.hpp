// What the kinds add to the generic write path: defaults, strategies, admission, validation and patches.
//
// The registry (registry/) keeps the rules that hold for every kind and calls these in this order:
//   create: conform > default_object > [registry: metadata, name, uid, creationTimestamp, generation] > admit >
//           prepare_for_create > allocate > collect_warnings > validate_create > [registry: managedFields] > encode
//   update: conform > default_object > [registry: immutable metadata from the old object; status resp. everything but
//           status carried over] > admit > prepare_for_update > allocate > [registry: generation] > collect_warnings >
//           validate_update > [registry: managedFields] > encode
// A stage sees whole documents whose root is the object; `type` is an index into schema::types().
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/api_server/cacher/snapshot.hpp"
#include "actors/api_server/pipeline/request_context.hpp"
#include "messages/document.hpp"
#include "messages/status.hpp"

namespace troupe::api {

class authorizer;

/// A further change of the same store transaction (an IPAddress that a Service takes, a node port). The transaction
/// demands that the key has `expected_revision` (0: does not exist); if not, the request starts again with the key
/// listed in admission_context::taken.
struct side_write {
  std::string key;  // storage_key(...) of an object, or a key below "/registry/ranges/"
  std::uint64_t expected_revision = 0;
  bool erase = false;
  std::string value;  // canonical JSON (stored form) unless erase
  /// No compare: the key belongs to the object being written, whose own compare guards it (a node port given back).
  bool unconditional = false;
};

/// What a request's strategies look at and add to. One per attempt.
struct admission_context {
  request_context& request;
  const cluster_view& cluster;
  authorizer& judge;
  std::uint64_t random = 0;               // a fresh random number for allocators
  std::vector<side_write> writes;         // out: see side_write
  std::vector<std::string> taken;         // in: keys that an earlier attempt found taken
  std::function<std::string()> new_uid;   // fresh uids for objects in `writes`
  std::int64_t toleration_seconds = 300;  // see shared_state
};

enum class operation : std::uint8_t { create, update, delete_ };

/// Static defaults of the type and everything below it (the schema's "+default" markers, defaults.json), as the
/// scheme's defaulting functions of that version do. Idempotent.
void default_object(document& doc, node& object, std::uint16_t type);

/// The kind's PrepareForCreate: clears or presets status (Pod: Pending and qosClass), drops fields of disabled
/// features. metadata.generation is preset to 1 by the registry for kinds that have it (see has_generation).
/// metadata.uid must be set before: a Job selects its pods by it.
status prepare_for_create(admission_context& context, document& object);

/// The kind's PrepareForUpdate for the main resource or the subresource in context.request. Status (main update) resp.
/// everything else (status update) has been carried over already.
status prepare_for_update(admission_context& context, const node& previous, document& object);

/// Built-in admission plug-ins in Kubernetes' order, mutating first: NamespaceLifecycle, TaintNodesByCondition,
/// Priority, DefaultTolerationSeconds, ServiceAccount, NodeRestriction, LimitRanger, StorageObjectInUseProtection,
/// DefaultStorageClass, DefaultIngressClass, RuntimeClass, ResourceQuota as far as built. `previous` is null on create;
/// `object` is null on delete. Not ok: 403 as Kubernetes words it.
status admit(admission_context& context, operation what, const node* previous, document* object);

/// Cluster IPs, node ports, health check ports of Services. On delete (`object` null) it adds the erasures.
status allocate(admission_context& context, operation what, const node* previous, document* object);

/// All that is wrong with the object, in Kubernetes' order and words: schema-driven checks (required, enums, formats,
/// metadata: names, labels, annotations, owner references, finalizers) and the kind's hand-written validation.
std::vector<status_cause> validate_create(const admission_context& context, const node& object);
/// The same for an update, immutable fields included; `subresource` comes from context.request.
std::vector<status_cause> validate_update(const admission_context& context, const node& previous, const node& object);

/// Warnings for deprecated or doubtful fields, and for kinds whose effect is not built yet.
void collect_warnings(admission_context& context, const node& object);

/// Whether objects of the type count spec changes in metadata.generation.
bool has_generation(std::uint16_t type);
/// Whether an update counts: the spec changed, for a Deployment also its annotations.
bool generation_changes(std::uint16_t type, const node& previous, const node& object);

enum class patch_type : std::uint8_t { json, merge, strategic, apply };

/// The object after the patch. `current` has been conformed to `type`. The result still has to be conformed. Errors as
/// Kubernetes words them: 400 for a patch that is not one, 422 for a JSON patch whose operation fails.
result<document> apply_patch(patch_type how, std::uint16_t type, const node& current, std::string_view patch);

}  // namespace troupe::api
