// What the scheduler knows of pods and nodes: the few fields it decides by, read from the objects by decode.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <msgpack.hpp>

namespace troupe::scheduler {

using label_list = std::vector<std::pair<std::string, std::string>>;

/// Amounts of resources: cpu in milli-cores, memory and ephemeral storage in bytes, all others by name.
struct resources {
  std::int64_t milli_cpu = 0;
  std::int64_t memory = 0;
  std::int64_t ephemeral_storage = 0;
  std::vector<std::pair<std::string, std::int64_t>> scalars;  // extended resources, huge pages; sorted by name
  MSGPACK_DEFINE(milli_cpu, memory, ephemeral_storage, scalars)
};

enum class taint_effect : std::uint8_t { no_schedule, prefer_no_schedule, no_execute, other };

/// core/v1 Taint without timeAdded.
struct taint {
  std::string key;
  std::string value;
  taint_effect effect = taint_effect::no_schedule;
  MSGPACK_DEFINE(key, value, effect)
  friend bool operator==(const taint&, const taint&) = default;
};

/// core/v1 Toleration. `any_effect`: the effect was left empty.
struct toleration {
  std::string key;
  std::string value;
  bool exists = false;  // operator Exists; otherwise Equal
  bool any_effect = true;
  taint_effect effect = taint_effect::no_schedule;
  MSGPACK_DEFINE(key, value, exists, any_effect, effect)
};

enum class selector_operator : std::uint8_t { in, not_in, exists, does_not_exist, gt, lt };

/// core/v1 NodeSelectorRequirement.
struct requirement {
  std::string key;
  selector_operator op = selector_operator::in;
  std::vector<std::string> values;
  MSGPACK_DEFINE(key, op, values)
};

/// core/v1 NodeSelectorTerm: all must hold. A term without any requirement matches nothing. `fields` know
/// metadata.name.
struct selector_term {
  std::vector<requirement> expressions;
  std::vector<requirement> fields;
  MSGPACK_DEFINE(expressions, fields)
};

/// core/v1 PreferredSchedulingTerm; weight 1..100.
struct preferred_term {
  std::int32_t weight = 1;
  selector_term term;
  MSGPACK_DEFINE(weight, term)
};

/// A port that a pod wants on its node.
struct host_port {
  std::string ip;        // empty and 0.0.0.0 mean every address
  std::string protocol;  // TCP, UDP, SCTP
  std::int32_t port = 0;
  MSGPACK_DEFINE(ip, protocol, port)
};

/// A pod as the scheduler sees it.
struct pod_info {
  std::string namespace_name;
  std::string name;
  std::string uid;
  std::uint64_t revision = 0;  // of the object this was read from
  std::string node_name;       // empty: not assigned
  bool ours = false;           // spec.schedulerName names this scheduler
  bool terminal = false;       // phase Succeeded or Failed
  bool deleting = false;       // has a deletionTimestamp
  std::int32_t priority = 0;
  bool never_preempts = false;        // preemptionPolicy Never
  resources requests;                 // effective: init containers, sidecars, overhead, pod level
  std::int64_t scored_milli_cpu = 0;  // requests with 100m per container that asks for none, as upstream scores by
  std::int64_t scored_memory = 0;     // the same with 200 MB
  std::vector<host_port> ports;
  label_list node_selector;
  bool has_required_affinity = false;  // an empty term list matches no node
  std::vector<selector_term> required_affinity;
  std::vector<preferred_term> preferred_affinity;
  std::vector<toleration> tolerations;
  std::string owner;  // uid of the controlling owner
  std::vector<std::string> gates;
  std::vector<std::string> unsupported;  // required constraints that are not evaluated, each as a clause
  std::string condition_reason;          // of PodScheduled=False as the object has it; empty otherwise
  std::string condition_message;
  MSGPACK_DEFINE(namespace_name, name, uid, revision, node_name, ours, terminal, deleting, priority, never_preempts,
                 requests, scored_milli_cpu, scored_memory, ports, node_selector, has_required_affinity,
                 required_affinity, preferred_affinity, tolerations, owner, gates, unsupported, condition_reason,
                 condition_message)
};

/// A node as the scheduler sees it.
struct node_info {
  std::string name;
  std::uint64_t revision = 0;
  bool unschedulable = false;
  label_list labels;
  std::vector<taint> taints;
  resources allocatable;
  std::int64_t allocatable_pods = 0;
  MSGPACK_DEFINE(name, revision, unschedulable, labels, taints, allocatable, allocatable_pods)
};

}  // namespace troupe::scheduler

MSGPACK_ADD_ENUM(troupe::scheduler::taint_effect)
MSGPACK_ADD_ENUM(troupe::scheduler::selector_operator)
