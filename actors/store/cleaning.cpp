// Cleaning: bounded disk use. When dead records outweigh live ones, what lives in the oldest segment moves to the end
// of the log and the segment is deleted.
//
// Only the oldest segment is ever deleted, and a key's versions move together with all newer ones. So the last copy of
// a deletion always stands behind every copy of what it deleted, and deleting the log's head never brings a key back.
#include <utility>

#include "actors/store/core_detail.hpp"

namespace troupe::store::core {
namespace {

/// Queues the key's versions from the first one in `segment` on. Returns how many.
std::uint32_t plan_moves(key_index::iterator key, std::uint32_t segment, pending_append& p,
                         std::vector<record>& records) {
  bool moving = false;
  std::uint32_t count = 0;
  for (const auto& v : key->second.versions) {
    moving = moving || v.at.segment == segment;
    if (!moving || !v.at.known()) continue;
    record r;
    r.source = {v.at, v.mod};
    records.push_back(std::move(r));
    p.changes.push_back({key, {}});
    p.mods.push_back(v.mod);
    ++count;
  }
  return count;
}

/// What the segment may hold besides versions is written again, then the segment may go.
void submit_drop(state& s, cleaning& c, effects& out) {
  c.dropping = true;
  std::vector<record> records;
  record compacted;
  compacted.kind = record_kind::compacted;
  compacted.revision = s.compacting_revision;
  records.push_back(std::move(compacted));
  for (const auto& [id, l] : s.leases.all()) {
    if (l.phase != lease_phase::live) continue;  // being granted: written already, behind; ending: must not come back
    record r;
    r.kind = record_kind::lease_granted;
    r.lease = id;
    r.ttl = l.ttl_seconds;
    records.push_back(std::move(r));
  }
  record dropped;
  dropped.kind = record_kind::dropped;
  dropped.revision = c.segment + 1;
  dropped.create_revision = s.assigned_revision;  // survives even when no key does
  records.push_back(std::move(dropped));
  pending_append p;
  p.kind = pending_kind::drop;
  p.revision = c.segment + 1;
  submit(s, std::move(p), std::move(records), out);
}

}  // namespace

void consider_cleaning(state& s) {
  if (s.cleaning || s.pruning || s.failed) return;
  if (s.disk.oldest_segment == 0 || s.disk.oldest_segment >= s.disk.active_segment) return;
  if (s.disk.oldest_segment == s.uncleanable) return;
  if (s.disk.bytes <= 2 * s.live_bytes + s.config.clean_slack_bytes) return;
  s.cleaning = cleaning{s.disk.oldest_segment, {}, false, false, 0};
}

bool clean_slice(state& s, effects& out) {
  if (!s.cleaning || s.cleaning->scanned || s.cleaning->in_flight > 0) return false;
  auto& c = *s.cleaning;
  pending_append p;
  p.kind = pending_kind::moves;
  std::vector<record> records;
  auto at = s.index.lower_bound(c.cursor);
  std::uint32_t seen = 0;
  for (; at != s.index.end(); ++at) {
    if (seen++ == s.config.slice_keys || records.size() >= s.config.slice_values) break;
    plan_moves(at, c.segment, p, records);
  }
  c.scanned = at == s.index.end();
  if (!c.scanned) c.cursor = at->first;
  if (!records.empty()) {
    c.in_flight = 1;
    submit(s, std::move(p), std::move(records), out);
  } else if (c.scanned) {
    submit_drop(s, c, out);
  }
  return !c.scanned;
}

void on_moved(state& s, const pending_append& p, const location* places, effects& out) {
  bool readable = true;
  for (std::size_t i = 0; i < p.changes.size(); ++i) {
    if (!places[i].known()) {
      readable = false;
      continue;
    }
    auto* v = p.changes[i].key->second.exactly(p.mods[i]);
    s.live_bytes += places[i].size - v->at.size;
    v->at = places[i];
  }
  if (!s.cleaning) return;
  auto& c = *s.cleaning;
  c.in_flight = 0;
  if (!readable) {
    s.uncleanable = c.segment;
    out.push_back(report{"store_segment_uncleanable",
                         "segment " + std::to_string(s.uncleanable) + " holds a corrupt record and is kept as it is"});
    s.cleaning.reset();
  } else if (c.scanned) {
    submit_drop(s, c, out);
  }
  if (s.pruning || (s.cleaning && !s.cleaning->scanned)) want_slice(s, out);
}

void on_drop_durable(state& s, const pending_append& p, effects& out) {
  out.push_back(drop_segments{static_cast<std::uint32_t>(p.revision)});
  s.cleaning.reset();
}

}  // namespace troupe::store::core
