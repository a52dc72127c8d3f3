// What runs containers on a node, as the kubelet sees it: sandboxes, containers, images, execution, logs.
//
// Modelled on CRI v1 (runtime.v1 RuntimeService and ImageService); names and meanings follow it, so that the driver
// `cri` is a translation and `hollow` a simulation. A driver is one actor per node. Everybody on the node sends
// `request` and gets exactly one `reply` with the same id; what changes by itself arrives as `happenings` at
// subscribers.
//
// Rules for drivers:
// - Requests about one sandbox or container take effect in the order they were sent; requests about different ones may
//   overtake each other. A slow one (pull_image, exec_sync, stop_container) never delays the others.
// - stop_* and remove_* of something that is gone succeed. Removing a running container kills it first; removing a
//   sandbox stops it and removes its containers.
// - A sandbox's (name, namespace, uid, attempt) and a container's (sandbox, name, attempt) are unique while they exist:
//   creating a second one is `already_exists`.
// - Whenever a sandbox or container changes state, for whatever reason, its subscribers get its new state. A runtime
//   without events of its own is polled by its driver (once a second is enough).
// - Times are nanoseconds since the Unix epoch; 0: has not happened.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <caf/typed_actor.hpp>

#include "messages/bytes.hpp"
#include "messages/message.hpp"

namespace troupe::container {

using label_list = std::vector<std::pair<std::string, std::string>>;

/// Why a request failed; gRPC's codes as far as runtimes use them.
enum class fault : std::uint8_t {
  none,
  unknown,
  invalid_argument,
  not_found,
  already_exists,
  permission_denied,
  resource_exhausted,
  deadline_exceeded,  // exec_sync: the command ran longer than its timeout
  unavailable,        // the runtime cannot be reached; nothing happened or it is not known what
  unimplemented,
};

/// Outcome of a request. `message` is the runtime's own text: it appears in events and statuses.
struct failure {
  fault code = fault::none;
  std::string message;
  bool ok() const { return code == fault::none; }
  MSGPACK_DEFINE(code, message)
};

// -- what pods and containers are made of

/// Linux namespaces of a pod.
struct namespace_options {
  bool host_network = false;
  bool host_pid = false;
  bool host_ipc = false;
  bool share_process_namespace = false;
  bool host_users = true;  // false asks for a user namespace
  MSGPACK_DEFINE(host_network, host_pid, host_ipc, share_process_namespace, host_users)
};

struct port_mapping {
  std::string protocol = "TCP";  // TCP, UDP, SCTP
  std::int32_t container_port = 0;
  std::int32_t host_port = 0;  // 0: none
  std::string host_ip;
  MSGPACK_DEFINE(protocol, container_port, host_port, host_ip)
};

struct dns_config {
  std::vector<std::string> servers, searches, options;
  MSGPACK_DEFINE(servers, searches, options)
};

/// Security of a container, or of a sandbox for what it has in common. Numbers below 0: not set.
struct security_options {
  std::int64_t run_as_user = -1;
  std::int64_t run_as_group = -1;
  std::vector<std::int64_t> supplemental_groups;
  bool privileged = false;
  bool read_only_root = false;
  bool no_new_privileges = false;  // allowPrivilegeEscalation: false
  std::vector<std::string> add_capabilities, drop_capabilities;
  std::string seccomp;   // "", "RuntimeDefault", "Unconfined", "localhost/PATH"
  std::string apparmor;  // the same forms
  std::vector<std::string> masked_paths, readonly_paths;
  MSGPACK_DEFINE(run_as_user, run_as_group, supplemental_groups, privileged, read_only_root, no_new_privileges,
                 add_capabilities, drop_capabilities, seccomp, apparmor, masked_paths, readonly_paths)
};

/// cgroup settings. 0: not set, except oom_score_adj.
struct linux_resources {
  std::int64_t cpu_shares = 0;
  std::int64_t cpu_quota = 0;     // microseconds per period
  std::int64_t cpu_period = 0;    // microseconds
  std::int64_t memory_limit = 0;  // bytes
  std::int64_t oom_score_adj = 0;
  label_list unified;  // cgroup v2 keys, hugepage limits as "hugetlb.2MB.max"
  MSGPACK_DEFINE(cpu_shares, cpu_quota, cpu_period, memory_limit, oom_score_adj, unified)
};

/// A pod's sandbox: the namespaces its containers share. Drivers keep it, or enough of it: create_container carries it
/// again.
struct sandbox_config {
  std::string name, uid, namespace_name;  // of the pod
  std::uint32_t attempt = 0;
  std::string hostname;
  std::string log_directory;  // "/var/log/pods/NAMESPACE_NAME_UID"
  dns_config dns;
  std::vector<port_mapping> ports;
  label_list labels;       // io.kubernetes.pod.{name,namespace,uid} and the pod's own
  label_list annotations;  // the pod's own
  std::string cgroup_parent;
  namespace_options namespaces;
  label_list sysctls;
  security_options security;
  std::string runtime_handler;
  MSGPACK_DEFINE(name, uid, namespace_name, attempt, hostname, log_directory, dns, ports, labels, annotations,
                 cgroup_parent, namespaces, sysctls, security, runtime_handler)
};

enum class mount_propagation : std::uint8_t { none, host_to_container, bidirectional };

struct mount {
  std::string container_path;
  std::string host_path;
  bool read_only = false;
  bool recursive_read_only = false;
  mount_propagation propagation = mount_propagation::none;
  MSGPACK_DEFINE(container_path, host_path, read_only, recursive_read_only, propagation)
};

struct container_config {
  std::string name;                  // as in the pod
  std::uint32_t attempt = 0;         // restart count
  std::string image;                 // what to run: an image id, or a reference
  std::string user_image;            // as the pod names it
  std::vector<std::string> command;  // empty: the image's entry point
  std::vector<std::string> args;     // empty and no command: the image's
  std::string working_dir;           // empty: the image's
  label_list envs;                   // name, value
  std::vector<mount> mounts;
  label_list labels;       // io.kubernetes.container.name and the sandbox's pod labels
  label_list annotations;  // io.kubernetes.container.* and hollow's
  std::string log_path;    // below the sandbox's log_directory: "NAME/ATTEMPT.log"
  bool stdin_open = false, stdin_once = false, tty = false;
  linux_resources resources;
  security_options security;
  std::string stop_signal;  // "SIGTERM"; empty: the image's
  MSGPACK_DEFINE(name, attempt, image, user_image, command, args, working_dir, envs, mounts, labels, annotations,
                 log_path, stdin_open, stdin_once, tty, resources, security, stop_signal)
};

// -- what exists

enum class sandbox_state : std::uint8_t { ready, not_ready };

struct sandbox_status {
  std::string id;
  std::string name, uid, namespace_name;
  std::uint32_t attempt = 0;
  sandbox_state state = sandbox_state::not_ready;
  std::int64_t created_ns = 0;
  std::vector<std::string> ips;  // empty with the host's network
  label_list labels, annotations;
  MSGPACK_DEFINE(id, name, uid, namespace_name, attempt, state, created_ns, ips, labels, annotations)
};

enum class container_state : std::uint8_t { created, running, exited, unknown };

struct container_status {
  std::string id;  // without the runtime's scheme ("containerd://")
  std::string sandbox_id;
  std::string pod_uid;
  std::string name;
  std::uint32_t attempt = 0;
  container_state state = container_state::unknown;
  std::int64_t created_ns = 0, started_ns = 0, finished_ns = 0;
  std::int32_t exit_code = 0;
  std::string image;      // as the container was created from
  std::string image_ref;  // resolved, with digest: status.containerStatuses.imageID
  std::string reason;     // "Completed", "Error", "OOMKilled", or what the runtime says
  std::string message;
  std::string log_path;  // absolute
  label_list labels, annotations;
  MSGPACK_DEFINE(id, sandbox_id, pod_uid, name, attempt, state, created_ns, started_ns, finished_ns, exit_code, image,
                 image_ref, reason, message, log_path, labels, annotations)
};

struct image_info {
  std::string id;
  std::vector<std::string> tags, digests;
  std::uint64_t size = 0;  // bytes
  std::int64_t user = -1;  // numeric user of the image's configuration, or -1
  std::string user_name;
  MSGPACK_DEFINE(id, tags, digests, size, user, user_name)
};

/// What a container uses. 0: not known.
struct container_stats {
  std::string id, pod_uid, name;
  std::int64_t time_ns = 0;
  std::uint64_t cpu_ns = 0;              // since its start
  std::uint64_t memory_working_set = 0;  // bytes
  std::uint64_t root_used_bytes = 0;
  MSGPACK_DEFINE(id, pod_uid, name, time_ns, cpu_ns, memory_working_set, root_used_bytes)
};

// -- operations; each names its answer

/// Answer: version_info.
struct get_version {};
struct version_info {
  std::string runtime_name;     // "containerd"; scheme of container ids
  std::string runtime_version;  // "1.6.20"
  std::string api_version;
};

/// Answer: status_info. Fails as unavailable when the runtime cannot be reached.
struct get_status {};
struct status_info {
  bool runtime_ready = false;
  std::string runtime_message;
  bool network_ready = false;
  std::string network_message;
};

/// Tells the node's pod range, "10.244.1.0/24"; comma-separated when dual-stack. Answer: done.
struct update_network {
  std::string pod_cidr;
};

/// Answer: sandbox_made, when the sandbox is ready with its network.
struct run_sandbox {
  sandbox_config config;
};
struct sandbox_made {
  std::string id;
  std::vector<std::string> ips;
};
/// Answer: done. Containers in it are killed, the network is torn down.
struct stop_sandbox {
  std::string id;
};
/// Answer: done.
struct remove_sandbox {
  std::string id;
};
/// Sandboxes and containers of one pod, or of all when the uid is empty. Answer: pod_list.
struct list_pods {
  std::string pod_uid;
};
struct pod_list {
  std::vector<sandbox_status> sandboxes;
  std::vector<container_status> containers;
};

/// Answer: container_made. The image must be present.
struct create_container {
  std::string sandbox_id;
  container_config config;
  sandbox_config sandbox;  // the same as the sandbox was made with
};
struct container_made {
  std::string id;
};
/// Answer: done, when its process runs.
struct start_container {
  std::string id;
};
/// Sends the stop signal, SIGKILL after the timeout (seconds; 0: at once). Answer: done, when it has exited.
struct stop_container {
  std::string id;
  std::int64_t timeout_s = 0;
};
/// Answer: done.
struct remove_container {
  std::string id;
};
/// Answer: done.
struct update_resources {
  std::string id;
  linux_resources resources;
};
/// Opens the log file anew after it was rotated. Answer: done.
struct reopen_log {
  std::string id;
};

/// Answer: exec_result; fails with deadline_exceeded after the timeout (seconds; 0: none).
struct exec_sync {
  std::string id;
  std::vector<std::string> command;
  std::int64_t timeout_s = 0;
};
struct exec_result {
  std::string output;  // stdout, then stderr; at most 16 KiB each
  std::int32_t exit_code = 0;
};

/// Answer: image_answer.
struct image_status {
  std::string image;  // a reference as the pod names it, or an id
};
struct image_answer {
  bool present = false;
  image_info info;
};
/// Credentials of a registry; all may be empty.
struct registry_auth {
  std::string username, password, server, identity_token, registry_token;
};
/// Answer: image_pulled.
struct pull_image {
  std::string image;
  registry_auth auth;
  sandbox_config sandbox;
};
struct image_pulled {
  std::string image_ref;
  std::uint64_t size = 0;
};
/// Answer: image_list.
struct list_images {};
struct image_list {
  std::vector<image_info> images;
};
/// Answer: done.
struct remove_image {
  std::string image;
};

/// Of one pod, or of all when the uid is empty. Answer: stats_list.
struct list_stats {
  std::string pod_uid;
};
struct stats_list {
  std::vector<container_stats> containers;
};

/// Nothing to say beyond success.
struct done {};

using operation =
    std::variant<get_version, get_status, update_network, run_sandbox, stop_sandbox, remove_sandbox, list_pods,
                 create_container, start_container, stop_container, remove_container, update_resources, reopen_log,
                 exec_sync, image_status, pull_image, list_images, remove_image, list_stats>;
using outcome = std::variant<done, version_info, status_info, sandbox_made, pod_list, container_made, exec_result,
                             image_answer, image_pulled, image_list, stats_list>;

/// One operation. Stays on the node: it is passed in memory only.
struct request {
  std::uint64_t id = 0;
  operation what;
  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, request& x) {
    return f(x.id);
  }
};

/// Answer to a request. `what` counts only when `error` is ok.
struct reply {
  std::uint64_t id = 0;
  failure error;
  outcome what;
  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, reply& x) {
    return f(x.id);
  }
};

/// From now on the sender gets the happenings of one pod; with an empty uid, those of pods nobody else subscribed to.
/// Ends with the subscriber, or by the same with `end` set. No answer.
struct subscribe {
  std::string pod_uid;
  bool end = false;
  TROUPE_MESSAGE(subscribe, pod_uid, end)
};

/// Sandboxes and containers whose state changed, as they are now. `gone`: ids that were removed.
/// `lost`: the driver lost sight of the runtime and found it again; whoever keeps a picture lists anew.
struct happenings {
  std::vector<sandbox_status> sandboxes;
  std::vector<container_status> containers;
  std::vector<std::string> gone;
  bool lost = false;
  TROUPE_MESSAGE(happenings, sandboxes, containers, gone, lost)
};

/// Reads a container's log. Answers: log_chunk one by one; the next one is sent when the last was asked for by
/// log_more, so that a slow reader slows the driver and not its memory.
struct read_log {
  std::uint64_t id = 0;  // of the reader's choice, unique among its open logs
  std::string container_id;
  std::string path;              // absolute, as in container_status
  bool follow = false;           // until the container is gone or the reader stops
  bool timestamps = false;       // each line begins with its time, RFC 3339 with nanoseconds
  std::int64_t tail_lines = -1;  // below 0: all
  std::int64_t limit_bytes = 0;  // 0: no limit
  std::int64_t since_ns = 0;     // only lines not older
  TROUPE_MESSAGE(read_log, id, container_id, path, follow, timestamps, tail_lines, limit_bytes, since_ns)
};
/// The reader wants the next chunk, or, with `stop`, no more.
struct log_more {
  std::uint64_t id = 0;
  bool stop = false;
  TROUPE_MESSAGE(log_more, id, stop)
};
/// A piece of a log, whole lines as the container wrote them. `end`: there is no more, or `error` says why not.
struct log_chunk {
  std::uint64_t id = 0;
  shared_bytes data;
  bool end = false;
  failure error;
  TROUPE_MESSAGE(log_chunk, id, data, end, error)
};

enum class stream_kind : std::uint8_t { exec, attach, port_forward };

/// Opens a stream into a running container, or to a port of a sandbox; `port` 0: only says whether that would do.
/// Answer to the sender: stream::opened with the same id; then stream::chunk, stream::credit and, at last,
/// stream::closed come from the driver or an actor of its own, to which the reader's own chunks and credits go
/// (messages/streams.hpp). A reader that ends takes its streams with it.
struct open_stream {
  std::uint64_t id = 0;  // of the reader's choice, unique among its open streams
  stream_kind kind = stream_kind::exec;
  std::string target;                // container; of port_forward the sandbox
  std::vector<std::string> command;  // exec only
  bool stdin_open = false, stdout_open = true, stderr_open = true, tty = false;
  std::int32_t port = 0;
  TROUPE_MESSAGE(open_stream, id, kind, target, command, stdin_open, stdout_open, stderr_open, tty, port)
};

/// What a user of a runtime driver must understand.
using client_actor = caf::typed_actor<caf::reacts_to<reply>,       // answer to a request
                                      caf::reacts_to<happenings>,  // to subscribers
                                      caf::reacts_to<log_chunk>>;  // to readers of logs

/// A runtime driver.
using runtime_actor = caf::typed_actor<caf::reacts_to<request>,       // answers reply
                                       caf::reacts_to<subscribe>,     // no answer; happenings follow
                                       caf::reacts_to<read_log>,      // answers log_chunk
                                       caf::reacts_to<log_more>,      // answers log_chunk
                                       caf::reacts_to<open_stream>>;  // answers stream::opened

}  // namespace troupe::container

MSGPACK_ADD_ENUM(troupe::container::fault)
MSGPACK_ADD_ENUM(troupe::container::sandbox_state)
MSGPACK_ADD_ENUM(troupe::container::stream_kind)
MSGPACK_ADD_ENUM(troupe::container::container_state)
MSGPACK_ADD_ENUM(troupe::container::mount_propagation)
