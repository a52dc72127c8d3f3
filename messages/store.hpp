// The store's interface: etcd v3's key-value semantics as actor messages.
//
// Keys are laid out as Kubernetes lays them out in etcd (/registry/pods/NAMESPACE/NAME). One transaction gets one
// revision. Only the api_server talks to the store. Every reply goes to the sender of the request and carries its `id`.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <caf/typed_actor.hpp>

#include "messages/bytes.hpp"
#include "messages/message.hpp"
#include "messages/status.hpp"

namespace troupe::store {

/// A key's current value. Revisions as in etcd: create_revision of its creation, mod_revision of its last change,
/// version counts changes since creation (1 for a new key).
struct key_value {
  std::string key;
  std::uint64_t create_revision = 0;
  std::uint64_t mod_revision = 0;
  std::uint64_t version = 0;
  std::int64_t lease = 0;
  shared_bytes value;
  MSGPACK_DEFINE(key, create_revision, mod_revision, version, lease, value)
};

/// Holds when the key's mod_revision equals `mod_revision`; 0 means the key must not exist.
struct compare {
  std::string key;
  std::uint64_t mod_revision = 0;
  MSGPACK_DEFINE(key, mod_revision)
};

enum class op_kind : std::uint8_t { put, erase };

/// One change of a transaction. A key may be changed once in a transaction.
struct op {
  op_kind kind = op_kind::put;
  std::string key;
  shared_bytes value;      // put only
  std::int64_t lease = 0;  // put only; 0 for none
  MSGPACK_DEFINE(kind, key, value, lease)
};

/// From the api_server: apply all `ops` if all `compares` hold, else nothing. Durable before it is answered.
struct txn {
  std::uint64_t id = 0;
  std::vector<compare> compares;
  std::vector<op> ops;
  TROUPE_MESSAGE(txn, id, compares, ops)
};

/// Answer to txn. `succeeded` false with an ok error: a compare did not hold, and `found` has the current value of each
/// compared key that exists. An error that is not ok: nothing was applied (disk full, corrupt) or, after a failed
/// commit, it is unknown (reason server_timeout).
struct txn_reply {
  std::uint64_t id = 0;
  bool succeeded = false;
  std::uint64_t revision = 0;  // of this transaction if it succeeded, else the current one
  std::vector<key_value> found;
  status error;
  TROUPE_MESSAGE(txn_reply, id, succeeded, revision, found, error)
};

/// Read [key, range_end) at `revision` (0: the newest durable one), ascending by key. An empty range_end reads one key.
struct range {
  std::uint64_t id = 0;
  std::string key;
  std::string range_end;
  std::uint64_t revision = 0;
  std::uint64_t limit = 0;  // 0: no limit
  bool keys_only = false;
  bool count_only = false;
  TROUPE_MESSAGE(range, id, key, range_end, revision, limit, keys_only, count_only)
};

/// Answer to range. Error `gone` when the revision is compacted.
struct range_reply {
  std::uint64_t id = 0;
  std::uint64_t revision = 0;  // the store's current durable revision
  std::uint64_t count = 0;     // keys in the whole range
  bool more = false;
  std::vector<key_value> kvs;
  status error;
  TROUPE_MESSAGE(range_reply, id, revision, count, more, kvs, error)
};

/// What is known to be durable of one watch's range. Updated before the watch's events are sent, `range_revision`
/// before `revision`. An embedded store also does so before it acknowledges a write in the range; one that others write
/// to as well does so before it answers a `sync`.
struct progress {
  std::atomic<std::uint64_t> range_revision{0};  // newest durable change inside the range
  std::atomic<std::uint64_t> revision{0};        // newest durable revision of the store
};

/// From the api_server: send every event of [key, range_end) with revision >= start_revision (0: from now on).
struct watch {
  std::uint64_t id = 0;  // chosen by the sender, unique among its watches
  std::string key;
  std::string range_end;
  std::uint64_t start_revision = 0;
  TROUPE_MESSAGE(watch, id, key, range_end, start_revision)
};

/// First answer to a watch: from here on events follow in order, without gaps or repeats. Error `gone`: start_revision
/// is compacted, `compacted_revision` says up to where; the watch does not exist then.
struct watch_started {
  std::uint64_t id = 0;
  std::uint64_t revision = 0;
  std::uint64_t compacted_revision = 0;
  std::shared_ptr<const progress> shared;
  status error;
  TROUPE_MESSAGE(watch_started, id, revision, compacted_revision, error)
};

struct event {
  op_kind kind = op_kind::put;
  key_value current;   // of an erase: key and mod_revision of the deletion
  key_value previous;  // as it was before; an empty key where there was none
  MSGPACK_DEFINE(kind, current, previous)
};

/// To the watcher: the events of one or more durable transactions, in order; never part of a transaction.
struct watch_events {
  std::uint64_t id = 0;
  std::uint64_t revision = 0;  // all events up to here have been sent
  std::vector<event> events;
  TROUPE_MESSAGE(watch_events, id, revision, events)
};

/// Ends a watch of the sender. Unknown ids are ignored.
struct watch_cancel {
  std::uint64_t id = 0;
  TROUPE_MESSAGE(watch_cancel, id)
};

/// Drop history up to `revision`; reads and watches older than it then fail with `gone`.
struct compact {
  std::uint64_t id = 0;
  std::uint64_t revision = 0;
  TROUPE_MESSAGE(compact, id, revision)
};

/// Answered once the shared progress of all watches has every change that was durable when this came, whichever process
/// wrote it: what a consistent read rests on when the store is shared by several api_servers.
struct sync {
  std::uint64_t id = 0;
  TROUPE_MESSAGE(sync, id)
};

/// Make, renew (ttl_seconds 0 keeps the granted time), revoke or look at a lease (time_to_live tells the granted time).
/// Keys attached to a lease are deleted, in one transaction, when it ends.
enum class lease_action : std::uint8_t { grant, keep_alive, revoke, time_to_live };
struct lease {
  std::uint64_t id = 0;
  lease_action action = lease_action::grant;
  std::int64_t lease_id = 0;  // grant: 0 lets the store choose
  std::int64_t ttl_seconds = 0;
  TROUPE_MESSAGE(lease, id, action, lease_id, ttl_seconds)
};

/// Answer to compact, lease and sync.
struct ack {
  std::uint64_t id = 0;
  std::uint64_t revision = 0;
  std::int64_t lease_id = 0;
  std::int64_t ttl_seconds = 0;
  status error;
  TROUPE_MESSAGE(ack, id, revision, lease_id, ttl_seconds, error)
};

/// What a user of the store must understand.
using client_actor = caf::typed_actor<caf::reacts_to<txn_reply>,      // answer to txn
                                      caf::reacts_to<range_reply>,    // answer to range
                                      caf::reacts_to<watch_started>,  // first answer to watch
                                      caf::reacts_to<watch_events>,   // the watch's events
                                      caf::reacts_to<ack>>;           // answer to compact, lease and sync

/// The store.
using store_actor = caf::typed_actor<caf::reacts_to<txn>,           // change if compares hold; answers txn_reply
                                     caf::reacts_to<range>,         // read; answers range_reply
                                     caf::reacts_to<watch>,         // answers watch_started, then watch_events
                                     caf::reacts_to<watch_cancel>,  // no answer
                                     caf::reacts_to<compact>,       // answers ack
                                     caf::reacts_to<sync>,          // answers ack
                                     caf::reacts_to<lease>>;        // answers ack

}  // namespace troupe::store

MSGPACK_ADD_ENUM(troupe::store::op_kind)
MSGPACK_ADD_ENUM(troupe::store::lease_action)
