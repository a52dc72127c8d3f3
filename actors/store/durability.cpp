// What happens when queued appends have become durable, or have failed.
#include <algorithm>
#include <utility>

#include "actors/store/core_detail.hpp"

namespace troupe::store::core {
namespace {

/// A batch while it is settled.
struct settling {
  const batch_durable& batch;
  std::size_t record = 0;
  std::size_t prior = 0;
  effects replies;
  std::vector<watcher*> touched;
};

/// The value that a change replaced: kept since planning, or read by the commit.
shared_bytes replaced_value(const change& c, settling& b) {
  while (b.prior < b.batch.priors.size() && b.batch.priors[b.prior].record < b.record) ++b.prior;
  if (c.previous.pointer()) return c.previous;
  const bool loaded = b.prior < b.batch.priors.size() && b.batch.priors[b.prior].record == b.record;
  return loaded ? b.batch.priors[b.prior].value : shared_bytes();
}

void tell_watchers(state& s, const change& c, const version& v, settling& b) {
  const auto& versions = c.key->second.versions;
  const version* before = &v == versions.data() ? nullptr : &v - 1;
  s.watchers.covering(c.key->first, [&](watcher& w) {
    if (v.mod < w.start_revision) return;
    if (w.batch.empty()) b.touched.push_back(&w);
    w.batch.push_back(make_event(c.key->first, v, before));
    if (!w.batch.back().previous.key.empty()) w.batch.back().previous.value = replaced_value(c, b);
  });
}

void settle_changes(state& s, const pending_append& p, settling& b) {
  for (const auto& c : p.changes) {
    auto* v = c.key->second.exactly(p.revision);
    v->at = b.batch.locations[b.record];
    s.live_bytes += v->at.size;
    tell_watchers(s, c, *v, b);
    s.cache.add(s.index, c.key, *v);
    ++b.record;
  }
  if (!p.changes.empty()) s.durable_revision = p.revision;
}

void acknowledge(const state& s, const pending_append& p, settling& b) {
  if (p.client == 0) return;
  ack reply;
  reply.id = p.id;
  reply.revision = s.durable_revision;
  reply.lease_id = p.lease;
  reply.ttl_seconds = p.ttl;
  b.replies.push_back(send_ack{p.client, std::move(reply)});
}

void settle(state& s, const pending_append& p, settling& b) {
  const std::size_t first = b.record;
  switch (p.kind) {
    case pending_kind::changes: {
      settle_changes(s, p, b);
      txn_reply reply;
      reply.id = p.id;
      reply.succeeded = true;
      reply.revision = p.revision;
      b.replies.push_back(send_txn_reply{p.client, std::move(reply)});
      break;
    }
    case pending_kind::lease_grant:
      s.leases.start(p.lease, p.ttl, s.now_ms);
      acknowledge(s, p, b);
      break;
    case pending_kind::lease_end:
      settle_changes(s, p, b);
      s.leases.remove(p.lease);
      acknowledge(s, p, b);
      break;
    case pending_kind::compaction:
      s.compacted_revision = std::max(s.compacted_revision, p.revision);
      s.pruning = pruning{s.compacted_revision, {}};
      acknowledge(s, p, b);
      want_slice(s, b.replies);
      break;
    case pending_kind::moves:
      on_moved(s, p, b.batch.locations.data() + first, b.replies);
      break;
    case pending_kind::drop:
      on_drop_durable(s, p, b.replies);
      break;
  }
  b.record = first + p.records;
}

void publish_progress(const state& s, settling& b, effects& out) {
  advance_progress progress;
  progress.revision = s.durable_revision;
  for (auto* w : b.touched) {
    w->range_revision = w->batch.back().current.mod_revision;
    progress.changed.push_back({w->client, w->id, w->range_revision});
  }
  out.push_back(std::move(progress));
}

/// One message per watcher; those still reading history keep theirs for later.
void send_events(const state& s, settling& b, effects& out) {
  for (auto* w : b.touched) {
    if (w->reading_history) {
      std::move(w->batch.begin(), w->batch.end(), std::back_inserter(w->waiting));
      w->batch.clear();
      continue;
    }
    watch_events message;
    message.id = w->id;
    message.revision = s.durable_revision;
    message.events = std::move(w->batch);
    w->batch = {};
    out.push_back(send_watch_events{w->client, std::move(message)});
  }
}

void send_parked(state& s, effects& out) {
  while (!s.parked.empty() && s.parked.front().revision <= s.durable_revision) {
    parked_reply p = std::move(s.parked.front());
    s.parked.pop_front();
    send_found(s, std::move(p), out);
  }
}

/// Takes an append that is not durable back out of the state.
void roll_back(state& s, const pending_append& p) {
  if (p.kind == pending_kind::changes || p.kind == pending_kind::lease_end) {
    for (auto c = p.changes.rbegin(); c != p.changes.rend(); ++c) {
      auto& versions = c->key->second.versions;
      s.leases.detach(versions.back().lease, c->key->first);
      versions.pop_back();
      if (const auto* now = c->key->second.current()) s.leases.attach(now->lease, c->key->first);
      s.index.erase_if_empty(c->key);
    }
  }
  auto* l = p.lease == 0 ? nullptr : s.leases.find(p.lease);
  if (p.kind == pending_kind::lease_end && l != nullptr) l->phase = lease_phase::live;
  if (p.kind == pending_kind::lease_grant && l != nullptr && l->phase == lease_phase::granting) {
    s.leases.remove(p.lease);
  }
  if (p.kind == pending_kind::compaction) s.compacting_revision = s.compacted_revision;
  if (p.kind == pending_kind::moves || p.kind == pending_kind::drop) s.cleaning.reset();
}

void send_failure(const pending_append& p, const status& error, effects& out) {
  if (p.client == 0) return;
  if (p.kind == pending_kind::changes) {
    txn_reply reply;
    reply.id = p.id;
    reply.error = error;
    out.push_back(send_txn_reply{p.client, std::move(reply)});
  } else {
    ack reply;
    reply.id = p.id;
    reply.error = error;
    out.push_back(send_ack{p.client, std::move(reply)});
  }
}

}  // namespace

void on_durable(state& s, batch_durable& e, effects& out) {
  settling b{e, 0, 0, {}, {}};
  s.disk = e.disk;
  for (std::uint64_t i = 0; i < e.appends; ++i) {
    pending_append p = std::move(s.pending.front());
    s.pending.pop_front();
    settle(s, p, b);
  }
  publish_progress(s, b, out);
  std::move(b.replies.begin(), b.replies.end(), std::back_inserter(out));
  send_events(s, b, out);
  send_parked(s, out);
  compact_by_length(s, out);
}

void on_commit_failed(state& s, commit_failed& e, effects& out) {
  // Whatever stood behind the failed commit was never written: its outcome is known.
  const status behind = store_error("store: not written, since an earlier commit failed: " + e.error.message);
  std::uint64_t place = 0;
  for (const auto& p : s.pending) send_failure(p, place++ < e.appends ? e.error : behind, out);
  for (auto& p : s.parked) {
    p.reply.error = e.unknown ? e.error : behind;
    p.reply.found.clear();
    p.reply.succeeded = false;
    out.push_back(send_txn_reply{p.client, std::move(p.reply)});
  }
  s.parked.clear();
  if (e.unknown) {
    s.failed = make_status(reason::service_unavailable, "store: refuses writes until restarted: " + e.error.message);
    s.cleaning.reset();
  } else {
    for (auto p = s.pending.rbegin(); p != s.pending.rend(); ++p) roll_back(s, *p);
    s.assigned_revision = s.durable_revision;
  }
  s.pending.clear();
  out.push_back(report{"store_commit_failed", e.error.message});
}

}  // namespace troupe::store::core
