// Compaction: by request and by policy, then pruning of the index in slices.
#include <algorithm>
#include <utility>

#include "actors/store/core_detail.hpp"

namespace troupe::store::core {
namespace {

void refuse(const state& s, const compact_requested& e, status why, effects& out) {
  ack reply;
  reply.id = e.request.id;
  reply.revision = s.durable_revision;
  reply.error = std::move(why);
  out.push_back(send_ack{e.client, std::move(reply)});
}

/// True while a job reads, or cleaning moves, versions that pruning up to `revision` would drop.
bool pinned(const state& s, std::uint64_t revision) {
  if (s.cleaning && s.cleaning->in_flight > 0) return true;
  return std::any_of(s.jobs.begin(), s.jobs.end(), [&](const auto& j) {
    const bool history = j.second.kind == job_kind::history;
    return history ? j.second.pin <= revision : j.second.pin < revision;
  });
}

}  // namespace

void start_compaction(state& s, client_id client, std::uint64_t id, std::uint64_t revision, effects& out) {
  s.compacting_revision = revision;
  pending_append p;
  p.kind = pending_kind::compaction;
  p.client = client;
  p.id = id;
  p.revision = revision;
  record r;
  r.kind = record_kind::compacted;
  r.revision = revision;
  submit(s, std::move(p), {std::move(r)}, out);
}

void on_compact(state& s, compact_requested& e, effects& out) {
  if (s.failed) return refuse(s, e, *s.failed, out);
  if (e.request.revision <= s.compacting_revision) {
    return refuse(s, e, make_status(reason::gone, std::string(compacted_text)), out);
  }
  if (e.request.revision > s.durable_revision) return refuse(s, e, bad_request(std::string(future_text)), out);
  start_compaction(s, e.client, e.request.id, e.request.revision, out);
}

void compact_by_length(state& s, effects& out) {
  const auto most = s.config.retain_revisions;
  if (most == 0 || s.durable_revision <= s.compacting_revision + most + most / 4) return;
  start_compaction(s, 0, 0, s.durable_revision - most, out);
}

void compact_by_age(state& s, effects& out) {
  if (s.config.compact_interval_ms == 0) return;
  if (!s.mark) s.mark = revision_mark{s.now_ms, s.durable_revision};
  if (s.now_ms < s.mark->at_ms + s.config.compact_interval_ms) return;
  if (s.mark->revision > s.compacting_revision) start_compaction(s, 0, 0, s.mark->revision, out);
  s.mark = revision_mark{s.now_ms, s.durable_revision};
}

bool prune_slice(state& s) {
  if (!s.pruning || pinned(s, s.pruning->revision)) return false;
  auto at = s.index.lower_bound(s.pruning->cursor);
  for (std::uint32_t seen = 0; at != s.index.end(); ++seen) {
    if (seen == s.config.slice_keys) {
      s.pruning->cursor = at->first;
      return true;
    }
    at = s.index.prune(at, s.pruning->revision, [&](const location& dropped) { s.live_bytes -= dropped.size; });
  }
  s.pruning.reset();
  consider_cleaning(s);
  return s.cleaning.has_value();
}

}  // namespace troupe::store::core
