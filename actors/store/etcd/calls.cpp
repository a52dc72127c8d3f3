// Calls: to the current member, and to the next one when that fails.
#include <algorithm>
#include <utility>

#include "actors/store/etcd/core_detail.hpp"

namespace troupe::store::etcd {
namespace {

using core::report;

constexpr std::uint64_t tell_every_ms = 10'000;

void send(state& s, std::uint64_t id, pending_call& c, effects& out) {
  c.due_ms = 0;
  c.endpoint = s.current;
  ++c.attempts;
  out.push_back(call{id, c.endpoint, s.config.attempt_ms, c.what});
}

/// Every member once without a pause, then slower and slower.
void send_again(state& s, std::uint64_t id, pending_call& c, effects& out) {
  if (c.attempts < s.config.endpoints) return send(s, id, c, out);
  c.due_ms = s.now_ms + pause_after(s, c.attempts);
}

/// The core's own calls at the beginning never end: there is nothing to do without them.
bool endless(const pending_call& c) { return c.why == purpose::begin; }

void tell(state& s, const pending_call& c, effects& out) {
  if (s.told_ms != 0 && s.now_ms < s.told_ms + tell_every_ms) return;
  s.told_ms = s.now_ms;
  out.push_back(report{"store.etcd_unreachable", "endpoint=" + std::to_string(c.endpoint) + " " + c.last_error});
}

void end_badly(state& s, const pending_call& c, const status& why, effects& out) {
  switch (c.why) {
    case purpose::request:
      refuse(c, why, out);
      break;
    case purpose::sync:
      on_newest_failed(s, why, out);
      break;
    default:
      break;
  }
  if (const auto* l = std::get_if<lease>(&c.what)) release_granted(s, l->lease_id, out);
}

void end_well(state& s, const pending_call& c, answered& e, effects& out) {
  switch (c.why) {
    case purpose::request:
      answer(c, std::move(e.reply), out);
      break;
    case purpose::sync:
      on_newest(s, std::get<ack>(e.reply).revision, out);
      break;
    case purpose::begin:
      begin_watching(s, std::get<ack>(e.reply).revision, out);
      break;
    case purpose::compaction:
      if (auto* reply = std::get_if<txn_reply>(&e.reply)) on_compaction_answer(s, *reply, out);
      break;
  }
  if (const auto* l = std::get_if<lease>(&c.what)) release_granted(s, l->lease_id, out);
}

status late(const pending_call& c) {
  auto out = make_status(reason::server_timeout, "etcdserver: request timed out");
  if (!c.last_error.empty()) out.message += ": " + c.last_error;
  return out;
}

/// What an attempt before, whose fate was unclear, has done already.
bool done_before(const pending_call& c, const std::string& message) {
  if (!c.unclear) return false;
  if (const auto* l = std::get_if<lease>(&c.what)) {
    if (l->action == lease_action::grant) return l->lease_id != 0 && message == core::lease_exists_text;
    return l->action == lease_action::revoke && message == core::lease_not_found_text;
  }
  return std::holds_alternative<compact>(c.what) && message == core::compacted_text;
}

ack ack_of(const state& s, const pending_call& c) {
  ack out;
  out.revision = s.position;
  if (const auto* l = std::get_if<lease>(&c.what)) {
    out.lease_id = l->lease_id;
    out.ttl_seconds = l->ttl_seconds;
  }
  return out;
}

/// The answer is no, and an attempt before may be why.
bool denies_after_doubt(const pending_call& c, const answered& e) {
  const auto* reply = std::get_if<txn_reply>(&e.reply);
  return e.what == fault::none && c.unclear && reply != nullptr && !reply->succeeded;
}

/// When a transaction with this condition has an event of its own, its condition held just before: that of another
/// writer with the same bytes does not.
bool condition_held(const pending_call& c, const store::event& e) {
  for (const auto& one : std::get<txn>(c.what).compares)
    if (one.key == e.current.key) return one.mod_revision == e.previous.mod_revision;
  return true;
}

/// The change that the transaction's first operation makes, among the events since its first attempt.
const store::event* own_event(const state& s, const pending_call& c) {
  const auto& ops = std::get<txn>(c.what).ops;
  if (ops.empty()) return nullptr;
  const auto& first = ops.front();
  for (auto e = s.window.rbegin(); e != s.window.rend() && e->current.mod_revision > c.since; ++e) {
    if (e->kind != first.kind || e->current.key != first.key) continue;
    if (first.kind == op_kind::put && !(e->current.value == first.value)) continue;
    if (!condition_held(c, *e)) continue;
    // Of an unconditional erase nobody can tell whose it was; that the key is gone is all it wanted.
    return &*e;
  }
  return nullptr;
}

void end_settled(state& s, std::map<std::uint64_t, pending_call>::iterator which, txn_reply reply, effects& out) {
  answered done;
  done.reply = std::move(reply);
  const auto settled = std::move(which->second);
  s.calls.erase(which);
  end_well(s, settled, done, out);
}

}  // namespace

std::uint64_t pause_after(const state& s, std::uint32_t failures) {
  constexpr std::uint64_t first_ms = 100;
  constexpr std::uint64_t longest_ms = 1'000;
  const auto round = std::min(failures / s.config.endpoints, 5u);
  return std::min(first_ms << (round - 1), longest_ms);
}

void pass_over(state& s, std::uint32_t endpoint) {
  if (s.current == endpoint) s.current = (endpoint + 1) % s.config.endpoints;
}

status meaning_of(const std::string& message) {
  if (message == core::compacted_text) return make_status(reason::gone, message);
  if (message == core::future_text || message == core::no_key_text || message == core::duplicate_key_text ||
      message == core::lease_ttl_text) {
    return bad_request(message);
  }
  if (message == core::lease_not_found_text) return make_status(reason::not_found, message);
  if (message == core::lease_exists_text) return make_status(reason::already_exists, message);
  if (message == core::too_large_text || message == "etcdserver: too many operations in txn request") {
    return make_status(reason::request_entity_too_large, message);
  }
  if (message == "etcdserver: too many requests") return make_status(reason::too_many_requests, message);
  return internal_error(message);
}

void begin_call(state& s, pending_call c, effects& out) {
  const auto id = ++s.last_call;
  if (c.deadline_ms == 0) c.deadline_ms = s.now_ms + s.config.request_ms;
  c.since = s.position;
  auto& kept = s.calls.emplace(id, std::move(c)).first->second;
  send(s, id, kept, out);
}

void on_answered(state& s, answered& e, effects& out) {
  auto found = s.calls.find(e.id);
  if (found == s.calls.end()) return;
  auto& c = found->second;
  if (denies_after_doubt(c, e)) {
    c.denied = std::move(std::get<txn_reply>(e.reply));
    return ask_settling(s, e.id, out);
  }
  // The beginning has nobody to tell of a refusal (no leader, rights not given yet): the next member, and again.
  const bool over = e.what == fault::none || (e.what == fault::refused && !endless(c));
  if (over) {
    const auto done = std::move(c);
    s.calls.erase(found);
    s.told_ms = 0;
    if (e.what == fault::none) return end_well(s, done, e, out);
    if (done.why == purpose::request && done_before(done, e.message)) {
      answer(done, ack_of(s, done), out);
      if (const auto* l = std::get_if<lease>(&done.what)) release_granted(s, l->lease_id, out);
      return;
    }
    return end_badly(s, done, meaning_of(e.message), out);
  }
  c.last_error = e.message;
  c.unclear = c.unclear || e.what == fault::unclear;
  pass_over(s, c.endpoint);
  if (c.attempts >= s.config.endpoints) tell(s, c, out);
  const bool changes = std::holds_alternative<txn>(c.what);
  if (changes && e.what == fault::unclear) return ask_settling(s, e.id, out);
  send_again(s, e.id, c, out);
}

void settle_txn(state& s, std::uint64_t call_id, effects& out) {
  auto found = s.calls.find(call_id);
  if (found == s.calls.end()) return;
  auto& c = found->second;
  const auto* own = own_event(s, c);
  if (own != nullptr) {
    txn_reply reply;
    reply.succeeded = true;
    reply.revision = own->current.mod_revision;
    return end_settled(s, found, std::move(reply), out);
  }
  if (c.since < s.window_start) return fail_settling(s, call_id, late(c), out);
  if (c.denied) return end_settled(s, found, std::move(*c.denied), out);
  send_again(s, call_id, c, out);
}

void fail_settling(state& s, std::uint64_t call_id, const status& why, effects& out) {
  auto found = s.calls.find(call_id);
  if (found == s.calls.end()) return;
  const auto failed = std::move(found->second);
  s.calls.erase(found);
  end_badly(s, failed, make_status(reason::server_timeout, why.message), out);
}

void drive_calls(state& s, effects& out) {
  std::vector<std::uint64_t> due;
  for (const auto& [id, c] : s.calls)
    if ((c.due_ms != 0 && c.due_ms <= s.now_ms) || (!endless(c) && c.deadline_ms <= s.now_ms)) due.push_back(id);
  for (const auto id : due) {
    auto found = s.calls.find(id);
    if (found == s.calls.end()) continue;
    auto& c = found->second;
    if (endless(c) || c.deadline_ms > s.now_ms) {
      send(s, id, c, out);
      continue;
    }
    const auto ended = std::move(c);
    s.calls.erase(found);
    end_badly(s, ended, late(ended), out);
  }
}

}  // namespace troupe::store::etcd
