// The hollow runtime's shell: a container runtime without containers, one actor per node.
#pragma once

#include "actors/container_runtime/hollow/core.hpp"
#include "messages/container_runtime.hpp"

namespace troupe::hollow {

container::runtime_actor spawn_hollow(caf::actor_system& system, options settings);

}  // namespace troupe::hollow
