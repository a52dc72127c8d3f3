#include "actors/controller_manager/storage_protection/core.hpp"

#include "actors/controller_manager/common/owner.hpp"
#include "actors/controller_manager/common/requests.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::controllers {

using controller::effect;

namespace {

constexpr const char* claim_finalizer = "kubernetes.io/pvc-protection";
constexpr const char* volume_finalizer = "kubernetes.io/pv-protection";

bool held_and_deleting(const meta_v1::object_meta_view& metadata, std::string_view finalizer) {
  if (!metadata.has_deletion_timestamp()) return false;
  for (auto one : metadata.finalizers())
    if (one == finalizer) return true;
  return false;
}

// Most pods have no claims; that is seen without decoding.
bool may_use_claims(const object& pod) {
  auto text = pod.json.view();
  return text.find("\"persistentVolumeClaim\":") != std::string_view::npos ||
         text.find("\"ephemeral\":") != std::string_view::npos;
}

// Calls `use` with the name of each claim that the pod mounts.
template <class Use>
void each_claim(const object& one, Use use) {
  if (!may_use_claims(one)) return;
  auto content = decode(one);
  core_v1::pod_view pod(content);
  for (auto volume : pod.spec().volumes()) {
    if (volume.has_persistent_volume_claim()) use(std::string(volume.persistent_volume_claim().claim_name()));
    if (volume.has_ephemeral()) use(std::string(one.name) + "-" + std::string(volume.name()));
  }
}

// A pod that is not on a node yet does not count: no kubelet starts one whose claim is being deleted.
bool used(const object& claim, const controller::caches::object_map& pods) {
  auto prefix = std::string(claim.namespace_name) + "/";
  bool found = false;
  for (auto it = pods.lower_bound(prefix); it != pods.end() && it->first.starts_with(prefix) && !found; ++it)
    if (!it->second->node_name.empty())
      each_claim(*it->second, [&](const std::string& name) { found |= name == claim.name; });
  return found;
}

// The object without the finalizer, whole: the controllers' roles have no patch.
effect release(std::string path, document content, std::string_view finalizer) {
  meta_v1::object_meta_view metadata(content, *content.root().find("metadata"));
  metadata.mutable_finalizers().remove(finalizer);
  auto order = replace(std::move(path), to_json(content.root()), storage_protection_core::objects);
  order.tolerated = {reason::not_found};
  return order;
}

}  // namespace

std::vector<controller::source> storage_protection_core::sources() const {
  if (of_ == kind::volumes) return {{"/api/v1/persistentvolumes", {}, {}}};
  return {{"/api/v1/persistentvolumeclaims", {}, {}}, {"/api/v1/pods", {}, {}}};
}

std::vector<effect> storage_protection_core::observe(const controller::object_changed& change,
                                                     const controller::caches&) {
  if (change.source == objects) return {controller::enqueue{change.key, 0}};
  std::vector<effect> out;
  if (!change.now && change.before)
    each_claim(*change.before, [&](const std::string& name) {
      out.emplace_back(controller::enqueue{key_of(change.before->namespace_name, name), 0});
    });
  return out;
}

std::vector<effect> storage_protection_core::reconcile(const controller::key_due& due, const controller::caches& view) {
  auto found = view.find(objects, due.key);
  if (!found) return {};
  auto content = decode(*found);
  meta_v1::object_meta_view metadata(content, *content.root().find("metadata"));
  if (of_ == kind::claims) {
    if (!held_and_deleting(metadata, claim_finalizer) || used(*found, view.all(pods))) return {};
    auto path = collection_path("v1", found->namespace_name, "persistentvolumeclaims") + "/" + std::string(found->name);
    return {release(std::move(path), std::move(content), claim_finalizer)};
  }
  bool bound = core_v1::persistent_volume_view(content).status().phase() == "Bound";
  if (!held_and_deleting(metadata, volume_finalizer) || bound) return {};
  return {release("/api/v1/persistentvolumes/" + std::string(found->name), std::move(content), volume_finalizer)};
}

}  // namespace troupe::controllers
