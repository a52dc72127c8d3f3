#include "runtime/message_types.hpp"

#include <caf/actor_system_config.hpp>

#include "messages/type_ids.hpp"

namespace troupe::runtime {

void add_all_message_types(caf::actor_system_config& to) { to.add_message_types<caf::id_block::troupe>(); }

}  // namespace troupe::runtime
