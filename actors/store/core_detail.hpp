// The parts of the core, one function per event or task; each lives in the file named after its subject.
#pragma once

#include <string_view>

#include "actors/store/core.hpp"
#include "actors/store/errors.hpp"

namespace troupe::store::core {

// Texts of etcd that clients know.
inline constexpr std::string_view compacted_text = "etcdserver: mvcc: required revision has been compacted";
inline constexpr std::string_view future_text = "etcdserver: mvcc: required revision is a future revision";
inline constexpr std::string_view no_key_text = "etcdserver: key is not provided";
inline constexpr std::string_view duplicate_key_text = "etcdserver: duplicate key given in txn request";
inline constexpr std::string_view too_large_text = "etcdserver: request is too large";
inline constexpr std::string_view lease_not_found_text = "etcdserver: requested lease not found";
inline constexpr std::string_view lease_exists_text = "etcdserver: lease already exists";
inline constexpr std::string_view lease_ttl_text = "etcdserver: too large lease TTL";

// transactions.cpp
void on_txn(state& s, txn_requested& e, effects& out);
/// Enters an erase of the key into the index and into the append. False when the key does not exist.
bool plan_erase(state& s, pending_append& p, std::vector<record>& records, key_index::iterator key);
/// Queues an append and asks for its durability.
void submit(state& s, pending_append p, std::vector<record> records, effects& out);

// durability.cpp
void on_durable(state& s, batch_durable& e, effects& out);
void on_commit_failed(state& s, commit_failed& e, effects& out);

// reads.cpp
void on_range(state& s, range_requested& e, effects& out);
void on_values(state& s, values_loaded& e, effects& out);
/// Sends a failed transaction's reply, after loading the values of `found` that are not in memory.
void send_found(state& s, parked_reply p, effects& out);
std::uint64_t add_job(state& s, job j);
/// Runs one slice of the job; removes it when it is done.
void run_job(state& s, std::uint64_t id, effects& out);
/// Asks for another slice unless one is due already.
void want_slice(state& s, effects& out);

// history.cpp
void on_watch(state& s, watch_requested& e, effects& out);
/// One slice; true when the job is done.
bool run_history(state& s, std::uint64_t id, job& j, effects& out);
/// The values of a slice are there (or could not be read): sends it. True when the job is done.
bool finish_history_slice(state& s, job& j, const status& error, effects& out);
/// The event of the change `v`, which follows `previous` (nullptr: none).
store::event make_event(const std::string& key, const version& v, const version* previous);

// lease_requests.cpp
void on_lease(state& s, lease_requested& e, effects& out);
void end_expired_leases(state& s, effects& out);

// compaction.cpp
void on_compact(state& s, compact_requested& e, effects& out);
void start_compaction(state& s, client_id client, std::uint64_t id, std::uint64_t revision, effects& out);
/// Compacts what is older than the interval; for each tick.
void compact_by_age(state& s, effects& out);
/// Compacts when the history has more revisions than it should; for each commit.
void compact_by_length(state& s, effects& out);
/// One slice of pruning; true when there is more to do now.
bool prune_slice(state& s);

// cleaning.cpp
void consider_cleaning(state& s);
/// One slice of moving records; true when there is more to do now.
bool clean_slice(state& s, effects& out);
void on_moved(state& s, const pending_append& p, const location* places, effects& out);
void on_drop_durable(state& s, const pending_append& p, effects& out);

}  // namespace troupe::store::core
