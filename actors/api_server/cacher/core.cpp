// Changes, the event window and ticks of a cacher.
#include "actors/api_server/cacher/core.hpp"

#include <algorithm>

#include "actors/api_server/registry/convert.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::api {

namespace {

/// Splits "/registry/pods/NAMESPACE/NAME" into its last two parts, as the resource's scope demands.
std::pair<std::string_view, std::string_view> split_key(std::string_view key, bool namespaced) {
  auto slash = key.rfind('/');
  auto name = key.substr(slash + 1);
  if (!namespaced) return {{}, name};
  auto rest = key.substr(0, slash);
  return {rest.substr(rest.rfind('/') + 1), name};
}

}  // namespace

watch_batch make_batch(std::uint64_t id, std::shared_ptr<const std::vector<watch_event>> events) {
  watch_batch out;
  out.watch_id = id;
  out.events = std::move(events);
  return out;
}

watch_batch end_batch(std::uint64_t id, const status& why) {
  watch_batch out;
  out.watch_id = id;
  out.error = why;
  out.closed = true;
  return out;
}

cacher_core::cacher_core(std::uint16_t resource, window_limits limits) : resource_(resource), limits_(limits) {}

deliveries cacher_core::reset(const std::vector<object_ptr>& sorted, std::uint64_t revision) {
  auto out = close_all({});
  objects_.assign(sorted);
  window_.clear();
  window_bytes_ = 0;
  revision_ = oldest_ = revision;
  synced_ = true;
  return out;
}

bool cacher_core::read_change(const store::event& from, change& into) {
  bool namespaced = schema::resources()[resource_].namespaced;
  into.revision = from.current.mod_revision;
  into.stored_before = from.previous.value;
  into.created_before = from.previous.create_revision;
  if (from.kind == store::op_kind::erase) {
    auto [space, name] = split_key(from.current.key, namespaced);
    into.before = objects_.erase(space, name);
    return into.before != nullptr;
  }
  auto made =
      make_object(resource_, from.current.value.view(), from.current.mod_revision, from.current.create_revision);
  if (!made) {
    ++unreadable_;
    return false;
  }
  into.now = std::move(*made);
  into.bytes = into.now->json.size();
  into.before = objects_.put(into.now);
  return true;
}

deliveries cacher_core::apply(const store::watch_events& changes) {
  std::vector<group*> touched;
  for (const auto& event : changes.events) {
    change c;
    if (event.current.mod_revision <= revision_ || !read_change(event, c)) continue;
    distribute(c, touched);
    remember(std::move(c));
  }
  revision_ = std::max(revision_, changes.revision);
  deliveries out;
  for (auto* g : touched) {
    events_ptr events = std::move(g->pending);
    for (auto id : g->members) {
      auto& w = watches_.at(id);
      w.sent_revision = revision_;
      out[w.spec.recipient].batches.push_back(make_batch(id, events));
    }
  }
  return out;
}

const object_ptr& cacher_core::gone_state(change& c) const {
  if (!c.gone && c.before) {
    auto made = make_object(resource_, c.stored_before.view(), c.revision, c.before->created);
    c.gone = made ? std::move(*made) : c.before;
  }
  return c.gone;
}

bool cacher_core::judge(change& c, const watch_filter& filter, watch_event& out) const {
  bool now = c.now && filter.matches(*c.now);
  bool before = c.before && filter.matches(*c.before);
  if (!now && !before) return false;
  out.revision = c.revision;
  out.type = now ? (before ? event_type::modified : event_type::added) : event_type::deleted;
  out.object = now ? c.now : gone_state(c);
  if (filter.convert_to != schema::no_index) out.object = in_version(out.object, filter.convert_to);
  return true;
}

void cacher_core::remember(change c) {
  window_bytes_ += c.bytes;
  window_.push_back(std::move(c));
  while (window_.size() > limits_.events || (window_bytes_ > limits_.bytes && window_.size() > 64)) {
    oldest_ = window_.front().revision;
    window_bytes_ -= window_.front().bytes;
    window_.pop_front();
  }
}

void cacher_core::offer(group& to, change& c, std::vector<group*>& touched) {
  watch_event event;
  if (!judge(c, *to.filter, event)) return;
  if (!to.pending) {
    to.pending = std::make_shared<std::vector<watch_event>>();
    touched.push_back(&to);
  }
  if (!to.pending->empty() && to.pending->back().revision == event.revision &&
      to.pending->back().object == event.object)
    return;  // found by two indexes
  to.pending->push_back(std::move(event));
}

void cacher_core::offer_indexed(const group_index& index, std::string_view key, change& c,
                                std::vector<group*>& touched) {
  if (index.empty() || key.empty()) return;
  auto found = index.find(key);
  if (found == index.end()) return;
  for (auto* g : found->second) offer(*g, c, touched);
}

void cacher_core::distribute(change& c, std::vector<group*>& touched) {
  if (groups_.empty()) return;
  for (auto* g : unindexed_) offer(*g, c, touched);
  const object& any = c.now ? *c.now : *c.before;
  offer_indexed(by_name_, any.name, c, touched);
  offer_indexed(by_namespace_, any.namespace_name, c, touched);
  std::string_view now_node = c.now ? c.now->node_name : std::string_view();
  std::string_view old_node = c.before ? c.before->node_name : std::string_view();
  offer_indexed(by_node_, now_node, c, touched);
  if (old_node != now_node) offer_indexed(by_node_, old_node, c, touched);
}

deliveries cacher_core::tick(std::uint64_t now_ms, std::uint64_t progress) {
  deliveries out;
  std::vector<std::uint64_t> over;
  for (auto& [id, w] : watches_) {
    bool ends = now_ms >= w.spec.ends_at_ms;
    if (w.spec.bookmarks && (ends || now_ms >= w.bookmark_at_ms)) {
      auto events = std::make_shared<std::vector<watch_event>>();
      events->push_back({event_type::bookmark, nullptr, std::max(revision_, progress), false});
      out[w.spec.recipient].batches.push_back(make_batch(id, std::move(events)));
      w.bookmark_at_ms = now_ms + 60'000;
    }
    if (!ends) continue;
    out[w.spec.recipient].batches.push_back(end_batch(id, {}));
    over.push_back(id);
  }
  for (auto id : over) close(id);
  return out;
}

std::uint64_t cacher_core::next_tick() const {
  std::uint64_t next = 0;
  auto consider = [&](std::uint64_t at) { next = next == 0 ? at : std::min(next, at); };
  for (auto& [id, w] : watches_) {
    consider(w.spec.ends_at_ms);
    if (w.spec.bookmarks) consider(w.bookmark_at_ms);
  }
  return next;
}

}  // namespace troupe::api
