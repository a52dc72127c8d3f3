// Loads libtroupe_cri.so, which lies beside the binary (client.hpp says why it is not linked).
#pragma once

#include <memory>
#include <string>

#include "actors/container_runtime/cri/client.hpp"
#include "messages/status.hpp"

namespace troupe::cri {

/// A connection to the runtime behind the socket. Fails when the module or a library it needs is missing; that the
/// runtime is not there shows only when it is asked. Thread-safe.
result<std::unique_ptr<client>> open_client(const std::string& socket);

/// Asks and waits for the answer; for start and stop of a process, never in an actor. `what` counts when the failure is
/// ok.
container::failure ask_and_wait(client& runtime, question what, answer* out = nullptr);

}  // namespace troupe::cri
