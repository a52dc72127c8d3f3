#include "actors/controller_manager/garbage_collector/core.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "actors/controller_manager/common/owner.hpp"
#include "actors/controller_manager/common/requests.hpp"
#include "messages/schema/schema.hpp"
#include "messages/text_search.hpp"

namespace troupe::controllers {

using controller::effect;

namespace {

std::string group_version(const schema::resource& one) {
  return one.group.empty() ? std::string(one.version) : std::string(one.group) + "/" + std::string(one.version);
}

// Objects that can have or be owners: everything that can be watched and deleted. Events come and go too fast to own or
// be owned.
bool collected(std::uint16_t index) {
  const auto& one = schema::resources()[index];
  constexpr auto needed = schema::verb_list | schema::verb_watch | schema::verb_delete;
  bool own = one.storage == index || one.storage == schema::no_index;
  return own && (one.verbs & needed) == needed && one.plural != "events";
}

// Most objects have neither owners nor finalizers; that is seen without decoding.
bool concerns(const object& one) {
  auto text = one.json.view();
  return has_text(text, "\"ownerReferences\":") || has_text(text, "\"finalizers\":");
}

}  // namespace

garbage_collector_core::garbage_collector_core() {
  for (std::uint16_t i = 0; i < schema::resources().size(); ++i)
    if (collected(i)) resources_.push_back(i);
}

std::vector<controller::source> garbage_collector_core::sources() const {
  std::vector<controller::source> out;
  for (auto index : resources_) {
    const auto& one = schema::resources()[index];
    out.push_back({collection_path(group_version(one), {}, one.plural), {}, {}});
  }
  return out;
}

garbage_collector_core::vertex garbage_collector_core::read(std::uint32_t source, const std::string& key,
                                                            const object& one) const {
  vertex out;
  out.source = static_cast<std::int32_t>(source);
  out.key = key;
  if (!concerns(one)) return out;
  auto content = decode(one);
  meta_v1::object_meta_view metadata(content, *content.root().find("metadata"));
  for (auto reference : metadata.owner_references())
    out.owners.push_back({std::string(reference.uid()), std::string(reference.api_version()),
                          std::string(reference.kind()), std::string(reference.name()),
                          reference.block_owner_deletion()});
  out.deleting = metadata.has_deletion_timestamp();
  for (auto finalizer : metadata.finalizers()) {
    out.foreground = out.foreground || finalizer == "foregroundDeletion";
    out.orphans = out.orphans || finalizer == "orphan";
  }
  return out;
}

void garbage_collector_core::unlink_owners(const std::string& uid) {
  auto found = graph_.find(uid);
  if (found == graph_.end()) return;
  for (const auto& by : found->second.owners)
    if (auto owner = graph_.find(by.uid); owner != graph_.end()) owner->second.dependents.erase(uid);
}

void garbage_collector_core::drop_if_unused(const std::string& uid) {
  auto found = graph_.find(uid);
  if (found != graph_.end() && found->second.source < 0 && found->second.dependents.empty()) graph_.erase(found);
}

void garbage_collector_core::link(const std::string& uid, vertex next) {
  unlink_owners(uid);
  auto old = std::move(graph_[uid].owners);
  next.dependents = std::move(graph_[uid].dependents);
  for (const auto& by : next.owners) graph_[by.uid].dependents.insert(uid);
  graph_[uid] = std::move(next);
  for (const auto& by : old) drop_if_unused(by.uid);
}

std::vector<effect> garbage_collector_core::observe(const controller::object_changed& change,
                                                    const controller::caches&) {
  std::vector<effect> out;
  const auto& one = change.now ? change.now : change.before;
  if (!one) return out;
  auto uid = std::string(one->uid);
  auto wake_owners = [&](const std::vector<owner_link>& owners) {
    for (const auto& by : owners)
      if (auto owner = graph_.find(by.uid); owner != graph_.end() && owner->second.deleting)
        out.emplace_back(controller::enqueue{by.uid, 0});
  };
  if (!change.now) {
    auto found = graph_.find(uid);
    if (found == graph_.end()) return out;
    wake_owners(found->second.owners);
    unlink_owners(uid);
    auto old = std::move(found->second.owners);
    // It stays in the graph as an absent owner for as long as somebody names it.
    auto dependents = std::move(found->second.dependents);
    found->second = {};
    found->second.known_absent = true;
    found->second.dependents = std::move(dependents);
    for (const auto& dependent : found->second.dependents) out.emplace_back(controller::enqueue{dependent, 0});
    drop_if_unused(uid);
    for (const auto& by : old) drop_if_unused(by.uid);
    return out;
  }
  auto next = read(change.source, change.key, *change.now);
  // Owners that wait may wait for a reference that is no more, or blocks no more.
  auto known = graph_.find(uid);
  bool had_owners = known != graph_.end() && !known->second.owners.empty();
  if (had_owners) wake_owners(known->second.owners);
  link(uid, std::move(next));
  const auto& now = graph_[uid];
  if (!now.owners.empty() || had_owners || (now.deleting && (now.foreground || now.orphans)))
    out.emplace_back(controller::enqueue{uid, 0});
  if (now.deleting) wake_owners(now.owners);
  return out;
}

std::string garbage_collector_core::path_of(const vertex& one) const {
  const auto& resource = schema::resources()[resources_[static_cast<std::size_t>(one.source)]];
  auto slash = one.key.find('/');
  auto space = slash == std::string::npos ? std::string() : one.key.substr(0, slash);
  auto name = slash == std::string::npos ? one.key : one.key.substr(slash + 1);
  return collection_path(group_version(resource), space, resource.plural) + "/" + name;
}

std::vector<effect> garbage_collector_core::reconcile(const controller::key_due& due, const controller::caches& view) {
  auto found = graph_.find(due.key);
  if (found == graph_.end() || found->second.source < 0) return {};
  view_ = &view;
  const auto& one = found->second;
  std::vector<effect> out;
  if (one.deleting && one.orphans)
    out = finish_orphaning(due.key, one);
  else if (one.deleting && one.foreground)
    out = finish_foreground(due.key, one);
  else if (!one.deleting && !one.owners.empty())
    out = judge_dependent(due.key, one);
  view_ = nullptr;
  return out;
}

effect garbage_collector_core::drop_finalizer(const std::string& uid, const vertex& one, std::string_view finalizer,
                                              const controller::caches& view) {
  auto object = view.find(static_cast<std::size_t>(one.source), one.key);
  document body;
  body.make_object(body.root());
  auto& metadata = body.set(body.root(), "metadata");
  body.make_object(metadata);
  body.set(metadata, "uid", uid);
  if (object) body.set(metadata, "resourceVersion", std::to_string(object->revision));
  auto& left = body.set(metadata, "finalizers");
  body.make_array(left);
  if (object) {
    auto content = decode(*object);
    for (auto other : meta_v1::object_meta_view(content, *content.root().find("metadata")).finalizers())
      if (other != finalizer) body.assign(body.append(left), other);
  }
  auto order = merge_patch(path_of(one), to_json(body.root()), one.source);
  order.tolerated = {reason::not_found};
  return order;
}

// The owner goes when no dependent blocks it any more; dependents are deleted first.
std::vector<effect> garbage_collector_core::finish_foreground(const std::string& uid, const vertex& owner) {
  std::vector<effect> out;
  bool blocked = false;
  for (const auto& id : owner.dependents) {
    const auto& dependent = graph_.at(id);
    for (const auto& by : dependent.owners) blocked = blocked || (by.uid == uid && by.blocks);
    if (!dependent.deleting) out.emplace_back(controller::enqueue{id, 0});
  }
  if (!blocked) out.emplace_back(drop_finalizer(uid, owner, "foregroundDeletion", *view_));
  return out;
}

std::vector<effect> garbage_collector_core::finish_orphaning(const std::string& uid, const vertex& owner) {
  std::vector<effect> out;
  for (const auto& id : owner.dependents) {
    const auto& dependent = graph_.at(id);
    if (dependent.source < 0) continue;
    auto body =
        fmt::format(R"({{"metadata":{{"uid":"{}","ownerReferences":[{{"$patch":"delete","uid":"{}"}}]}}}})", id, uid);
    auto order = merge_patch(path_of(dependent), body, dependent.source);
    order.request.content_type = "application/strategic-merge-patch+json";
    order.tolerated = {reason::not_found};
    out.emplace_back(std::move(order));
  }
  if (out.empty()) out.emplace_back(drop_finalizer(uid, owner, "orphan", *view_));
  return out;
}

effect garbage_collector_core::patch_owners(const std::string& uid, const vertex& one,
                                            const std::vector<std::string>& entries) const {
  std::string list;
  for (const auto& entry : entries) list += (list.empty() ? "" : ",") + entry;
  auto order = merge_patch(
      path_of(one), fmt::format(R"({{"metadata":{{"uid":"{}","ownerReferences":[{}]}}}})", uid, list), one.source);
  order.request.content_type = "application/strategic-merge-patch+json";
  order.tolerated = {reason::not_found};
  return order;
}

// Owners in foreground deletion that wait for each other in a circle would wait for ever: this one's references stop
// blocking when a dependent of its own waits too (upstream's unblockOwnerReferences).
void garbage_collector_core::open_circle(const std::string& uid, const vertex& one, std::vector<effect>& out) const {
  bool circle = std::any_of(one.dependents.begin(), one.dependents.end(), [&](const std::string& id) {
    const auto& dependent = graph_.at(id);
    return dependent.deleting && dependent.foreground;
  });
  std::vector<std::string> entries;
  for (const auto& by : one.owners)
    if (circle && by.blocks) entries.push_back(fmt::format(R"({{"uid":"{}","blockOwnerDeletion":false}})", by.uid));
  if (!entries.empty()) out.emplace_back(patch_owners(uid, one, entries));
}

// A dependent is deleted when none of its owners exists, or when the last one waits for it (foreground). With another
// owner it stays, and forgets those that are gone or wait for it.
std::vector<effect> garbage_collector_core::judge_dependent(const std::string& uid, const vertex& one) {
  std::vector<effect> out;
  bool solid = false, waiting = false, unsure = false;
  std::vector<std::string> lost;
  for (const auto& by : one.owners) {
    auto& owner = graph_[by.uid];
    bool waits = owner.source >= 0 && owner.deleting && owner.foreground;
    bool absent = owner.source < 0 && owner.known_absent;
    if (waits || absent) lost.push_back(fmt::format(R"({{"$patch":"delete","uid":"{}"}})", by.uid));
    if (waits)
      waiting = true;
    else if (owner.source >= 0)
      solid = true;
    else if (!absent) {
      // Not seen yet, or never there: the api_server knows.
      unsure = true;
      auto slash = by.api_version.find('/');
      auto index =
          schema::find_kind(slash == std::string::npos ? "" : by.api_version.substr(0, slash),
                            slash == std::string::npos ? by.api_version : by.api_version.substr(slash + 1), by.kind);
      if (index == schema::no_index) {
        solid = true;  // a kind we do not know: never delete on a guess
        continue;
      }
      const auto& resource = schema::resources()[index];
      auto space = one.key.substr(0, one.key.find('/'));
      controller::write look;
      look.request.verb = api::method::get;
      look.request.target =
          collection_path(by.api_version, resource.namespaced ? space : "", resource.plural) + "/" + by.name;
      look.request.accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
      look.tolerated = {reason::not_found};
      asked_.push_back(by.uid);
      look.tag = asked_.size();
      out.emplace_back(std::move(look));
    }
  }
  if (solid && !lost.empty()) return {patch_owners(uid, one, lost)};
  if (unsure || solid) return out;
  if (waiting) open_circle(uid, one, out);
  auto order = erase(path_of(one), uid, one.source);
  order.request.body = shared_bytes(fmt::format(
      R"({{"kind":"DeleteOptions","apiVersion":"v1","preconditions":{{"uid":"{}"}},"propagationPolicy":"{}"}})", uid,
      waiting && !one.dependents.empty() ? "Foreground" : "Background"));
  out.emplace_back(std::move(order));
  return out;
}

std::vector<effect> garbage_collector_core::written(const controller::write_done& done, const controller::caches&) {
  if (done.tag == 0 || done.tag > asked_.size()) return {};
  auto uid = asked_[done.tag - 1];
  auto found = graph_.find(uid);
  if (found == graph_.end() || found->second.source >= 0) return {};
  auto content = document::parse(done.body.view());
  auto* there = content ? content->root().find("metadata", "uid") : nullptr;
  bool absent = done.error.why == reason::not_found || (done.error.ok() && there && there->string() != uid);
  if (!absent) return {controller::enqueue{done.key, done.error.ok() ? 1'000u : 0u}};
  found->second.known_absent = true;
  return {controller::enqueue{done.key, 0}};
}

}  // namespace troupe::controllers
