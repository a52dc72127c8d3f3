// The one watch over all keys, and the watches of this process that it feeds.
#include <algorithm>
#include <utility>

#include "actors/store/etcd/core_detail.hpp"

namespace troupe::store::etcd {
namespace {

constexpr std::uint64_t opening_ms = 3'000;  // a member that does not open the watch within this time is passed over

void open(state& s, effects& out) {
  s.watch.opened = false;
  s.watch.due_ms = 0;
  s.watch.opened_ms = s.watch.moved_ms = s.now_ms;
  out.push_back(open_watch{++s.watch.serial, s.watch.endpoint, s.position + 1});
}

void open_elsewhere(state& s, effects& out) {
  s.watch.endpoint = (s.watch.endpoint + 1) % s.config.endpoints;
  open(s, out);
}

std::uint64_t bytes_of(const store::event& e) {
  return 64 + 2 * e.current.key.size() + e.current.value.size() + e.previous.value.size();
}

void remember(state& s, store::event e) {
  s.window_bytes += bytes_of(e);
  s.window.push_back(std::move(e));
  while (s.window.size() > s.config.window_events || s.window_bytes > s.config.window_bytes) {
    s.window_start = s.window.front().current.mod_revision;
    s.window_bytes -= bytes_of(s.window.front());
    s.window.pop_front();
  }
}

void refuse_start(const core::watch_requested& e, status why, std::uint64_t compacted, effects& out) {
  watch_started reply;
  reply.id = e.request.id;
  reply.compacted_revision = compacted;
  reply.error = std::move(why);
  out.push_back(core::send_watch_started{e.client, std::move(reply), 0});
}

/// The window's events of the watch; what it missed between its list and now.
watch_events missed_events(const state& s, const core::watcher& w) {
  watch_events out;
  out.id = w.id;
  out.revision = s.position;
  for (const auto& e : s.window)
    if (e.current.mod_revision >= w.start_revision && w.keys.contains(e.current.key)) out.events.push_back(e);
  return out;
}

void start_watch(state& s, core::watch_requested& e, effects& out) {
  const auto start = e.request.start_revision == 0 ? s.position + 1 : e.request.start_revision;
  if (start <= s.window_start) {
    return refuse_start(e, make_status(reason::gone, std::string(core::compacted_text)), s.window_start, out);
  }
  auto w = std::make_shared<core::watcher>();
  w->client = e.client;
  w->id = e.request.id;
  w->keys = core::key_range(e.request.key, e.request.range_end);
  w->start_revision = start;
  if (!s.watchers.add(w)) {
    return refuse_start(
        e, make_status(reason::already_exists, "etcdserver: mvcc: duplicate watch ID provided on the WatchStream"), 0,
        out);
  }
  auto missed = missed_events(s, *w);
  watch_started reply;
  reply.id = w->id;
  reply.revision = s.position;
  const auto newest = missed.events.empty() ? 0 : missed.events.back().current.mod_revision;
  out.push_back(core::send_watch_started{e.client, std::move(reply), newest});
  if (!missed.events.empty()) out.push_back(core::send_watch_events{e.client, std::move(missed)});
}

void deliver(state& s, const store::event& e, std::vector<core::watcher*>& touched) {
  s.watchers.covering(e.current.key, [&](core::watcher& w) {
    if (e.current.mod_revision < w.start_revision) return;
    if (w.batch.empty()) touched.push_back(&w);
    w.batch.push_back(e);
  });
}

}  // namespace

void begin_watching(state& s, std::uint64_t revision, effects& out) {
  s.started = true;
  s.position = revision;
  s.window_start = revision;
  s.watch.endpoint = s.current;
  open(s, out);
  for (auto& e : std::exchange(s.early, {})) start_watch(s, e, out);
  answer_reached(s, out);
}

void on_watch(state& s, core::watch_requested& e, effects& out) {
  if (!s.started) return s.early.push_back(std::move(e));
  start_watch(s, e, out);
}

void on_opened(state& s, const watch_opened& e) {
  if (e.serial != s.watch.serial) return;
  s.watch.opened = true;
  s.watch.moved_ms = s.now_ms;
  s.watch.failures = 0;
}

void on_events(state& s, events_came& e, effects& out) {
  if (e.serial != s.watch.serial || e.events.empty()) return;
  s.watch.moved_ms = s.now_ms;
  s.watch.stuck = 0;
  const auto known = s.position;
  std::vector<core::watcher*> touched;
  for (auto& one : e.events) {
    if (one.current.mod_revision <= known) continue;
    s.position = std::max(s.position, one.current.mod_revision);
    deliver(s, one, touched);
    remember(s, std::move(one));
  }
  core::advance_progress advance;
  advance.revision = s.position;
  for (const auto* w : touched) advance.changed.push_back({w->client, w->id, w->batch.back().current.mod_revision});
  out.push_back(std::move(advance));
  for (auto* w : touched) {
    watch_events batch;
    batch.id = w->id;
    batch.revision = s.position;
    batch.events = std::exchange(w->batch, {});
    out.push_back(core::send_watch_events{w->client, std::move(batch)});
  }
  answer_reached(s, out);
}

void on_ended(state& s, const watch_ended& e, effects& out) {
  if (e.serial != s.watch.serial) return;
  if (e.compacted_revision > s.position) {
    out.push_back(give_up{"etcd has compacted revision " + std::to_string(e.compacted_revision) +
                          ", events after revision " + std::to_string(s.position) + " are lost"});
    return;
  }
  if (s.watch.failures == s.config.endpoints)
    out.push_back(
        core::report{"store.etcd_watch_failed", "endpoint=" + std::to_string(s.watch.endpoint) + " " + e.message});
  s.watch.endpoint = (s.watch.endpoint + 1) % s.config.endpoints;
  // Every member once without a pause.
  if (++s.watch.failures < s.config.endpoints) return open(s, out);
  s.watch.due_ms = s.now_ms + pause_after(s, s.watch.failures);
}

void drive_watch(state& s, effects& out) {
  if (!s.started) return;
  if (s.watch.due_ms != 0) {
    if (s.watch.due_ms <= s.now_ms) open(s, out);
    return;
  }
  if (!s.watch.opened) {
    if (s.watch.opened_ms + opening_ms <= s.now_ms) open_elsewhere(s, out);
    return;
  }
  // A member that has lost the others is silent: the quorum read knows more than it tells. One that has much to tell
  // needs time for the first events, the more the oftener it is interrupted.
  const auto patience_ms = s.config.settle_ms << std::min(s.watch.stuck, 5u);
  const bool stuck = std::any_of(s.behind.begin(), s.behind.end(), [&](const waiter& w) {
    return std::max(w.since_ms, s.watch.moved_ms) + patience_ms <= s.now_ms;
  });
  if (!stuck) return;
  ++s.watch.stuck;
  open_elsewhere(s, out);
}

}  // namespace troupe::store::etcd
