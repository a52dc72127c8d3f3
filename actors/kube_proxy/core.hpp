// The proxy's decisions: Services and EndpointSlices come in, batches of changes to the kernel's table go out.
//
// One batch is under way at a time; what changes meanwhile is in the next one. Nothing is sent before everything there
// is has been observed, so that the table of an earlier run serves until it is replaced as a whole. Whenever the kernel
// refuses a batch, or the table turns out to be missing, the next one replaces everything.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "actors/kube_proxy/frontends.hpp"
#include "actors/kube_proxy/table.hpp"
#include "actors/kube_proxy/types.hpp"

namespace troupe::kube_proxy {

/// Limits.
struct options {
  std::size_t slice_services = 32;      // services looked at in one step
  std::size_t most_chains = 4096;       // known to the kernel; unused ones go when there are more
  std::int64_t retry_ms = 100;          // after a refused batch; doubles
  std::int64_t most_retry_ms = 30'000;  // kube-proxy's syncPeriod
};

// -- events

struct service_observed {
  service_info service;
  MSGPACK_DEFINE(service)
};
/// It is gone, or of no concern to the proxy any more.
struct service_removed {
  std::string key;
  MSGPACK_DEFINE(key)
};
struct slice_observed {
  slice_info slice;
  MSGPACK_DEFINE(slice)
};
struct slice_removed {
  std::string key;
  MSGPACK_DEFINE(key)
};
/// All services and slices there are have been observed.
struct synced {
  MSGPACK_DEFINE()
};
/// Answer to continue_soon.
struct turn_due {
  MSGPACK_DEFINE()
};
/// A batch is in the kernel, or, with an error, nothing of it is.
struct batch_done {
  std::uint64_t id = 0;
  std::string error;
  MSGPACK_DEFINE(id, error)
};
/// Answer to retry_after.
struct retry_due {
  MSGPACK_DEFINE()
};
/// Time to see whether the table is still there: others flush whole rulesets.
struct probe_due {
  MSGPACK_DEFINE()
};
using event = std::variant<service_observed, service_removed, slice_observed, slice_removed, synced, turn_due,
                           batch_done, retry_due, probe_due>;

// -- effects

/// Connections of a UDP frontend that lead elsewhere than to these backends are forgotten: there is no handshake that
/// would fail, so they would lead into the void as long as the client keeps sending.
struct flow_check {
  frontend at;
  std::vector<backend> backends;
  MSGPACK_DEFINE(at, backends)
};

/// `whole`: the table is made anew. `change`: elements of the table change. `probe`: nothing changes.
enum class batch_kind : std::uint8_t { whole, change, probe };

/// One transaction.
struct batch {
  std::uint64_t id = 0;
  batch_kind kind = batch_kind::change;
  std::vector<chain_id> chains;  // that the table does not have yet
  std::vector<element_key> removed;
  std::vector<element> added;     // after the removals: a changed element is removed and added
  std::vector<flow_check> flows;  // to be done afterwards
  MSGPACK_DEFINE(id, kind, chains, removed, added, flows)
};

/// Carry it out and answer batch_done.
struct apply_batch {
  std::shared_ptr<const batch> what;
  template <class Packer>
  void msgpack_pack(Packer& packer) const {
    packer.pack(what ? *what : batch{});
  }
};
/// Send turn_due as soon as other messages have had their turn.
struct continue_soon {
  MSGPACK_DEFINE()
};
/// Send retry_due after the pause; tell about the trouble.
struct retry_after {
  std::int64_t pause_ms = 0;
  std::string why;
  MSGPACK_DEFINE(pause_ms, why)
};
/// This machine answers ARP for these addresses and no others. Sorted.
struct announce {
  std::vector<address> ips;
  MSGPACK_DEFINE(ips)
};
using effect = std::variant<apply_batch, continue_soon, retry_after, announce>;
using effects = std::vector<effect>;

/// One Service and what belongs to it; `info` is empty while only slices of it are known.
struct service_state {
  std::unique_ptr<service_info> info;
  std::map<std::string, slice_info> slices;
  std::map<std::string, lineup> lines;  // by port name
  std::map<frontend, std::vector<backend>> udp_flows;
};

/// Everything the proxy knows.
struct state {
  explicit state(options limits = {}) : config(limits) {}

  options config;
  std::map<std::string, service_state> services;
  std::map<std::string, std::string> service_of_slice;
  element_table table;
  std::set<std::string> dirty;                            // services whose part of the table is to be decided anew
  element_table::change_map pending;                      // of the table since the last batch
  std::set<frontend> pending_flows;                       // UDP frontends whose backends have changed since
  std::set<frontend> flows_in_flight;                     // those that the batch under way looks after
  std::set<chain_id> chains;                              // known to the kernel
  std::map<std::string, std::vector<address>> announced;  // by service, those of this machine
  std::optional<std::set<address>> told;                  // by the last announce
  bool is_synced = false;
  bool whole = true;            // the next batch replaces the table
  bool turn_pending = false;    // continue_soon was asked for
  bool pausing = false;         // retry_after was asked for
  std::uint64_t in_flight = 0;  // id of the batch under way; 0: none
  std::uint64_t last_id = 0;
  std::uint32_t failures = 0;  // in a row
};

/// One event in, its consequences out.
effects step(state& s, const event& e);

/// Throws std::logic_error when the records contradict each other. For tests and replays.
void check_invariants(const state& s);

}  // namespace troupe::kube_proxy

MSGPACK_ADD_ENUM(troupe::kube_proxy::batch_kind)
