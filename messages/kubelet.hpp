// The kubelet's interface: one actor per node. Its work comes from the api_server's watch; what others ask of it
// directly is the content of a pod: logs, commands.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <caf/typed_actor.hpp>

#include "messages/api_server.hpp"
#include "messages/container_runtime.hpp"
#include "messages/message.hpp"
#include "messages/timer.hpp"

namespace troupe::kubelet {

/// Reads the log of a container of a pod on this node (GET pods/NAME/log). Answers: container::log_chunk with the same
/// id, one by one as in container::read_log: send container::log_more to whoever sent the last chunk. A pod or
/// container that cannot be read gives one chunk with `end` and an error: not_found, or invalid_argument with
/// Kubernetes' text
/// (`container "x" in pod "y" is waiting to start: ContainerCreating`).
struct read_pod_log {
  std::uint64_t id = 0;
  std::string namespace_name, pod, container;
  bool previous = false;  // of the container's run before this one
  bool follow = false;
  bool timestamps = false;
  std::int64_t tail_lines = -1;
  std::int64_t limit_bytes = 0;
  std::int64_t since_ns = 0;  // Unix time
  TROUPE_MESSAGE(read_pod_log, id, namespace_name, pod, container, previous, follow, timestamps, tail_lines,
                 limit_bytes, since_ns)
};

/// Opens a stream into a pod on this node (pods/exec, pods/attach, pods/portforward). Answer: stream::opened with the
/// same id, then as in container::open_stream, whose fields these are. Errors: not_found with Kubernetes' text
/// (`container not found ("x")`), and the runtime's own.
struct open_pod_stream {
  std::uint64_t id = 0;
  container::stream_kind kind = container::stream_kind::exec;
  std::string namespace_name, pod, container;
  std::vector<std::string> command;
  bool stdin_open = false, stdout_open = true, stderr_open = true, tty = false;
  std::int32_t port = 0;
  TROUPE_MESSAGE(open_pod_stream, id, kind, namespace_name, pod, container, command, stdin_open, stdout_open,
                 stderr_open, tty, port)
};

/// A kubelet.
using kubelet_actor = caf::typed_actor<caf::reacts_to<api::response>,          // answers to its requests
                                       caf::reacts_to<api::watch_delivery>,    // its pods
                                       caf::reacts_to<container::reply>,       // from the runtime
                                       caf::reacts_to<container::happenings>,  // of pods without a worker
                                       caf::reacts_to<container::log_chunk>, caf::reacts_to<timer_due>,
                                       caf::reacts_to<read_pod_log>,      // answers container::log_chunk
                                       caf::reacts_to<open_pod_stream>>;  // answers stream::opened

}  // namespace troupe::kubelet
