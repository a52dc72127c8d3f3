// Rebuilding the state from the records of the log, in the order in which they stand there.
#include <algorithm>
#include <utility>

#include "actors/store/core_detail.hpp"

namespace troupe::store::core {
namespace {

/// A copy that cleaning made replaces the original; everything else is new, though not always in order of revision.
void recover_version(state& s, record& found, location at) {
  s.assigned_revision = std::max(s.assigned_revision, found.revision);
  auto key = s.index.at_or_new(std::move(found.key));
  auto& versions = key->second.versions;
  version v;
  v.mod = found.revision;
  v.sub = found.sub;
  v.create = found.create_revision;
  v.number = found.kind == record_kind::erase ? 0 : found.version;
  v.lease = found.lease;
  v.at = at;
  auto place = std::lower_bound(versions.begin(), versions.end(), v.mod,
                                [](const version& a, std::uint64_t mod) { return a.mod < mod; });
  if (place != versions.end() && place->mod == v.mod) {
    *place = std::move(v);
  } else {
    versions.insert(place, std::move(v));
  }
}

}  // namespace

void recover(state& s, record found, location at) {
  switch (found.kind) {
    case record_kind::put:
    case record_kind::erase:
      recover_version(s, found, at);
      break;
    case record_kind::lease_granted:
      s.leases.start(found.lease, found.ttl, 0);
      break;
    case record_kind::lease_ended:
      s.leases.remove(found.lease);
      break;
    case record_kind::compacted:
      s.compacted_revision = std::max(s.compacted_revision, found.revision);
      break;
    case record_kind::dropped:
      s.assigned_revision = std::max(s.assigned_revision, found.create_revision);
      break;
  }
}

void finish_recovery(state& s, disk_usage disk, std::uint64_t now_ms) {
  s.disk = disk;
  s.now_ms = now_ms;
  s.durable_revision = s.assigned_revision;
  s.compacting_revision = s.compacted_revision;
  s.leases.renew_all(now_ms);
  for (auto at = s.index.begin(); at != s.index.end();) {
    for (const auto& v : at->second.versions) s.live_bytes += v.at.size;
    if (const auto* now = at->second.current()) s.leases.attach(now->lease, at->first);
    at = s.index.prune(at, s.compacted_revision, [&](const location& dropped) { s.live_bytes -= dropped.size; });
  }
}

}  // namespace troupe::store::core
