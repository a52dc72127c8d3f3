// Spreading of messages over equal actors.
#include "runtime/spread_ref.hpp"

#include <caf/actor_config.hpp>
#include <caf/make_actor.hpp>
#include <caf/system_messages.hpp>

namespace troupe::runtime {

spread_actor::spread_actor(caf::actor_config& settings, std::string name, spread_targets targets, spread_choice choose)
    : monitorable_actor(settings), name_(std::move(name)), targets_(std::move(targets)), choose_(std::move(choose)) {}

void spread_actor::enqueue(caf::mailbox_element_ptr message, caf::execution_unit* where) {
  const auto& content = message->content();
  if (content.match_elements<caf::exit_msg>()) {
    cleanup(caf::error(content.get_as<caf::exit_msg>(0).reason), where);
    return;
  }
  const auto& group = targets_[choose_(content)];
  auto index = next_.fetch_add(1, std::memory_order_relaxed) % group.size();
  group[index].pointer()->enqueue(std::move(message), where);
}

void spread_actor::on_destroy() {
  if (getf(is_cleaned_up_flag)) return;
  cleanup(caf::exit_reason::unreachable, nullptr);
  monitorable_actor::on_destroy();
}

caf::strong_actor_ptr make_spread(caf::actor_system& system, std::string name, spread_targets targets,
                                  spread_choice choose) {
  caf::actor_config settings;
  return caf::make_actor<spread_actor, caf::strong_actor_ptr>(system.next_actor_id(), system.node(), &system, settings,
                                                              std::move(name), std::move(targets), std::move(choose));
}

}  // namespace troupe::runtime
