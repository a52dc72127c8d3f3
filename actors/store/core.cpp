// The store's decisions: the dispatch, and the slices of long work.
#include "actors/store/core.hpp"

#include <stdexcept>

#include "actors/store/core_detail.hpp"

namespace troupe::store::core {
namespace {

void on_client_lost(state& s, const client_lost& e) { s.watchers.remove_client(e.client); }

/// Nobody else writes here, and the progress is ahead of every acknowledgement.
void on_sync(const state& s, const sync_requested& e, effects& out) {
  ack reply;
  reply.id = e.id;
  reply.revision = s.durable_revision;
  out.push_back(send_ack{e.client, std::move(reply)});
}

/// One slice of one job, in turn, and one of upkeep: neither may starve the other.
void on_slice(state& s, effects& out) {
  s.slice_scheduled = false;
  if (!s.jobs.empty()) {
    auto next = s.jobs.upper_bound(s.turn);
    if (next == s.jobs.end()) next = s.jobs.begin();
    s.turn = next->first;
    run_job(s, s.turn, out);
  }
  if (!prune_slice(s)) clean_slice(s, out);
  const bool moving = s.cleaning && s.cleaning->in_flight > 0;  // its end asks for the next slice
  const bool cleans = s.cleaning && !s.cleaning->scanned;
  if (!s.jobs.empty() || (!moving && (s.pruning || cleans))) want_slice(s, out);
}

void on_segments_dropped(state& s, const segments_dropped& e, effects& out) {
  s.disk = e.disk;
  consider_cleaning(s);
  if (s.cleaning) want_slice(s, out);
}

void on_tick(state& s, const clock_ticked& e, effects& out) {
  s.now_ms = e.now_ms;
  if (s.failed) return;
  end_expired_leases(s, out);
  compact_by_age(s, out);
}

struct dispatcher {
  state& s;
  effects& out;
  void operator()(txn_requested& e) { on_txn(s, e, out); }
  void operator()(range_requested& e) { on_range(s, e, out); }
  void operator()(watch_requested& e) { on_watch(s, e, out); }
  void operator()(watch_cancelled& e) { s.watchers.remove(e.client, e.id); }
  void operator()(compact_requested& e) { on_compact(s, e, out); }
  void operator()(lease_requested& e) { on_lease(s, e, out); }
  void operator()(sync_requested& e) { on_sync(s, e, out); }
  void operator()(client_lost& e) { on_client_lost(s, e); }
  void operator()(batch_durable& e) { on_durable(s, e, out); }
  void operator()(commit_failed& e) { on_commit_failed(s, e, out); }
  void operator()(values_loaded& e) { on_values(s, e, out); }
  void operator()(slice_due&) { on_slice(s, out); }
  void operator()(clock_ticked& e) { on_tick(s, e, out); }
  void operator()(segments_dropped& e) { on_segments_dropped(s, e, out); }
};

}  // namespace

effects step(state& s, event e) {
  effects out;
  std::visit(dispatcher{s, out}, e);
  return out;
}

void want_slice(state& s, effects& out) {
  if (s.slice_scheduled) return;
  s.slice_scheduled = true;
  out.push_back(schedule_slice{});
}

void check_invariants(state& s) {
  const auto demand = [](bool holds, const char* what) {
    if (!holds) throw std::logic_error(what);
  };
  demand(s.durable_revision <= s.assigned_revision, "store: durable revision beyond the assigned one");
  demand(s.compacted_revision <= s.durable_revision, "store: compacted beyond the durable revision");
  std::uint64_t live = 0;
  for (auto at = s.index.begin(); at != s.index.end(); ++at) {
    const auto& versions = at->second.versions;
    demand(!versions.empty() || at->second.cached > 0, "store: a key without versions stayed in the index");
    for (std::size_t i = 0; i < versions.size(); ++i) {
      const auto& v = versions[i];
      demand(i == 0 || versions[i - 1].mod < v.mod, "store: versions out of order");
      demand(v.mod <= s.assigned_revision, "store: a version beyond the assigned revision");
      demand((v.mod <= s.durable_revision) == v.at.known(), "store: durable and located must agree");
      demand(v.at.known() || v.deleted() || v.value.pointer(), "store: a pending value is lost");
      live += v.at.size;
    }
  }
  demand(live == s.live_bytes, "store: live bytes miscounted");
}

}  // namespace troupe::store::core
