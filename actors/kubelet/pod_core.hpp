// One pod on its node: from the pod object, the runtime's state, probe results and the clock to what is to be done.
//
// The core is level-driven: an event updates the state, then sync() looks at the whole and starts whatever can be
// started next. At most one operation per container is under way. Order of a pod's life: list what the runtime has
// (adoption) -> volumes -> sandbox -> init containers in order -> containers; at the end: hooks and stop signals,
// regular containers before sidecars -> sandbox -> volumes -> last status -> deletion of the object.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "actors/kubelet/pod_plan.hpp"
#include "messages/container_runtime.hpp"
#include "messages/object_reference.hpp"

namespace troupe::kubelet {

/// A point in time. Steady milliseconds for waiting, wall milliseconds for what is shown.
struct moment {
  std::int64_t steady_ms = 0;
  std::int64_t wall_ms = 0;
  MSGPACK_DEFINE(steady_ms, wall_ms)
};

enum class hook_kind : std::uint8_t { post_start, pre_stop };
enum class probe_outcome : std::uint8_t { success, failure, unknown };

}  // namespace troupe::kubelet

MSGPACK_ADD_ENUM(troupe::kubelet::probe_kind)
MSGPACK_ADD_ENUM(troupe::kubelet::hook_kind)
MSGPACK_ADD_ENUM(troupe::kubelet::probe_outcome)

namespace troupe::kubelet {

// -- events

/// The api_server shows the pod, first or anew.
struct pod_observed {
  moment at;
  object_ptr pod;
  MSGPACK_DEFINE(at, pod)
};
/// The api_server has the pod no more.
struct pod_vanished {
  moment at;
  MSGPACK_DEFINE(at)
};
/// Answer to list_runtime.
struct runtime_listed {
  moment at;
  container::failure error;
  std::vector<container::sandbox_status> sandboxes;
  std::vector<container::container_status> containers;
  MSGPACK_DEFINE(at, error, sandboxes, containers)
};
/// The runtime says what changed.
struct runtime_changed {
  moment at;
  std::vector<container::sandbox_status> sandboxes;
  std::vector<container::container_status> containers;
  std::vector<std::string> gone;
  MSGPACK_DEFINE(at, sandboxes, containers, gone)
};
/// Answer to prepare_volumes; the error names the volume and what is wrong with it.
struct volumes_prepared {
  moment at;
  std::string error;
  MSGPACK_DEFINE(at, error)
};
/// Answer to run_sandbox.
struct sandbox_answered {
  moment at;
  container::failure error;
  std::string id;
  std::vector<std::string> ips;
  MSGPACK_DEFINE(at, error, id, ips)
};
/// Answer to stop_sandbox and remove_sandbox.
struct sandbox_ended {
  moment at;
  container::failure error;
  std::string id;
  bool removed = false;
  MSGPACK_DEFINE(at, error, id, removed)
};
/// Answer to check_image and pull_image. `size` bytes, `took_ms` of a pull.
struct image_answered {
  moment at;
  container::failure error;
  std::string container;
  bool pulled = false;
  bool present = false;
  std::string image_ref;
  std::uint64_t size = 0;
  std::int64_t took_ms = 0;
  MSGPACK_DEFINE(at, error, container, pulled, present, image_ref, size, took_ms)
};
/// Answer to create_container. `config`: the failure lies in what the pod refers to, not in the runtime.
struct container_created {
  moment at;
  container::failure error;
  bool config = false;
  std::string container;
  std::string id;
  MSGPACK_DEFINE(at, error, config, container, id)
};
/// Answer to start_container and stop_container.
struct container_answered {
  moment at;
  container::failure error;
  std::string container;
  std::string id;
  bool stopped = false;
  MSGPACK_DEFINE(at, error, container, id, stopped)
};
/// Answer to run_hook; empty error: it went well.
struct hook_done {
  moment at;
  std::string container;
  std::string id;
  hook_kind hook = hook_kind::post_start;
  std::string error;
  MSGPACK_DEFINE(at, container, id, hook, error)
};
/// Answer to run_probe.
struct probe_done {
  moment at;
  std::string container;
  std::string id;
  probe_kind probe = probe_kind::liveness;
  probe_outcome outcome = probe_outcome::success;
  std::string output;
  MSGPACK_DEFINE(at, container, id, probe, outcome, output)
};
/// Answer to write_status. code 0: no answer came.
struct status_written {
  moment at;
  std::uint16_t code = 0;
  std::uint64_t revision = 0;  // of the pod that was written
  MSGPACK_DEFINE(at, code, revision)
};
/// Answer to delete_pod.
struct deletion_answered {
  moment at;
  std::uint16_t code = 0;
  MSGPACK_DEFINE(at, code)
};
/// Answer to wake_at.
struct clock_due {
  moment at;
  MSGPACK_DEFINE(at)
};
using pod_event = std::variant<pod_observed, pod_vanished, runtime_listed, runtime_changed, volumes_prepared,
                               sandbox_answered, sandbox_ended, image_answered, container_created, container_answered,
                               hook_done, probe_done, status_written, deletion_answered, clock_due>;

// -- effects

struct list_runtime {
  bool again = false;  // after a failure: not at once
  MSGPACK_DEFINE(again)
};
struct prepare_volumes {
  MSGPACK_DEFINE()
};
/// Remove what prepare_volumes made. No answer.
struct release_volumes {
  MSGPACK_DEFINE()
};
struct run_sandbox {
  std::uint32_t attempt = 0;
  MSGPACK_DEFINE(attempt)
};
struct stop_sandbox {
  std::string id;
  bool remove = false;
  MSGPACK_DEFINE(id, remove)
};
struct check_image {
  std::string container, image;
  MSGPACK_DEFINE(container, image)
};
struct pull_image {
  std::string container, image;
  MSGPACK_DEFINE(container, image)
};
/// Collect what the container's environment refers to and create it.
struct create_container {
  std::string container;
  std::uint32_t attempt = 0;
  std::string image_ref;
  std::string sandbox_id;
  MSGPACK_DEFINE(container, attempt, image_ref, sandbox_id)
};
struct start_container {
  std::string container, id;
  MSGPACK_DEFINE(container, id)
};
struct stop_container {
  std::string container, id;
  std::int64_t timeout_s = 0;
  MSGPACK_DEFINE(container, id, timeout_s)
};
/// An old container whose traces are not needed any more. No answer.
struct remove_container {
  std::string id;
  MSGPACK_DEFINE(id)
};
struct run_hook {
  std::string container, id;
  hook_kind hook = hook_kind::post_start;
  MSGPACK_DEFINE(container, id, hook)
};
struct run_probe {
  std::string container, id;
  probe_kind probe = probe_kind::liveness;
  MSGPACK_DEFINE(container, id, probe)
};
/// PATCH pods/NAME/status with this strategic merge of `status`.
struct write_status {
  std::string status;
  MSGPACK_DEFINE(status)
};
/// DELETE with gracePeriodSeconds 0 and the uid as precondition.
struct delete_pod {
  MSGPACK_DEFINE()
};
/// Tell about the pod in an Event. `container`: the Event's fieldPath names it.
struct pod_note {
  bool warning = false;
  std::string container;
  std::string reason, message;
  MSGPACK_DEFINE(warning, container, reason, message)
};
/// Send clock_due at this steady millisecond. Earlier wishes stay valid.
struct wake_at {
  std::int64_t steady_ms = 0;
  MSGPACK_DEFINE(steady_ms)
};
/// Nothing of the pod is left: its worker may go.
struct pod_finished {
  MSGPACK_DEFINE()
};
using pod_effect = std::variant<list_runtime, prepare_volumes, release_volumes, run_sandbox, stop_sandbox, check_image,
                                pull_image, create_container, start_container, stop_container, remove_container,
                                run_hook, run_probe, write_status, delete_pod, pod_note, wake_at, pod_finished>;
using pod_effects = std::vector<pod_effect>;

// -- state

/// Where a container stands. `idle`: nothing under way, not running.
enum class stage : std::uint8_t {
  idle,
  checking,
  pulling,
  creating,
  starting,
  post_start,
  running,
  pre_stop,
  stopping
};

/// How a container's run ended. Times: Unix nanoseconds.
struct termination {
  bool happened = false;
  std::string id;
  std::int32_t exit_code = 0;
  std::string reason, message;
  std::int64_t started_ns = 0, finished_ns = 0;
};

/// Delays after failures: doubled up to a cap, forgotten after ten quiet minutes. Steady milliseconds.
struct back_off {
  std::int64_t delay_ms = 0;  // of the next wait; 0: the next try is free
  std::int64_t updated_ms = 0;
  std::int64_t until_ms = 0;  // no try before
};

struct probe_state {
  std::int64_t due_ms = 0;  // 0: not planned
  bool under_way = false;
  std::int64_t streak = 0;  // equal outcomes in a row
  bool streak_success = false;
  bool result = false;
};

struct container_run {
  stage at = stage::idle;
  std::string id;  // of the newest container
  std::string image_ref;
  std::uint32_t attempt = 0;  // of the newest container
  bool created = false;       // there is or was a container
  std::uint32_t sandbox = 0;  // attempt of the sandbox it is in
  termination ended;          // the newest container's end
  termination before;         // the end of the one before it
  std::int64_t started_ns = 0;
  std::int64_t started_ms = 0;                  // steady
  std::string waiting_reason, waiting_message;  // why it does not start
  back_off crash, image, create;
  probe_state probes[probe_kinds];
  // While it is being stopped:
  std::int64_t stop_deadline_ms = 0;
  std::int64_t stop_grace = 0;
  bool running() const { return at >= stage::post_start && at <= stage::stopping; }
  bool busy() const { return at != stage::idle; }
};

enum class sandbox_stage : std::uint8_t { none, starting, ready, stopping };

/// Where and for whom this core works.
struct pod_options {
  std::string host_ip;
  std::string runtime_name;  // scheme of container ids
  std::int64_t backoff_initial_ms = 10'000;
  std::int64_t backoff_max_ms = 300'000;
  std::int64_t retry_ms = 10'000;  // after failures that have no back-off of their own
  MSGPACK_DEFINE(host_ip, runtime_name, backoff_initial_ms, backoff_max_ms, retry_ms)
};

struct pod_state {
  pod_options options;
  object_ptr object;  // as last read
  pod_plan plan;
  bool planned = false;
  bool vanished = false;
  bool listed = false;
  bool list_under_way = false;
  std::int64_t retry_at_ms = 0;  // for whatever failed and is tried again as a whole

  enum class volume_stage : std::uint8_t { none, preparing, ready, released } volumes = volume_stage::none;
  bool volume_failed = false;

  sandbox_stage sandbox = sandbox_stage::none;
  std::string sandbox_id;
  std::uint32_t sandbox_attempt = 0;
  bool sandbox_attempted = false;
  std::vector<std::string> ips;
  std::map<std::string, bool> leftovers;  // older sandboxes being removed

  std::vector<container_run> runs;   // as plan.containers
  std::string start_time;            // status.startTime
  std::int64_t started_wall_ms = 0;  // the same
  std::int64_t first_seen_steady_ms = 0;
  bool initialized = false;  // all init containers have succeeded once

  // The end.
  bool stopping = false;  // no container is started any more
  std::int64_t kill_grace = -1;
  std::string failed_reason, failed_message;  // phase Failed for a reason of the pod
  bool terminal = false;                      // all has ended; the phase is Succeeded or Failed for good
  bool frozen = false;                        // ended before this incarnation: its status stands
  bool deletion_sent = false;
  bool finished = false;

  // Status.
  std::map<std::string, std::pair<std::string, std::string>> conditions;  // type: status, transition time
  std::string last_status;                                                // as last written or being written
  bool write_under_way = false;
  std::string written_status;          // as acknowledged
  std::uint64_t written_revision = 0;  // of the pod when it was
  std::int64_t write_retry_ms = 0;
  std::int64_t wake_ms = 0;
};

/// One event in, its consequences out.
pod_effects step(pod_state& s, const pod_event& e);

/// "Pending", "Running", "Succeeded" or "Failed".
std::string phase_of(const pod_state& s);
/// Member "status" of the patch that write_status carries, as things stand.
std::string status_json(pod_state& s, std::int64_t wall_ms);

}  // namespace troupe::kubelet
