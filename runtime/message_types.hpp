// CAF's registration of every message type: in one file, since it instantiates the serialisation of them all.
#pragma once

namespace caf {
class actor_system_config;
}

namespace troupe::runtime {

/// Makes the types of messages/type_ids.hpp known to the configuration.
void add_all_message_types(caf::actor_system_config& to);

}  // namespace troupe::runtime
