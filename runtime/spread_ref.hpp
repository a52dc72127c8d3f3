// One handle for several equal actors: passes each message to the next of them, in the sender's context, without a hop.
// The actors may stand in groups, for messages of different kinds.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <caf/monitorable_actor.hpp>
#include <caf/type_erased_tuple.hpp>

#include "runtime/stable_ref.hpp"

namespace troupe::runtime {

/// Groups of equal actors, none of them empty.
using spread_targets = std::vector<std::vector<any_ref>>;
/// Which group a message is for.
using spread_choice = std::function<std::size_t(const caf::type_erased_tuple&)>;

/// The untyped half. The targets are stable references, so a target that is being restarted only delays its messages.
class spread_actor final : public caf::monitorable_actor {
 public:
  spread_actor(caf::actor_config& settings, std::string name, spread_targets targets, spread_choice choose);

  const char* name() const override { return name_.c_str(); }
  void enqueue(caf::mailbox_element_ptr message, caf::execution_unit* where) override;
  void on_destroy() override;

 private:
  const std::string name_;
  const spread_targets targets_;
  const spread_choice choose_;
  std::atomic<std::size_t> next_{0};
};

/// A handle that spreads messages over the targets, which all have the interface or more. An exit message ends the
/// handle, not the targets.
caf::strong_actor_ptr make_spread(caf::actor_system& system, std::string name, spread_targets targets,
                                  spread_choice choose);

}  // namespace troupe::runtime
