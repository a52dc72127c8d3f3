// The base of every actor. An actor is written like this (interface in messages/ or, as here, beside the shell):
//
//   using greeter_actor = caf::typed_actor<caf::reacts_to<greet>, caf::reacts_to<timer_due>>;
//   class greeter : public component<greeter_actor> {
//    public:
//     explicit greeter(caf::actor_config& settings) : component(settings, "greeter") {}
//     behavior_type make_behavior() override {
//       start_timer(std::chrono::seconds(1), 7);
//       return {[this](const greet& m) { on_greet(m); }, [this](const timer_due& t) { on_tick(t.token); }};
//     }
//   };
//   auto handle = system.spawn<greeter>();      // or, supervised, in a child_spec's start function
//
// An interface without timer_due may override on_timer(token) instead. Control messages (supervision::crash,
// supervision::ref_changed, timers of helpers) never reach the behavior and are in no interface. A handler that throws
// ends the actor; its supervisor starts the next incarnation.
#pragma once

#include <string>
#include <type_traits>
#include <utility>

#include <caf/detail/type_list.hpp>
#include <caf/typed_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "runtime/instrumented.hpp"

namespace troupe::runtime {

/// True when the interface lists timer_due.
template <class Interface>
inline constexpr bool lists_timer_due =
    caf::detail::tl_contains<typename Interface::signatures, caf::reacts_to<timer_due>>::value;

/// Base class of every actor of the given typed interface; see the top of this file. `name` is the actor's name among
/// its siblings.
template <class Interface>
class component : public instrumented<typename Interface::base> {
 public:
  using interface_type = Interface;
  using behavior_type = typename Interface::behavior_type;

  component(caf::actor_config& settings, const std::string& name)
      : instrumented<typename Interface::base>(settings, name) {
    this->handles_timers_ = lists_timer_due<Interface>;
  }
};

}  // namespace troupe::runtime
