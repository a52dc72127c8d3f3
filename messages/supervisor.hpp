// The supervision tree's interface: what `troupe debug actors` asks for and what tests use to crash a component.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <caf/typed_actor.hpp>

#include "messages/message.hpp"

namespace troupe::supervision {

/// One actor of the live tree.
struct actor_info {
  std::string path;             // "root/api_server/worker-0"
  std::string state;            // running, backing_off, stopped
  std::uint64_t restarts = 0;   // since the supervisor started
  std::uint64_t mailbox = 0;    // messages waiting
  std::uint64_t processed = 0;  // messages handled by this incarnation
  std::uint64_t cpu_us = 0;     // microseconds spent in handlers by this incarnation
  std::string last_error;       // why the last incarnation ended
  MSGPACK_DEFINE(path, state, restarts, mailbox, processed, cpu_us, last_error)
};

/// Describe the tree below. Answers tree.
struct describe {
  std::uint64_t id = 0;
  TROUPE_MESSAGE(describe, id)
};
struct tree {
  std::uint64_t id = 0;
  std::vector<actor_info> actors;
  TROUPE_MESSAGE(tree, id, actors)
};

/// A component handles this by throwing: how tests and operators prove that supervision works. Refused unless the
/// configuration allows it (debug.allow_crash).
struct crash {
  std::string path;
  TROUPE_MESSAGE(crash, path)
};

/// To the observers of a stable reference: its target came up or went away. `incarnation` counts its targets so far;
/// what was sent to an earlier one and is not answered yet never will be.
struct ref_changed {
  std::string name;  // of the reference: the child's path
  std::uint64_t incarnation = 0;
  bool up = false;
  TROUPE_MESSAGE(ref_changed, name, incarnation, up)
};

/// What whoever asks a supervisor must understand.
using client_actor = caf::typed_actor<caf::reacts_to<tree>>;  // answer to describe

/// A supervisor.
using supervisor_actor = caf::typed_actor<caf::reacts_to<describe>,  // answers tree: everything below its path
                                          caf::reacts_to<crash>>;    // passed on to the component of that path

}  // namespace troupe::supervision
