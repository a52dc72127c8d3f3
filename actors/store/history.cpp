// Watches: from now on, or first everything since a revision, read back in slices while live events wait.
#include <algorithm>
#include <utility>

#include "actors/store/core_detail.hpp"

namespace troupe::store::core {
namespace {

void refuse(const state& s, const watch_requested& e, status why, effects& out) {
  watch_started reply;
  reply.id = e.request.id;
  reply.revision = s.durable_revision;
  reply.compacted_revision = s.compacted_revision;
  reply.error = std::move(why);
  out.push_back(send_watch_started{e.client, std::move(reply), 0});
}

status check(state& s, const watch_requested& e) {
  if (e.request.key.empty()) return bad_request(std::string(no_key_text));
  if (e.request.start_revision != 0 && e.request.start_revision <= s.compacted_revision) {
    return make_status(reason::gone, std::string(compacted_text));
  }
  if (s.watchers.find(e.client, e.request.id)) return bad_request("etcdserver: watch ID already exists");
  return {};
}

void start(const state& s, const watcher& w, std::uint64_t range_revision, effects& out) {
  watch_started reply;
  reply.id = w.id;
  reply.revision = s.durable_revision;
  reply.compacted_revision = s.compacted_revision;
  out.push_back(send_watch_started{w.client, std::move(reply), range_revision});
}

/// Notes which versions the watch has to be told of.
void scan_slice(state& s, job& j, std::uint64_t from) {
  auto at = s.index.lower_bound(j.cursor);
  for (std::uint32_t seen = 0; at != s.index.end() && j.keys.contains(at->first); ++at) {
    if (seen++ == s.config.slice_keys) {
      j.cursor = at->first;
      return;
    }
    for (const auto& v : at->second.versions) {
      if (v.mod > j.revision) break;
      j.range_revision = std::max(j.range_revision, v.mod);
      if (v.mod >= from) j.past.push_back({v.mod, v.sub, at});
    }
  }
  j.scanned = true;
  std::sort(j.past.begin(), j.past.end(),
            [](const past_change& a, const past_change& b) { return a.mod != b.mod ? a.mod < b.mod : a.sub < b.sub; });
}

/// Adds one past event; notes its values that are not in memory.
void add_event(job& j, const past_change& p) {
  const auto* v = p.key->second.exactly(p.mod);
  const auto* before = v == p.key->second.versions.data() ? nullptr : v - 1;
  const auto place = static_cast<std::uint32_t>(j.slice.events.size());
  j.slice.events.push_back(make_event(p.key->first, *v, before));
  if (!v->deleted() && !v->value.pointer()) {
    j.missing.push_back({v->at, v->mod});
    j.holes.push_back(place * 2);
  }
  if (before != nullptr && !before->deleted() && !before->value.pointer()) {
    j.missing.push_back({before->at, before->mod});
    j.holes.push_back(place * 2 + 1);
  }
}

/// Puts the next events together, whole transactions only.
void build_slice(const state& s, job& j, std::uint64_t watch_id) {
  j.slice = {};
  j.slice.id = watch_id;
  while (j.sent < j.past.size()) {
    const auto& next = j.past[j.sent];
    const bool same_transaction = j.sent > 0 && j.past[j.sent - 1].mod == next.mod;
    if (j.slice.events.size() >= s.config.slice_values / 2 && !same_transaction) return;
    add_event(j, next);
    j.slice.revision = next.mod;
    ++j.sent;
  }
}

/// History is sent: what came meanwhile follows, and the watch is live. Sent even when it is empty, for it tells how
/// far the watch has come.
void go_live(const state& s, watcher& w, effects& out) {
  w.reading_history = false;
  watch_events rest;
  rest.id = w.id;
  rest.revision = s.durable_revision;
  rest.events = std::exchange(w.waiting, {});
  out.push_back(send_watch_events{w.client, std::move(rest)});
}

}  // namespace

store::event make_event(const std::string& key, const version& v, const version* previous) {
  store::event out;
  out.kind = v.deleted() ? op_kind::erase : op_kind::put;
  if (v.deleted()) {
    out.current.key = key;
    out.current.mod_revision = v.mod;
  } else {
    out.current = to_key_value(key, v);
  }
  if (previous != nullptr && !previous->deleted()) out.previous = to_key_value(key, *previous);
  return out;
}

void on_watch(state& s, watch_requested& e, effects& out) {
  if (auto wrong = check(s, e); !wrong.ok()) return refuse(s, e, std::move(wrong), out);
  auto w = std::make_shared<watcher>();
  w->client = e.client;
  w->id = e.request.id;
  w->keys = key_range(e.request.key, e.request.range_end);
  w->range_revision = s.durable_revision;
  w->start_revision = e.request.start_revision == 0 ? s.durable_revision + 1 : e.request.start_revision;
  w->reading_history = w->start_revision <= s.durable_revision;
  s.watchers.add(w);
  if (!w->reading_history) return start(s, *w, s.durable_revision, out);
  job j;
  j.kind = job_kind::history;
  j.client = e.client;
  j.watch_id = e.request.id;
  j.pin = w->start_revision;
  j.revision = s.durable_revision;
  j.keys = w->keys;
  j.cursor = w->keys.begin;
  j.watcher = w;
  run_job(s, add_job(s, std::move(j)), out);
}

bool run_history(state& s, std::uint64_t id, job& j, effects& out) {
  auto w = j.watcher.lock();
  if (!w) return true;  // cancelled
  if (!j.scanned) {
    scan_slice(s, j, w->start_revision);
    if (!j.scanned) return false;
    const bool changed_since = !w->waiting.empty();
    if (!changed_since) w->range_revision = j.range_revision;
    start(s, *w, w->range_revision, out);
  }
  build_slice(s, j, w->id);
  if (!j.missing.empty()) {
    out.push_back(load_values{id, std::exchange(j.missing, {})});
    return false;
  }
  return finish_history_slice(s, j, {}, out);
}

bool finish_history_slice(state& s, job& j, const status& error, effects& out) {
  auto w = j.watcher.lock();
  if (!w) return true;
  if (!error.ok()) {
    watch_started reply;
    reply.id = w->id;
    reply.revision = s.durable_revision;
    reply.error = error;
    out.push_back(send_watch_started{w->client, std::move(reply), 0});
    s.watchers.remove(w->client, w->id);
    return true;
  }
  if (!j.slice.events.empty()) out.push_back(send_watch_events{w->client, std::move(j.slice)});
  j.slice = {};
  if (j.sent < j.past.size()) return false;
  go_live(s, *w, out);
  return true;
}

}  // namespace troupe::store::core
