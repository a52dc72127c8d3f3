// Reads: ranges at a revision and the values of failed compares, in slices, loading what is not in memory.
#include <utility>

#include "actors/store/core_detail.hpp"

namespace troupe::store::core {
namespace {

/// Adds one key's state as of the job's revision to the reply.
void visit_key(job& j, const std::string& key, const version& v) {
  ++j.reply.count;
  if (j.request.count_only) return;
  if (j.request.limit != 0 && j.reply.kvs.size() >= j.request.limit) return;
  if (j.request.keys_only) {
    j.reply.kvs.push_back(to_key_value(key, v));
    j.reply.kvs.back().value = {};
    return;
  }
  if (!v.value.pointer()) {
    j.missing.push_back({v.at, v.mod});
    j.holes.push_back(static_cast<std::uint32_t>(j.reply.kvs.size()));
  }
  j.reply.kvs.push_back(to_key_value(key, v));
}

void scan_slice(state& s, job& j) {
  auto at = s.index.lower_bound(j.cursor);
  for (std::uint32_t seen = 0; at != s.index.end() && j.keys.contains(at->first); ++at) {
    if (seen++ == s.config.slice_keys || j.missing.size() >= s.config.slice_values) {
      j.cursor = at->first;
      return;
    }
    if (const auto* v = at->second.at(j.revision)) visit_key(j, at->first, *v);
  }
  j.scanned = true;
}

void send_range(state& s, job& j, effects& out) {
  // Whoever lists and then watches goes on behind this revision: of a range that took several slices it is the one that
  // its data are of, not that of the writes that came meanwhile.
  j.reply.revision = j.request.revision == 0 && j.revision != 0 ? j.revision : s.durable_revision;
  j.reply.more = j.request.limit != 0 && j.reply.count > j.request.limit;
  out.push_back(send_range_reply{j.client, std::move(j.reply)});
}

/// Done, or one slice further. True when the job is done.
bool advance_range(state& s, std::uint64_t id, job& j, effects& out) {
  if (!j.scanned) scan_slice(s, j);
  if (!j.missing.empty()) {
    out.push_back(load_values{id, std::exchange(j.missing, {})});
    return false;
  }
  if (j.scanned) send_range(s, j, out);
  return j.scanned;
}

template <class Entries>
void fill(Entries& entries, job& j, std::vector<shared_bytes>& values) {
  for (std::size_t i = 0; i < j.holes.size() && i < values.size(); ++i) {
    entries[j.holes[i]].value = std::move(values[i]);
  }
  j.holes.clear();
}

bool finish_range_slice(state& s, job& j, values_loaded& e, effects& out) {
  if (!e.error.ok()) {
    j.reply.kvs.clear();
    j.reply.error = std::move(e.error);
    j.scanned = true;
  }
  fill(j.reply.kvs, j, e.values);
  if (j.scanned) send_range(s, j, out);
  return j.scanned;
}

bool finish_found(job& j, values_loaded& e, effects& out) {
  if (!e.error.ok()) {
    j.txn.found.clear();
    j.txn.error = std::move(e.error);
  }
  fill(j.txn.found, j, e.values);
  out.push_back(send_txn_reply{j.client, std::move(j.txn)});
  return true;
}

status check(const state& s, const range& request) {
  if (request.key.empty()) return bad_request(std::string(no_key_text));
  if (request.revision > s.durable_revision) return bad_request(std::string(future_text));
  if (request.revision != 0 && request.revision < s.compacted_revision) {
    return make_status(reason::gone, std::string(compacted_text));
  }
  return {};
}

}  // namespace

std::uint64_t add_job(state& s, job j) {
  s.jobs.emplace(++s.last_job, std::move(j));
  return s.last_job;
}

void run_job(state& s, std::uint64_t id, effects& out) {
  auto found = s.jobs.find(id);
  if (found == s.jobs.end()) return;
  job& j = found->second;
  bool done = false;
  if (j.kind == job_kind::range) done = advance_range(s, id, j, out);
  if (j.kind == job_kind::history) done = run_history(s, id, j, out);
  if (done) {
    s.jobs.erase(found);
  } else {
    want_slice(s, out);
  }
}

void on_range(state& s, range_requested& e, effects& out) {
  job j;
  j.kind = job_kind::range;
  j.client = e.client;
  j.reply.id = e.request.id;
  if (auto wrong = check(s, e.request); !wrong.ok()) {
    j.reply.error = std::move(wrong);
    return send_range(s, j, out);
  }
  j.revision = j.pin = e.request.revision == 0 ? s.durable_revision : e.request.revision;
  j.keys = key_range(e.request.key, e.request.range_end);
  j.cursor = e.request.key;
  j.request = std::move(e.request);
  run_job(s, add_job(s, std::move(j)), out);
}

void on_values(state& s, values_loaded& e, effects& out) {
  auto found = s.jobs.find(e.job);
  if (found == s.jobs.end()) return;
  job& j = found->second;
  bool done = false;
  switch (j.kind) {
    case job_kind::range:
      done = finish_range_slice(s, j, e, out);
      break;
    case job_kind::found:
      done = finish_found(j, e, out);
      break;
    case job_kind::history:
      for (std::size_t i = 0; i < j.holes.size() && i < e.values.size(); ++i) {
        auto& hole = j.slice.events[j.holes[i] / 2];
        (j.holes[i] % 2 == 0 ? hole.current : hole.previous).value = std::move(e.values[i]);
      }
      j.holes.clear();
      done = finish_history_slice(s, j, e.error, out);
      break;
  }
  if (done) s.jobs.erase(found);
}

void send_found(state& s, parked_reply p, effects& out) {
  if (p.missing.empty()) {
    out.push_back(send_txn_reply{p.client, std::move(p.reply)});
    return;
  }
  job j;
  j.kind = job_kind::found;
  j.client = p.client;
  j.pin = s.compacted_revision;  // its values are read at once: nothing to hold back
  j.txn = std::move(p.reply);
  j.holes = std::move(p.holes);
  const auto id = add_job(s, std::move(j));
  out.push_back(load_values{id, std::move(p.missing)});
}

}  // namespace troupe::store::core
