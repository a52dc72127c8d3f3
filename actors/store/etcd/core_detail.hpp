// The parts of the core; each lives in the file named after its subject.
#pragma once

#include "actors/store/core_detail.hpp"
#include "actors/store/etcd/core.hpp"

namespace troupe::store::etcd {

// calls.cpp
/// Sends the order to the current member and remembers it until it has ended.
void begin_call(state& s, pending_call c, effects& out);
void on_answered(state& s, answered& e, effects& out);
/// Tries again what is due, ends what is late; for each tick.
void drive_calls(state& s, effects& out);
/// The watch has passed a quorum read made after the transaction's attempt: it is told as done, or sent again.
void settle_txn(state& s, std::uint64_t call_id, effects& out);
/// The transaction could not be settled.
void fail_settling(state& s, std::uint64_t call_id, const status& why, effects& out);
/// The next member's turn, if `endpoint` had it.
void pass_over(state& s, std::uint32_t endpoint);
/// How long to wait once every member has failed so many times in a row, milliseconds.
std::uint64_t pause_after(const state& s, std::uint32_t failures);
/// What etcd's words mean to clients.
status meaning_of(const std::string& message);

// requests.cpp
void on_txn(state& s, core::txn_requested& e, effects& out);
void on_range(state& s, core::range_requested& e, effects& out);
void on_compact(state& s, core::compact_requested& e, effects& out);
void on_lease(state& s, core::lease_requested& e, effects& out);
/// A grant has ended, well or not: the transactions that waited for it may go.
void release_granted(state& s, std::int64_t lease_id, effects& out);
/// The answer to a request, in the form that its kind has.
void answer(const pending_call& c, std::variant<ack, txn_reply, range_reply> reply, effects& out);
void refuse(const pending_call& c, const status& why, effects& out);

// syncing.cpp
void on_sync(state& s, const core::sync_requested& e, effects& out);
/// An unclear transaction asks to be settled.
void ask_settling(state& s, std::uint64_t call_id, effects& out);
void on_newest(state& s, std::uint64_t revision, effects& out);
void on_newest_failed(state& s, const status& why, effects& out);
/// Those whose revision the watch has reached.
void answer_reached(state& s, effects& out);
void forget_waiters(state& s, client_id client);

// watching.cpp
void begin_watching(state& s, std::uint64_t revision, effects& out);
void on_watch(state& s, core::watch_requested& e, effects& out);
void on_opened(state& s, const watch_opened& e);
void on_events(state& s, events_came& e, effects& out);
void on_ended(state& s, const watch_ended& e, effects& out);
/// Opens the watch again where it is due, or elsewhere where it is stuck; for each tick.
void drive_watch(state& s, effects& out);

// compaction.cpp
void compact_when_due(state& s, effects& out);
void on_compaction_answer(state& s, const txn_reply& reply, effects& out);

}  // namespace troupe::store::etcd
