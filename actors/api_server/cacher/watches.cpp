// Opening and closing of a cacher's watches.
#include <algorithm>

#include "actors/api_server/cacher/core.hpp"
#include "actors/api_server/registry/convert.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::api {

namespace {

status too_old(std::uint64_t wanted, std::uint64_t oldest) {
  return make_status(reason::expired,
                     "too old resource version: " + std::to_string(wanted) + " (" + std::to_string(oldest) + ")");
}

}  // namespace

deliveries cacher_core::open(watch_spec spec, std::uint64_t now_ms) {
  deliveries out;
  auto& batches = out[spec.recipient].batches;
  if (spec.start == cacher::watch_start::after_revision && spec.revision < oldest_) {
    batches.push_back(end_batch(spec.id, too_old(spec.revision, oldest_)));
    return out;
  }
  events_ptr first;
  if (spec.start == cacher::watch_start::current_state) first = initial_events(spec);
  if (spec.start == cacher::watch_start::after_revision) first = events_after(spec);
  if (first && !first->empty()) batches.push_back(make_batch(spec.id, std::move(first)));
  if (spec.mark_initial_end) {
    auto end = std::make_shared<std::vector<watch_event>>();
    end->push_back({event_type::bookmark, nullptr, std::max(revision_, spec.revision), true});
    batches.push_back(make_batch(spec.id, std::move(end)));
  }
  if (batches.empty()) out.clear();
  // Spread over a minute by id, so that watches opened together do not all get their bookmarks in the same instant.
  auto bookmark_at = now_ms + 50'000 + spec.id % 10'000;
  auto id = spec.id;
  auto& owner = join(spec);
  watches_[id] = {std::move(spec), &owner, bookmark_at, revision_};
  return out;
}

cacher_core::events_ptr cacher_core::initial_events(const watch_spec& spec) {
  auto events = std::make_shared<std::vector<watch_event>>();
  objects_.current().visit(spec.filter->namespace_name, [&](const object_ptr& o) {
    if (!spec.filter->matches(*o)) return true;
    bool converted = spec.filter->convert_to != schema::no_index;
    events->push_back({event_type::added, converted ? in_version(o, spec.filter->convert_to) : o, o->revision, false});
    return true;
  });
  return events;
}

cacher_core::events_ptr cacher_core::events_after(const watch_spec& spec) {
  auto events = std::make_shared<std::vector<watch_event>>();
  auto first = std::upper_bound(window_.begin(), window_.end(), spec.revision,
                                [](std::uint64_t revision, const change& c) { return revision < c.revision; });
  for (; first != window_.end(); ++first) {
    watch_event event;
    if (judge(*first, *spec.filter, event)) events->push_back(std::move(event));
  }
  return events;
}

cacher_core::group& cacher_core::join(const watch_spec& spec) {
  auto& slot = groups_[spec.filter->key];
  if (!slot) {
    slot = std::make_unique<group>();
    slot->filter = spec.filter;
    index(*slot, true);
  }
  slot->members.push_back(spec.id);
  return *slot;
}

void cacher_core::index(group& g, bool add) {
  const auto& filter = *g.filter;
  bool has_node = schema::resources()[resource_].plural == "pods";
  auto* node = has_node ? filter.fields.fixed("spec.nodeName") : nullptr;
  auto* name = filter.fields.fixed("metadata.name");
  std::vector<group*>* list = &unindexed_;
  group_index* in = nullptr;
  std::string key;
  if (node && !node->empty()) {
    in = &by_node_, key = *node;
  } else if (name && !name->empty()) {
    in = &by_name_, key = *name;
  } else if (!filter.namespace_name.empty()) {
    in = &by_namespace_, key = filter.namespace_name;
  }
  if (in) list = &(*in)[key];
  if (add) {
    list->push_back(&g);
    return;
  }
  std::erase(*list, &g);
  if (in && list->empty()) in->erase(key);
}

void cacher_core::leave(open_watch_state& w) {
  auto& g = *w.owner;
  std::erase(g.members, w.spec.id);
  if (!g.members.empty()) return;
  index(g, false);
  auto filter = g.filter;  // outlives the group: its key is the map's
  groups_.erase(filter->key);
}

void cacher_core::close(std::uint64_t watch_id) {
  auto found = watches_.find(watch_id);
  if (found == watches_.end()) return;
  leave(found->second);
  watches_.erase(found);
}

void cacher_core::forget(std::uint64_t recipient) {
  std::vector<std::uint64_t> ids;
  for (auto& [id, w] : watches_)
    if (w.spec.recipient == recipient) ids.push_back(id);
  for (auto id : ids) close(id);
}

deliveries cacher_core::close_all(const status& why) {
  deliveries out;
  for (auto& [id, w] : watches_) out[w.spec.recipient].batches.push_back(end_batch(id, why));
  watches_.clear();
  groups_.clear();
  unindexed_.clear();
  by_namespace_.clear();
  by_name_.clear();
  by_node_.clear();
  return out;
}

std::uint64_t cacher_core::recipient_of(std::uint64_t watch_id) const {
  auto found = watches_.find(watch_id);
  return found == watches_.end() ? 0 : found->second.spec.recipient;
}

bool cacher_core::has_recipient(std::uint64_t recipient) const {
  return std::any_of(watches_.begin(), watches_.end(),
                     [&](const auto& w) { return w.second.spec.recipient == recipient; });
}

}  // namespace troupe::api
