// The scheduler's decisions: pods and nodes come in, bindings and explanations go out. No clock, no chance of its own.
//
// A step is short: pods are tried in slices, each bounded by the nodes it looks at. A chosen pod is assumed to be on
// its node at once, so that the next one sees the room taken; a failed binding takes the assumption back.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <variant>
#include <vector>

#include "actors/scheduler/queue.hpp"
#include "actors/scheduler/scores.hpp"
#include "actors/scheduler/snapshot.hpp"
#include "actors/scheduler/types.hpp"
#include "actors/scheduler/verdict.hpp"

namespace troupe::scheduler {

/// Limits; the defaults are Kubernetes' where it has one.
struct options {
  queue_options queue;
  std::size_t max_bindings = 128;        // in flight at a time: enough to keep the api_server busy, and no queue before it
  std::size_t slice_nodes = 8192;        // nodes looked at in one step
  std::size_t slice_pods = 64;           // pods tried in one step
  std::size_t slice_hints = 512;         // unschedulable pods judged anew in one step
  std::size_t min_feasible_nodes = 100;  // minFeasibleNodesToFind
  MSGPACK_DEFINE(queue, max_bindings, slice_nodes, slice_pods, slice_hints, min_feasible_nodes)
};

// -- events. `at_ms` is a steady clock's milliseconds.

/// A node appeared or changed.
struct node_observed {
  std::int64_t at_ms = 0;
  node_info node;
  MSGPACK_DEFINE(at_ms, node)
};
/// A node is gone.
struct node_removed {
  std::int64_t at_ms = 0;
  std::string name;
  MSGPACK_DEFINE(at_ms, name)
};
/// A pod appeared or changed.
struct pod_observed {
  std::int64_t at_ms = 0;
  pod_info pod;
  MSGPACK_DEFINE(at_ms, pod)
};
/// A pod is gone.
struct pod_removed {
  std::int64_t at_ms = 0;
  std::string uid;
  MSGPACK_DEFINE(at_ms, uid)
};
/// All nodes and pods there are have been observed; scheduling may begin.
struct synced {
  std::int64_t at_ms = 0;
  MSGPACK_DEFINE(at_ms)
};
/// Answer to continue_soon: time for the next slice.
struct slice_due {
  std::int64_t at_ms = 0;
  std::uint64_t random = 0;  // breaks ties
  MSGPACK_DEFINE(at_ms, random)
};
/// Answer to wake_at.
struct wake_due {
  std::int64_t at_ms = 0;
  MSGPACK_DEFINE(at_ms)
};
/// How a bind_pod ended. code 201 or 200: bound. 0: no answer came.
struct binding_answered {
  std::int64_t at_ms = 0;
  std::string uid;
  std::uint16_t code = 0;
  std::string message;
  MSGPACK_DEFINE(at_ms, uid, code, message)
};
using event =
    std::variant<node_observed, node_removed, pod_observed, pod_removed, synced, slice_due, wake_due, binding_answered>;

// -- effects

/// POST pods/NAME/binding.
struct bind_pod {
  std::string uid;
  std::string namespace_name;
  std::string name;
  std::string node;
  MSGPACK_DEFINE(uid, namespace_name, name, node)
};
/// Set the condition PodScheduled=False by PATCH pods/NAME/status.
struct patch_condition {
  std::string uid;
  std::string namespace_name;
  std::string name;
  std::string reason;  // Unschedulable, SchedulerError
  std::string message;
  MSGPACK_DEFINE(uid, namespace_name, name, reason, message)
};
/// Tell about the pod in an Event.
struct record_event {
  std::string uid;
  std::string namespace_name;
  std::string name;
  std::uint64_t revision = 0;
  bool warning = false;
  std::string reason;  // FailedScheduling, Scheduled
  std::string action;  // Scheduling, Binding
  std::string message;
  MSGPACK_DEFINE(uid, namespace_name, name, revision, warning, reason, action, message)
};
/// Send slice_due as soon as other messages have had their turn.
struct continue_soon {
  MSGPACK_DEFINE()
};
/// Send wake_due at this steady millisecond. Earlier wishes stay valid.
struct wake_at {
  std::int64_t at_ms = 0;
  MSGPACK_DEFINE(at_ms)
};
using effect = std::variant<bind_pod, patch_condition, record_event, continue_soon, wake_at>;
using effects = std::vector<effect>;

/// Everything the scheduler knows.
struct state {
  explicit state(options limits = {}) : config(limits), queue(limits.queue) {}

  options config;
  node_table nodes;
  scheduling_queue queue;
  bool is_synced = false;
  bool slice_pending = false;     // continue_soon was asked for
  std::int64_t wake_pending = 0;  // earliest wake_at asked for
  std::size_t next_start = 0;     // rotating start of the node search
  /// Changed nodes whose unschedulable pods are to be judged anew, and how far the first sweep is.
  std::deque<slot_id> sweeps;
  scheduling_queue::wait_key sweep_from{};
  score_board board;
  std::vector<slot_id> feasible;
};

/// One event in, its consequences out.
effects step(state& s, const event& e);

/// Why the pod cannot be scheduled now, node by node; empty when the pod is unknown or bound.
verdict explain(state& s, const std::string& uid);

/// How many feasible nodes are enough, by cluster size (percentageOfNodesToScore at its adaptive default).
std::size_t enough_nodes(std::size_t all, std::size_t at_least);

/// Throws std::logic_error when the accounts do not add up. For tests and replays.
void check_invariants(const state& s);

}  // namespace troupe::scheduler
