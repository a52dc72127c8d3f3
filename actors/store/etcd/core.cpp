// The dispatch.
#include "actors/store/etcd/core.hpp"

#include "actors/store/etcd/core_detail.hpp"

namespace troupe::store::etcd {
namespace {

void on_lost(state& s, client_id client) {
  s.watchers.remove_client(client);
  forget_waiters(s, client);
  std::erase_if(s.early, [&](const core::watch_requested& e) { return e.client == client; });
}

void on_cancelled(state& s, const core::watch_cancelled& e) {
  s.watchers.remove(e.client, e.id);
  std::erase_if(s.early, [&](const auto& early) { return early.client == e.client && early.request.id == e.id; });
}

void on_tick(state& s, const core::clock_ticked& e, effects& out) {
  s.now_ms = e.now_ms;
  drive_calls(s, out);
  drive_watch(s, out);
  compact_when_due(s, out);
}

struct dispatcher {
  state& s;
  effects& out;
  void operator()(core::txn_requested& e) { on_txn(s, e, out); }
  void operator()(core::range_requested& e) { on_range(s, e, out); }
  void operator()(core::watch_requested& e) { on_watch(s, e, out); }
  void operator()(core::watch_cancelled& e) { on_cancelled(s, e); }
  void operator()(core::compact_requested& e) { on_compact(s, e, out); }
  void operator()(core::lease_requested& e) { on_lease(s, e, out); }
  void operator()(core::sync_requested& e) { on_sync(s, e, out); }
  void operator()(core::client_lost& e) { on_lost(s, e.client); }
  void operator()(core::clock_ticked& e) { on_tick(s, e, out); }
  void operator()(answered& e) { on_answered(s, e, out); }
  void operator()(watch_opened& e) { on_opened(s, e); }
  void operator()(events_came& e) { on_events(s, e, out); }
  void operator()(watch_ended& e) { on_ended(s, e, out); }
};

}  // namespace

effects start(state& s) {
  effects out;
  pending_call c;
  c.why = purpose::begin;
  c.what = newest_revision{};
  begin_call(s, std::move(c), out);
  return out;
}

effects step(state& s, event e) {
  effects out;
  std::visit(dispatcher{s, out}, e);
  return out;
}

}  // namespace troupe::store::etcd
