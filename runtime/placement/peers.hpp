// Who is monitored on behalf of how many: one monitor for each actor, however many streams it has.
#pragma once

#include <cstddef>
#include <map>

#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>

#include "runtime/actor_context.hpp"

namespace troupe::runtime {

/// Used in the handlers of one component, which gets the down messages.
class peers {
 public:
  explicit peers(actor_context& in) : in_(in) {}

  void add(const caf::strong_actor_ptr& who) {
    auto address = caf::actor_cast<caf::actor_addr>(who);
    if (++counts_[address] == 1) in_.actor().monitor(address);
  }
  void drop(const caf::actor_addr& who) {
    auto found = counts_.find(who);
    if (found == counts_.end() || --found->second > 0) return;
    counts_.erase(found);
    in_.actor().demonitor(who);
  }
  /// It has ended.
  void gone(const caf::actor_addr& who) { counts_.erase(who); }

 private:
  actor_context& in_;
  std::map<caf::actor_addr, std::size_t> counts_;
};

}  // namespace troupe::runtime
