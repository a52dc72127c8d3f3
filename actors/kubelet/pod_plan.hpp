// What the kubelet's pod core decides by: the few fields of a pod, read once per generation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/document.hpp"
#include "messages/object.hpp"
#include "messages/status.hpp"

namespace troupe::kubelet {

enum class action_kind : std::uint8_t { none, exec, http, tcp, grpc, sleep };

/// What a probe or a lifecycle hook does (core/v1 ProbeHandler, LifecycleHandler). Named ports are resolved.
struct action_plan {
  action_kind kind = action_kind::none;
  std::vector<std::string> command;
  std::string host;  // empty: the pod's address
  std::int32_t port = 0;
  std::string path;
  bool https = false;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string service;       // grpc
  std::int64_t seconds = 0;  // sleep
  explicit operator bool() const { return kind != action_kind::none; }
};

/// core/v1 Probe with its defaults. Seconds.
struct probe_plan {
  action_plan action;
  std::int64_t initial_delay = 0;
  std::int64_t period = 10;
  std::int64_t timeout = 1;
  std::int64_t successes = 1;
  std::int64_t failures = 3;
  std::int64_t grace = -1;  // terminationGracePeriodSeconds of its own, or below 0
};

enum class container_role : std::uint8_t { init, sidecar, regular };
enum class pull_policy : std::uint8_t { if_not_present, always, never };
enum class restart_rule : std::uint8_t { always, on_failure, never };
enum class probe_kind : std::uint8_t { startup, liveness, readiness };
constexpr std::size_t probe_kinds = 3;

struct container_plan {
  std::string name;
  std::string image;
  container_role role = container_role::regular;
  pull_policy pull = pull_policy::if_not_present;
  restart_rule restart = restart_rule::always;
  probe_plan probes[probe_kinds];  // by probe_kind
  action_plan post_start;
  action_plan pre_stop;
  const probe_plan& probe(probe_kind kind) const { return probes[static_cast<std::size_t>(kind)]; }
};

/// What an earlier kubelet reported of a container.
struct reported_container {
  std::string name;
  std::string container_id;  // with the runtime's scheme
  std::uint32_t restarts = 0;
  bool started = false;
};

struct pod_plan {
  std::string namespace_name, name, uid;
  std::int64_t generation = 0;
  restart_rule restart = restart_rule::always;
  std::int64_t grace = 30;            // terminationGracePeriodSeconds
  std::int64_t active_deadline = -1;  // seconds, below 0: none
  bool host_network = false;
  std::vector<container_plan> containers;  // init containers and sidecars first, in their order
  std::vector<std::string> readiness_gates;
  // metadata
  bool deleting = false;
  std::int64_t deletion_grace = 0;
  // status as it stands
  std::string phase;
  std::string start_time;  // RFC 3339, empty: none
  std::vector<reported_container> reported;
  std::vector<std::pair<std::string, std::pair<std::string, std::string>>> conditions;  // type: status, transition time
};

/// Reads the plan of a pod.
result<pod_plan> read_plan(const object& pod);
pod_plan read_plan(const document& pod);

/// Whether a new version of the object can differ in anything but its status and metadata's small print.
bool worth_reading(const object& before, const object& now);

/// "True", "False", "Unknown" of the pod's condition of that type; empty when it has none. Reads the text, not the
/// document.
std::string_view condition_status(const object& pod, std::string_view type);

}  // namespace troupe::kubelet
