// Syncs: a quorum read of the newest revision, then the watch has to come as far. Those that come while a read is under
// way share the next one: the one under way may have been made before they came.
#include <algorithm>
#include <utility>

#include "actors/store/etcd/core_detail.hpp"

namespace troupe::store::etcd {
namespace {

void ask_newest(state& s, effects& out) {
  if (!s.asked.empty() || s.asking.empty()) return;
  s.asked = std::exchange(s.asking, {});
  pending_call c;
  c.why = purpose::sync;
  c.what = newest_revision{};
  c.deadline_ms = s.now_ms + s.config.sync_ms;
  begin_call(s, std::move(c), out);
}

void reach(state& s, const waiter& w, effects& out) {
  if (w.client == 0) return settle_txn(s, w.id, out);
  ack reply;
  reply.id = w.id;
  reply.revision = w.revision;
  out.push_back(core::send_ack{w.client, std::move(reply)});
}

void fail(state& s, const waiter& w, const status& why, effects& out) {
  if (w.client == 0) return fail_settling(s, w.id, why, out);
  ack reply;
  reply.id = w.id;
  reply.error = why;
  out.push_back(core::send_ack{w.client, std::move(reply)});
}

}  // namespace

void on_sync(state& s, const core::sync_requested& e, effects& out) {
  s.asking.push_back({e.client, e.id, 0, 0});
  ask_newest(s, out);
}

void ask_settling(state& s, std::uint64_t call_id, effects& out) {
  s.asking.push_back({0, call_id, 0, 0});
  ask_newest(s, out);
}

void on_newest(state& s, std::uint64_t revision, effects& out) {
  for (auto& w : s.asked) {
    w.revision = revision;
    w.since_ms = s.now_ms;
    s.behind.push_back(w);
  }
  s.asked.clear();
  answer_reached(s, out);
  ask_newest(s, out);
}

void on_newest_failed(state& s, const status& why, effects& out) {
  for (const auto& w : std::exchange(s.asked, {})) fail(s, w, why, out);
  ask_newest(s, out);
}

void answer_reached(state& s, effects& out) {
  if (!s.started || s.behind.empty()) return;
  auto first =
      std::stable_partition(s.behind.begin(), s.behind.end(), [&](const waiter& w) { return w.revision > s.position; });
  const std::vector<waiter> reached(first, s.behind.end());
  s.behind.erase(first, s.behind.end());
  for (const auto& w : reached) reach(s, w, out);
}

void forget_waiters(state& s, client_id client) {
  const auto theirs = [&](const waiter& w) { return w.client == client; };
  std::erase_if(s.asking, theirs);
  std::erase_if(s.behind, theirs);
}

}  // namespace troupe::store::etcd
