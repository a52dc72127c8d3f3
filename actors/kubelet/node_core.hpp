// The node's own life: registration, heartbeat by Lease, status. What is wrong with the node's runtime becomes its
// Ready condition.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "actors/kubelet/pod_core.hpp"

namespace troupe::kubelet {

/// What the node is. Set once.
struct node_options {
  std::string name;
  std::string ip;
  std::string hostname;  // empty: the name
  std::string pod_cidr;  // "10.244.1.0/24"
  std::string provider_id;
  std::vector<std::pair<std::string, std::string>> labels;  // besides hostname, os and arch
  std::vector<std::pair<std::string, std::string>> taints;  // "key=value", effect
  // Capacity; allocatable is the same less `reserved_*`.
  std::int64_t milli_cpu = 4000;
  std::int64_t memory = 8ll << 30;
  std::int64_t ephemeral_storage = 100ll << 30;
  std::int64_t pods = 110;
  std::int64_t reserved_milli_cpu = 0;
  std::int64_t reserved_memory = 0;
  // status.nodeInfo
  std::string machine_id, system_uuid, boot_id, kernel, os_image;
  std::string architecture = "amd64";
  std::string kubelet_version = "v1.36.4";
  // Seconds, as Kubernetes' kubelet.
  std::int64_t lease_duration = 40;
  std::int64_t lease_period = 10;
  std::int64_t status_period = 10;   // when something changed
  std::int64_t report_period = 300;  // when nothing did
  MSGPACK_DEFINE(name, ip, hostname, pod_cidr, provider_id, labels, taints, milli_cpu, memory, ephemeral_storage, pods,
                 reserved_milli_cpu, reserved_memory, machine_id, system_uuid, boot_id, kernel, os_image, architecture,
                 kubelet_version, lease_duration, lease_period, status_period, report_period)
};

// -- events

/// The kubelet starts. `random` spreads the heartbeats of many nodes.
struct node_started {
  moment at;
  std::uint64_t random = 0;
  MSGPACK_DEFINE(at, random)
};
/// Answer to read_node and create_node. code 0: none came.
struct node_answered {
  moment at;
  std::uint16_t code = 0;
  std::string uid;
  MSGPACK_DEFINE(at, code, uid)
};
/// Answer to patch_node.
struct node_patched {
  moment at;
  std::uint16_t code = 0;
  MSGPACK_DEFINE(at, code)
};
/// Answer to create_lease and renew_lease.
struct lease_answered {
  moment at;
  std::uint16_t code = 0;
  MSGPACK_DEFINE(at, code)
};
/// What this machine has left. Not known: all of it.
struct machine_room {
  double disk = 1, inodes = 1;            // shares that are free, where pods and images lie
  std::int64_t memory_bytes = INT64_MAX;  // available
  MSGPACK_DEFINE(disk, inodes, memory_bytes)
};
/// Answer to check_runtime.
struct runtime_checked {
  moment at;
  std::string error;  // it did not answer
  bool runtime_ready = false, network_ready = false;
  std::string runtime_message, network_message;
  std::string version;  // "containerd://1.6.20"
  machine_room room;
  MSGPACK_DEFINE(at, error, runtime_ready, network_ready, runtime_message, network_message, version, room)
};
/// The runtime was out of sight and has come back.
struct runtime_returned {
  moment at;
  MSGPACK_DEFINE(at)
};
/// Answer to wake_node.
struct node_clock_due {
  moment at;
  MSGPACK_DEFINE(at)
};
using node_event = std::variant<node_started, node_answered, node_patched, lease_answered, runtime_checked,
                                node_clock_due, runtime_returned>;

// -- effects

struct read_node {
  MSGPACK_DEFINE()
};
struct create_node {
  std::string json;
  MSGPACK_DEFINE(json)
};
/// Merge patch of the node (labels of an existing one) or, with `status`, strategic merge patch of its status.
struct patch_node {
  bool status = false;
  std::string json;
  MSGPACK_DEFINE(status, json)
};
struct create_lease {
  std::string json;
  MSGPACK_DEFINE(json)
};
/// Merge patch of the Lease.
struct renew_lease {
  std::string json;
  MSGPACK_DEFINE(json)
};
struct check_runtime {
  MSGPACK_DEFINE()
};
struct node_note {
  bool warning = false;
  std::string reason, message;
  MSGPACK_DEFINE(warning, reason, message)
};
/// Send node_clock_due at this steady millisecond.
struct wake_node {
  std::int64_t steady_ms = 0;
  MSGPACK_DEFINE(steady_ms)
};
using node_effect =
    std::variant<read_node, create_node, patch_node, create_lease, renew_lease, check_runtime, node_note, wake_node>;
using node_effects = std::vector<node_effect>;

struct node_condition {
  std::string status, reason, message;
  std::string since;  // lastTransitionTime
};

struct node_state {
  node_options options;
  bool asked = false;  // read_node or create_node is under way
  bool registered = false;
  bool existed = false;  // it was there before
  std::string uid;
  bool lease_exists = true;  // until a renewal says otherwise
  bool lease_under_way = false;
  std::int64_t lease_due_ms = 0;
  std::int64_t lease_renewed_ms = 0;  // steady; 0: never
  bool runtime_known = false;
  bool check_under_way = false;
  std::int64_t check_due_ms = 0;
  runtime_checked runtime;
  // Pressure lasts until so long after its last sight. Steady milliseconds; 0: none.
  std::int64_t disk_pressure_until_ms = 0, memory_pressure_until_ms = 0;
  std::vector<std::pair<std::string, node_condition>> conditions;
  bool patch_under_way = false;
  std::int64_t report_due_ms = 0;  // when the status is written though nothing changed
  std::string reported;            // what was written last, without times
  std::string pending;             // what is being written
  std::int64_t retry_ms = 0;
  std::int64_t wake_ms = 0;
};

/// One event in, its consequences out.
node_effects step(node_state& s, const node_event& e);

/// The node as it is registered.
std::string node_json(node_state& s, std::int64_t wall_ms);

}  // namespace troupe::kubelet
