// Between the driver and its module: one connection to a CRI v1 runtime, without a trace of gRPC in it. gRPC and
// protobuf cost 10 MB and 20 ms at start, so they live in `libtroupe_cri.so`, which is loaded when a process has a
// runtime to talk to (loader.hpp) and lies beside the binary.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "messages/container_runtime.hpp"

namespace troupe::cri {

/// A sandbox or container as a runtime lists it: enough to see that something changed.
struct brief {
  std::string id;
  std::string sandbox_id;  // of a container
  std::string pod_uid;
  std::int32_t state = 0;  // as the runtime numbers its states
};

/// What exists and carries all these labels. Answer: brief_list.
struct list_brief {
  container::label_list labels;
};
struct brief_list {
  std::vector<brief> sandboxes, containers;
};
/// Answer: container::sandbox_status.
struct inspect_sandbox {
  std::string id;
};
/// Answer: container::container_status, without what only the list of containers tells (sandbox_id).
struct inspect_container {
  std::string id;
};

/// Where a stream can be had. Answer: stream_url, an http URL of a server of the runtime's that speaks Kubernetes'
/// streaming protocols; it is good once, for some seconds.
struct find_stream {
  container::open_stream what;
};
struct stream_url {
  std::string url;
};

/// What a runtime can be asked: the driver's own operations (all but list_pods, which the driver answers itself) and
/// the questions it polls with.
using question = std::variant<container::operation, list_brief, inspect_sandbox, inspect_container, find_stream>;
using answer =
    std::variant<container::outcome, brief_list, container::sandbox_status, container::container_status, stream_url>;

/// A connection. Calls overtake each other.
class client {
 public:
  using done = std::function<void(container::failure, answer)>;

  client() = default;
  client(const client&) = delete;
  client& operator=(const client&) = delete;
  /// Cancels what is under way: those callbacks come before this returns.
  virtual ~client() = default;

  /// Starts a call. The callback comes exactly once, from a thread of the client; it must not block. `labels` go onto
  /// the sandbox or container that is made.
  virtual void ask(question what, const container::label_list& labels, done on_done) = 0;
};

/// The module's one exported function: a connection to the runtime behind a unix socket. It connects when it is used.
using open_function = client* (*)(const char* socket);
inline constexpr const char* open_symbol = "troupe_cri_open";

}  // namespace troupe::cri
