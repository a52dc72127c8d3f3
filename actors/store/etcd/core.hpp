// The backend `etcd`, decided without I/O: which member is asked, what is tried again, how watches resume.
//
// One watch over the whole keyspace feeds all watches of this process. As every revision of etcd changes some key, it
// tells without progress requests (unreliable in etcd 3.4) how far this process knows the store. A `sync` is a quorum
// read of the newest revision, answered when the watch has come that far.
//
// A transaction whose fate is unclear (the member died under it) is settled the same way: once the watch has passed a
// newer quorum read, it is either among the events seen since, or it was not applied yet and may be sent again: of the
// two only one finds its condition true. When the second one does not, the events tell once more whether it was the
// first.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "actors/store/core.hpp"
#include "actors/store/watchers.hpp"
#include "messages/status.hpp"
#include "messages/store.hpp"

namespace troupe::store::etcd {

using core::client_id;

/// Limits and policies; times in milliseconds.
struct settings {
  std::uint32_t endpoints = 1;
  std::uint64_t compact_interval_ms = 300'000;  // as kube-apiserver --etcd-compaction-interval; 0: never
  std::uint64_t window_events = 50'000;         // recent events kept for watches that begin in the past
  std::uint64_t window_bytes = 32 << 20;
  std::uint64_t attempt_ms = 3'000;   // one call to one member
  std::uint64_t request_ms = 20'000;  // a request, over all its attempts
  std::uint64_t sync_ms = 10'000;     // the quorum read of a sync
  std::uint64_t settle_ms = 1'000;    // the watch, behind a quorum read, is silent: it is opened elsewhere
};

/// A linearizable read of nothing: its answer is an ack with the newest revision.
struct newest_revision {};
/// What a member is asked.
using order = std::variant<txn, range, compact, lease, newest_revision>;

// Effects beside those of the embedded store.

/// Ask a member; answered by `answered`.
struct call {
  std::uint64_t id = 0;
  std::uint32_t endpoint = 0;
  std::uint64_t timeout_ms = 0;
  order what;
};
/// Open the watch over all keys from a revision on; the one before, if any, is given up.
struct open_watch {
  std::uint64_t serial = 0;
  std::uint32_t endpoint = 0;
  std::uint64_t start_revision = 0;
};
/// History that watches depend on is lost: end, and let the watchers find out what they missed.
struct give_up {
  std::string why;
};
using effect =
    std::variant<call, open_watch, give_up, core::advance_progress, core::send_txn_reply, core::send_range_reply,
                 core::send_watch_started, core::send_watch_events, core::send_ack, core::report>;
using effects = std::vector<effect>;

// Events beside the requests, which are those of the embedded store.

/// unsent: the member has not got it. unclear: it may have been carried out. refused: etcd says why not.
enum class fault : std::uint8_t { none, unsent, unclear, refused };
/// A call's outcome. `reply` counts when the fault is none: txn_reply, range_reply, else ack.
struct answered {
  std::uint64_t id = 0;
  fault what = fault::none;
  std::string message;
  std::variant<ack, txn_reply, range_reply> reply;
};
struct watch_opened {
  std::uint64_t serial = 0;
};
/// All events of one or more revisions.
struct events_came {
  std::uint64_t serial = 0;
  std::vector<store::event> events;
};
/// `compacted_revision` is not 0 when the start is compacted.
struct watch_ended {
  std::uint64_t serial = 0;
  std::uint64_t compacted_revision = 0;
  std::string message;
};
using event = std::variant<core::txn_requested, core::range_requested, core::watch_requested, core::watch_cancelled,
                           core::compact_requested, core::lease_requested, core::sync_requested, core::client_lost,
                           core::clock_ticked, answered, watch_opened, events_came, watch_ended>;

// State.

/// Whose call it is: a request of a client, or the core's own.
enum class purpose : std::uint8_t { request, sync, begin, compaction };
/// A call that has not ended for good.
struct pending_call {
  purpose why = purpose::request;
  client_id client = 0;
  std::uint64_t request = 0;  // its id
  order what;
  std::uint32_t endpoint = 0;
  std::uint32_t attempts = 0;
  std::uint64_t deadline_ms = 0;
  std::uint64_t due_ms = 0;         // when to try again; 0: it is under way, or waits to be settled
  std::uint64_t since = 0;          // position of the watch at the first attempt
  bool unclear = false;             // an attempt may have been carried out
  std::optional<txn_reply> denied;  // its condition did not hold, perhaps for what an unclear attempt has done
  std::string last_error;
};
/// Who waits for the watch to come as far as a quorum read: a client's sync, or (client 0) an unclear transaction.
struct waiter {
  client_id client = 0;
  std::uint64_t id = 0;
  std::uint64_t revision = 0;  // of the quorum read
  std::uint64_t since_ms = 0;
};
struct watch_state {
  std::uint64_t serial = 0;
  std::uint32_t endpoint = 0;
  bool opened = false;
  std::uint64_t opened_ms = 0;  // when it was asked for
  std::uint64_t moved_ms = 0;   // when it was asked for, opened or last told something
  std::uint32_t stuck = 0;      // how often in a row it was opened elsewhere for telling nothing
  std::uint64_t due_ms = 0;     // when to open it again; 0: it is open
  std::uint32_t failures = 0;   // since it last worked
};
/// The compaction that all api_servers of a cluster share: see compaction.cpp.
struct compaction_state {
  std::uint64_t mod_revision = 0;  // of the shared key, as last seen
  std::uint64_t revision = 0;      // the newest one at that time; 0: unknown
  std::uint64_t due_ms = 0;
};

struct state {
  explicit state(settings s) : config(s) {}

  settings config;
  std::uint64_t now_ms = 0;
  bool started = false;        // `position` is known
  std::uint64_t position = 0;  // all events up to here have been told
  std::uint32_t current = 0;   // the member that is asked
  std::uint64_t last_call = 0;
  std::map<std::uint64_t, pending_call> calls;
  std::map<std::int64_t, std::vector<core::txn_requested>> granting;  // transactions behind a lease being granted
  std::vector<waiter> asking;                                         // the next quorum read is theirs
  std::vector<waiter> asked;                                          // that of the quorum read under way
  std::vector<waiter> behind;                                         // the watch has to come as far as their revision
  watch_state watch;
  core::watchers watchers;
  std::vector<core::watch_requested> early;  // came before the position was known
  std::deque<store::event> window;
  std::uint64_t window_bytes = 0;
  std::uint64_t window_start = 0;  // the window has all events after this revision
  compaction_state compaction;
  std::uint64_t told_ms = 0;  // when trouble was last reported
};

/// Begins: asks for the position.
effects start(state& s);
/// The one entry: what follows from an event.
effects step(state& s, event e);

}  // namespace troupe::store::etcd
