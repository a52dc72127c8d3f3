// Transactions: compare, assign a revision, queue for durability.
#include <algorithm>
#include <set>
#include <utility>

#include "actors/store/core_detail.hpp"

namespace troupe::store::core {
namespace {

bool repeats_a_key(const std::vector<op>& ops) {
  if (ops.size() < 2) return false;
  std::set<std::string_view> seen;
  return !std::all_of(ops.begin(), ops.end(), [&](const op& o) { return seen.insert(o.key).second; });
}

/// What is wrong with the request, whatever the store holds; ok if nothing is.
status check(state& s, const txn& request) {
  if (s.failed) return *s.failed;
  std::uint64_t bytes = 0;
  for (const auto& o : request.ops) {
    if (o.key.empty()) return bad_request(std::string(no_key_text));
    if (o.kind == op_kind::put && o.lease != 0 && s.leases.attachable(o.lease) == nullptr) {
      return make_status(reason::not_found, std::string(lease_not_found_text));
    }
    bytes += o.key.size() + o.value.size();
  }
  if (bytes > s.config.max_txn_bytes) {
    return make_status(reason::request_entity_too_large, std::string(too_large_text));
  }
  if (repeats_a_key(request.ops)) return bad_request(std::string(duplicate_key_text));
  return {};
}

bool holds(state& s, const compare& c) {
  auto key = s.index.find(c.key);
  const version* now = key == s.index.end() ? nullptr : key->second.current();
  return (now == nullptr ? 0 : now->mod) == c.mod_revision;
}

/// The current value of each compared key that exists.
void collect_found(state& s, const txn& request, parked_reply& p) {
  for (const auto& c : request.compares) {
    auto key = s.index.find(c.key);
    const version* now = key == s.index.end() ? nullptr : key->second.current();
    if (now == nullptr) continue;
    if (!now->value.pointer()) {
      p.missing.push_back({now->at, now->mod});
      p.holes.push_back(static_cast<std::uint32_t>(p.reply.found.size()));
    }
    p.reply.found.push_back(to_key_value(key->first, *now));
  }
}

/// Answers without a change of its own: as soon as all that it has seen is durable.
void answer(state& s, parked_reply p, effects& out) {
  p.revision = s.assigned_revision;
  p.reply.revision = s.assigned_revision;
  if (p.revision <= s.durable_revision) {
    send_found(s, std::move(p), out);
  } else {
    s.parked.push_back(std::move(p));
  }
}

/// Enters one version into the index and the append.
void plan_change(state& s, pending_append& p, std::vector<record>& records, key_index::iterator key, version next) {
  auto& versions = key->second.versions;
  const version* before = key->second.current();
  record r;
  r.kind = next.deleted() ? record_kind::erase : record_kind::put;
  r.revision = next.mod = p.revision;
  r.sub = next.sub = static_cast<std::uint32_t>(p.changes.size());
  r.key = key->first;
  if (!next.deleted()) {
    next.create = before == nullptr ? p.revision : before->create;
    next.number = before == nullptr ? 1 : before->number + 1;
  }
  r.create_revision = next.create;
  r.version = next.number;
  r.lease = next.lease;
  r.value = next.value;
  change c{key, {}};
  if (before != nullptr) {
    if (before->lease != next.lease) s.leases.detach(before->lease, key->first);
    c.previous = before->value;
    if (!before->value.pointer()) r.prior = {before->at, before->mod};
  }
  s.leases.attach(next.lease, key->first);
  versions.push_back(std::move(next));
  p.changes.push_back(std::move(c));
  records.push_back(std::move(r));
}

void plan_op(state& s, pending_append& p, std::vector<record>& records, op& o) {
  if (o.kind == op_kind::erase) {
    plan_erase(s, p, records, s.index.find(o.key));
    return;
  }
  version next;
  next.number = 1;
  next.lease = o.lease;
  next.value = o.value.pointer() ? std::move(o.value) : shared_bytes(std::string());
  plan_change(s, p, records, s.index.at_or_new(std::move(o.key)), std::move(next));
}

}  // namespace

bool plan_erase(state& s, pending_append& p, std::vector<record>& records, key_index::iterator key) {
  if (key == s.index.end() || key->second.current() == nullptr) return false;
  plan_change(s, p, records, key, version{});
  return true;
}

void submit(state& s, pending_append p, std::vector<record> records, effects& out) {
  if (!p.changes.empty() && p.kind != pending_kind::moves) s.assigned_revision = p.revision;
  p.records = records.size();
  s.pending.push_back(std::move(p));
  out.push_back(append{std::move(records)});
}

void on_txn(state& s, txn_requested& e, effects& out) {
  parked_reply reply;
  reply.client = e.client;
  reply.reply.id = e.request.id;
  if (auto wrong = check(s, e.request); !wrong.ok()) {
    reply.reply.error = std::move(wrong);
    reply.reply.revision = s.durable_revision;
    out.push_back(send_txn_reply{e.client, std::move(reply.reply)});
    return;
  }
  const auto& compares = e.request.compares;
  if (!std::all_of(compares.begin(), compares.end(), [&](const compare& c) { return holds(s, c); })) {
    collect_found(s, e.request, reply);
    answer(s, std::move(reply), out);
    return;
  }
  pending_append p;
  p.client = e.client;
  p.id = e.request.id;
  p.revision = s.assigned_revision + 1;
  std::vector<record> records;
  records.reserve(e.request.ops.size());
  for (auto& o : e.request.ops) plan_op(s, p, records, o);
  if (!p.changes.empty()) return submit(s, std::move(p), std::move(records), out);
  reply.reply.succeeded = true;
  answer(s, std::move(reply), out);
}

}  // namespace troupe::store::core
