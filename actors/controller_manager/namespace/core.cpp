#include "actors/controller_manager/namespace/core.hpp"

#include <algorithm>

#include "actors/controller_manager/common/owner.hpp"
#include "actors/controller_manager/common/requests.hpp"
#include "messages/schema/schema.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::controllers {
namespace {

constexpr std::uint64_t tag_delete = 1, tag_finalize = 2, tag_look = 1000;  // tag_look + resource index
constexpr const char* page = "?limit=20";  // enough to name the finalizers that hold the rest

// Namespaced resources that hold objects of their own and can be emptied; one version of each.
bool holds_content(std::uint16_t index) {
  const auto& resource = schema::resources()[index];
  constexpr auto needed = schema::verb_list | schema::verb_deletecollection;
  bool own = resource.storage == index || resource.storage == schema::no_index;
  return resource.namespaced && own && (resource.verbs & needed) == needed;
}

bool is_pods(std::uint16_t index) {
  const auto& resource = schema::resources()[index];
  return resource.group.empty() && resource.plural == "pods";
}

std::string path_of(std::uint16_t index, std::string_view space) {
  const auto& resource = schema::resources()[index];
  auto version = resource.group.empty() ? std::string(resource.version)
                                        : std::string(resource.group) + "/" + std::string(resource.version);
  return collection_path(version, space, resource.plural);
}

template <class Do>
void each_resource(bool pods_only, Do apply) {
  for (std::uint16_t i = 0; i < schema::resources().size(); ++i)
    if (holds_content(i) && is_pods(i) == pods_only) apply(i);
}

}  // namespace

std::vector<controller::source> namespace_core::sources() const { return {{"/api/v1/namespaces", {}, {}}}; }

std::vector<controller::effect> namespace_core::observe(const controller::object_changed& change,
                                                        const controller::caches&) {
  if (!change.now) deleting_.erase(change.key);
  if (!change.now) return {};
  auto content = decode(*change.now);
  if (!core_v1::namespace_view(content).metadata().has_deletion_timestamp()) return {};
  return {controller::enqueue{change.key, 0}};
}

std::vector<controller::effect> namespace_core::delete_all(const std::string& space, bool pods_only) {
  std::vector<controller::effect> out;
  each_resource(pods_only, [&](std::uint16_t i) {
    controller::write order;
    order.tag = tag_delete;
    order.request.verb = api::method::del;
    order.request.target = path_of(i, space);
    order.request.body =
        shared_bytes(std::string(R"({"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Background"})"));
    order.tolerated = {reason::not_found, reason::method_not_allowed, reason::conflict};
    out.emplace_back(std::move(order));
  });
  return out;
}

std::vector<controller::effect> namespace_core::look(const std::string& space, bool pods_only) {
  std::vector<controller::effect> out;
  each_resource(pods_only, [&](std::uint16_t i) {
    controller::write order;
    order.tag = tag_look + i;
    order.request.verb = api::method::get;
    order.request.target = path_of(i, space) + page;
    order.request.accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
    out.emplace_back(std::move(order));
  });
  return out;
}

std::vector<controller::effect> namespace_core::reconcile(const controller::key_due& due,
                                                          const controller::caches& view) {
  auto found = view.find(0, due.key);
  if (!found) return {};
  auto content = decode(*found);
  core_v1::namespace_view space(content);
  if (!space.metadata().has_deletion_timestamp()) return {};
  bool ours = false;
  for (auto finalizer : space.spec().finalizers()) ours = ours || finalizer == "kubernetes";
  if (!ours) return {};
  auto& now = deleting_[due.key];
  switch (now.next) {
    case stage::delete_pods:
    case stage::delete_rest: {
      bool pods = now.next == stage::delete_pods;
      now.next = pods ? stage::look_for_pods : stage::look_for_rest;
      auto out = delete_all(due.key, pods);
      out.emplace_back(controller::enqueue{due.key, 0});
      return out;
    }
    case stage::look_for_pods:
    case stage::look_for_rest: {
      bool pods = now.next == stage::look_for_pods;
      now.left.clear();
      // Every look that is not answered with an empty list keeps its resource in `left`.
      each_resource(pods, [&](std::uint16_t i) { now.left.emplace(i, left_over{}); });
      now.next = pods ? stage::delete_rest : stage::finalize;
      auto out = look(due.key, pods);
      out.emplace_back(controller::enqueue{due.key, 0});
      return out;
    }
    case stage::finalize:
      break;
  }
  return judge(due, *found, now);
}

// Both looks end here or in delete_rest: what is left is waited for with growing patience.
std::vector<controller::effect> namespace_core::judge(const controller::key_due& due, const object& space,
                                                      progress& now) {
  if (now.left.empty()) return finalize(space);
  now.next = stage::delete_pods;
  ++now.rounds;
  std::vector<controller::effect> out = {
      controller::enqueue{due.key, std::min<std::uint64_t>(250 * now.rounds, 5'000)}};
  auto content = decode(space);  // whole: the controller's role has no patch of namespaces/status
  if (!set_conditions(content, now.left, time_text(due.now_ms))) return out;
  auto order = replace("/api/v1/namespaces/" + std::string(space.name) + "/status", to_json(content.root()), 0);
  order.tolerated = {reason::not_found};
  out.emplace_back(std::move(order));
  return out;
}

std::vector<controller::effect> namespace_core::finalize(const object& space) {
  auto body = decode(space);
  core_v1::namespace_view changed(body);
  changed.mutable_spec().mutable_finalizers().remove("kubernetes");
  auto order =
      replace("/api/v1/namespaces/" + std::string(space.name) + "/finalize", to_json(body.root()), 0, tag_finalize);
  order.tolerated = {reason::not_found};
  return {std::move(order)};
}

std::vector<controller::effect> namespace_core::written(const controller::write_done& done, const controller::caches&) {
  auto found = deleting_.find(done.key);
  if (done.tag < tag_look || found == deleting_.end()) return {};
  auto& now = found->second;
  auto resource = static_cast<std::uint16_t>(done.tag - tag_look);
  auto list = document::parse(done.body.view());
  auto* items = list ? list->root().find("items") : nullptr;
  if (done.error.ok() && list && (!items || items->empty()))
    now.left.erase(resource);
  else if (auto left = now.left.find(resource); done.error.ok() && left != now.left.end())
    left->second = read_left_over(done.body.view());
  // Pods that are still there are waited for before the rest goes.
  if (is_pods(resource) && now.left.count(resource)) now.next = stage::finalize;
  return {};
}

}  // namespace troupe::controllers
