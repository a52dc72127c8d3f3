// The store's decisions: etcd v3 semantics as step(state, event) -> effects. No I/O: durability, values and time come
// in as events.
//
// A change gets its revision and enters the key index at once, above `durable_revision`; an `append` effect asks for
// its durability, `batch_durable` makes it visible to reads and watches and answers it. Compares look at the newest
// version, durable or not, so that transactions queue up behind each other without waiting for the disk.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "actors/store/key_index.hpp"
#include "actors/store/leases.hpp"
#include "actors/store/record.hpp"
#include "actors/store/watchers.hpp"
#include "messages/status.hpp"
#include "messages/store.hpp"

namespace troupe::store::core {

/// Limits and policies; times in milliseconds.
struct settings {
  std::uint64_t value_cache_bytes = 4 << 20;
  std::uint64_t compact_interval_ms = 300'000;  // drop what is older than one interval, every interval; 0: never
  std::uint64_t retain_revisions = 100'000;     // and whenever the history exceeds this; 0: no such bound
  std::uint64_t clean_slack_bytes = 64 << 20;   // disk use beyond twice the live bytes before segments are cleaned
  std::uint64_t max_txn_bytes = 8 << 20;
  std::int64_t min_lease_ttl_seconds = 1;
  std::uint32_t slice_keys = 512;   // keys looked at in one slice of long work
  std::uint32_t slice_values = 48;  // values loaded or copied in one slice
  std::uint64_t seed = 1;           // of the lease ids that the store chooses
  MSGPACK_DEFINE(value_cache_bytes, compact_interval_ms, retain_revisions, clean_slack_bytes, max_txn_bytes,
                 min_lease_ttl_seconds, slice_keys, slice_values, seed)
};

// Events.

struct txn_requested {
  client_id client = 0;
  txn request;
  MSGPACK_DEFINE(client, request)
};
struct range_requested {
  client_id client = 0;
  range request;
  MSGPACK_DEFINE(client, request)
};
struct watch_requested {
  client_id client = 0;
  watch request;
  MSGPACK_DEFINE(client, request)
};
struct watch_cancelled {
  client_id client = 0;
  std::uint64_t id = 0;
  MSGPACK_DEFINE(client, id)
};
struct compact_requested {
  client_id client = 0;
  compact request;
  MSGPACK_DEFINE(client, request)
};
struct lease_requested {
  client_id client = 0;
  lease request;
  std::uint64_t now_ms = 0;
  MSGPACK_DEFINE(client, request, now_ms)
};
struct sync_requested {
  client_id client = 0;
  std::uint64_t id = 0;
  MSGPACK_DEFINE(client, id)
};
/// The client is gone: its watches end.
struct client_lost {
  client_id client = 0;
  MSGPACK_DEFINE(client)
};
/// A value that a commit read because its record replaces it. A null value: it could not be read.
struct prior_value {
  std::uint32_t record = 0;  // index into batch_durable::locations
  shared_bytes value;
  MSGPACK_DEFINE(record, value)
};
/// The oldest `appends` append effects are durable. One location per record, in order; an unknown location is a record
/// whose source could not be read.
struct batch_durable {
  std::uint64_t appends = 0;
  std::vector<location> locations;
  std::vector<prior_value> priors;  // ascending by record
  disk_usage disk;
  MSGPACK_DEFINE(appends, locations, priors, disk)
};
/// The oldest `appends` append effects failed, and with them everything behind. `unknown`: they may be durable all the
/// same; else nothing of them is.
struct commit_failed {
  std::uint64_t appends = 0;
  bool unknown = false;
  status error;
  MSGPACK_DEFINE(appends, unknown, error)
};
/// Answer to load_values, in its order.
struct values_loaded {
  std::uint64_t job = 0;
  std::vector<shared_bytes> values;
  status error;
  MSGPACK_DEFINE(job, values, error)
};
/// Answer to schedule_slice.
struct slice_due {
  std::uint8_t unused = 0;
  MSGPACK_DEFINE(unused)
};
struct clock_ticked {
  std::uint64_t now_ms = 0;
  MSGPACK_DEFINE(now_ms)
};

/// Answer to drop_segments.
struct segments_dropped {
  disk_usage disk;
  MSGPACK_DEFINE(disk)
};

using event = std::variant<txn_requested, range_requested, watch_requested, watch_cancelled, compact_requested,
                           lease_requested, client_lost, batch_durable, commit_failed, values_loaded, slice_due,
                           clock_ticked, segments_dropped, sync_requested>;

// Effects, to be performed in order.

/// Make these records durable together, after all appends before it.
struct append {
  std::vector<record> records;
  MSGPACK_DEFINE(records)
};
/// Update the shared progress of the named watches (range_revision) and of all (revision).
struct advance_progress {
  struct range_change {
    client_id client = 0;
    std::uint64_t id = 0;
    std::uint64_t revision = 0;
    MSGPACK_DEFINE(client, id, revision)
  };
  std::uint64_t revision = 0;
  std::vector<range_change> changed;
  MSGPACK_DEFINE(revision, changed)
};
struct send_txn_reply {
  client_id client = 0;
  txn_reply reply;
  MSGPACK_DEFINE(client, reply)
};
struct send_range_reply {
  client_id client = 0;
  range_reply reply;
  MSGPACK_DEFINE(client, reply)
};
struct send_watch_started {
  client_id client = 0;
  watch_started reply;
  std::uint64_t range_revision = 0;  // for the shared progress
  MSGPACK_DEFINE(client, reply, range_revision)
};
struct send_watch_events {
  client_id client = 0;
  watch_events events;
  MSGPACK_DEFINE(client, events)
};
struct send_ack {
  client_id client = 0;
  ack reply;
  MSGPACK_DEFINE(client, reply)
};
/// Read these values now and answer with values_loaded.
struct load_values {
  std::uint64_t job = 0;
  std::vector<place> places;
  MSGPACK_DEFINE(job, places)
};
/// Answer with slice_due when other messages have had their turn.
struct schedule_slice {
  std::uint8_t unused = 0;
  MSGPACK_DEFINE(unused)
};
/// Delete the segments below this one now and answer with segments_dropped.
struct drop_segments {
  std::uint32_t below = 0;
  MSGPACK_DEFINE(below)
};
/// Tell the operator.
struct report {
  std::string name;  // stable event name
  std::string text;
  MSGPACK_DEFINE(name, text)
};

using effect = std::variant<append, advance_progress, send_txn_reply, send_range_reply, send_watch_started,
                            send_watch_events, send_ack, load_values, schedule_slice, drop_segments, report>;
using effects = std::vector<effect>;

// State.

/// One change of a pending append; its version is in the index already.
struct change {
  key_index::iterator key;
  shared_bytes previous;  // value it replaces, when that was in memory
};
enum class pending_kind : std::uint8_t { changes, lease_grant, lease_end, compaction, moves, drop };
/// An append that is not durable yet.
struct pending_append {
  pending_kind kind = pending_kind::changes;
  client_id client = 0;
  std::uint64_t id = 0;
  std::uint64_t revision = 0;       // of the changes; compaction: up to where; drop: first segment that stays
  std::vector<change> changes;      // moves: the moved versions' keys
  std::vector<std::uint64_t> mods;  // moves: the moved versions
  std::int64_t lease = 0;
  std::int64_t ttl = 0;
  std::size_t records = 0;
};
/// A reply that depends on changes that are not durable yet.
struct parked_reply {
  std::uint64_t revision = 0;  // send when this is durable
  client_id client = 0;
  txn_reply reply;
  std::vector<place> missing;  // of reply.found without a value in memory, see `holes`
  std::vector<std::uint32_t> holes;
};

/// A version's event that a history job has yet to send.
struct past_change {
  std::uint64_t mod = 0;
  std::uint32_t sub = 0;
  key_index::iterator key;
};
enum class job_kind : std::uint8_t { range, found, history };
/// Work that is too long for one step or waits for values.
struct job {
  job_kind kind = job_kind::range;
  client_id client = 0;
  std::uint64_t pin = 0;       // needs versions at and after this revision
  std::uint64_t revision = 0;  // reads the state as of this revision
  key_range keys;
  std::string cursor;
  bool scanned = false;
  std::vector<place> missing;        // values to load ...
  std::vector<std::uint32_t> holes;  // ... and the entries they belong to (history: twice the event, odd for previous)
  // range
  range request;
  range_reply reply;
  // found
  txn_reply txn;
  // history
  std::weak_ptr<core::watcher> watcher;
  std::uint64_t watch_id = 0;
  std::vector<past_change> past;
  std::size_t sent = 0;
  std::uint64_t range_revision = 0;
  watch_events slice;
};

struct pruning {
  std::uint64_t revision = 0;
  std::string cursor;
};
/// Moving what still lives in the oldest segment to the end of the log.
struct cleaning {
  std::uint32_t segment = 0;
  std::string cursor;
  bool scanned = false;
  bool dropping = false;
  std::uint32_t in_flight = 0;
};
/// A revision and when it was the newest, for the compaction policy.
struct revision_mark {
  std::uint64_t at_ms = 0;
  std::uint64_t revision = 0;
};

struct state {
  explicit state(settings s) : config(s), cache(s.value_cache_bytes), seed(s.seed) {}

  settings config;
  key_index index;
  value_cache cache;
  core::watchers watchers;
  core::leases leases;
  std::uint64_t durable_revision = 1;   // what reads and watches see
  std::uint64_t assigned_revision = 1;  // newest given to a change
  std::uint64_t compacted_revision = 0;
  std::uint64_t compacting_revision = 0;  // asked for, not durable yet; else equal to compacted_revision
  std::deque<pending_append> pending;
  std::deque<parked_reply> parked;
  std::map<std::uint64_t, job> jobs;
  std::uint64_t last_job = 0;
  std::uint64_t turn = 0;  // the job that had the last slice
  bool slice_scheduled = false;
  std::optional<core::pruning> pruning;
  std::optional<core::cleaning> cleaning;
  std::uint32_t uncleanable = 0;  // a segment with a record that cannot be read
  disk_usage disk;
  std::uint64_t live_bytes = 0;
  std::optional<revision_mark> mark;
  std::uint64_t now_ms = 0;
  std::uint64_t seed = 0;
  std::optional<status> failed;  // set after a commit of unknown outcome: writes are refused until a restart
};

/// The one entry: what follows from an event.
effects step(state& s, event e);

/// A record found at opening, in the order of the log.
void recover(state& s, record found, location at);
/// After the last record: settles what depends on the whole.
void finish_recovery(state& s, disk_usage disk, std::uint64_t now_ms);

/// Throws std::logic_error when the state contradicts itself; for tests.
void check_invariants(state& s);

}  // namespace troupe::store::core
