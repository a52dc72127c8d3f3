// The part of a component that does not depend on its interface: identity, outside world, timers, control messages.
// Helpers such as api_session and informer hold a reference to it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include <caf/actor_cast.hpp>
#include <caf/local_actor.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/scheduled_actor.hpp>

#include "messages/supervisor.hpp"
#include "messages/timer.hpp"
#include "messages/urgency.hpp"
#include "runtime/system_config.hpp"

namespace troupe::runtime {

/// Where the next component made by this thread stands in the supervision tree. A supervisor opens one around a child's
/// start function, so that no constructor needs to be told its path.
class spawn_scope {
 public:
  spawn_scope(std::string path, std::uint64_t incarnation, urgency level = urgency::deciding);
  ~spawn_scope();
  spawn_scope(const spawn_scope&) = delete;
  spawn_scope& operator=(const spawn_scope&) = delete;

  static const spawn_scope* current();
  const std::string& path() const { return path_; }
  std::uint64_t incarnation() const { return incarnation_; }
  urgency level() const { return level_; }

 private:
  std::string path_;
  std::uint64_t incarnation_;
  urgency level_;
  const spawn_scope* outer_;
};

/// What every component has, whatever its interface. Used by the component itself and its helpers, in its handlers
/// only.
class actor_context {
 public:
  /// `name`: as in the supervision tree, or below the child being started ("worker-3").
  actor_context(caf::scheduled_actor& self, const std::string& name);
  virtual ~actor_context();
  actor_context(const actor_context&) = delete;
  actor_context& operator=(const actor_context&) = delete;

  // -- identity
  /// Full path in the supervision tree ("root/api_server/worker-0"); the bare name of an actor outside the tree.
  const std::string& path() const { return path_; }
  /// How many times this child has been started, from 1.
  std::uint64_t incarnation() const { return incarnation_; }
  caf::scheduled_actor& actor() const { return self_; }

  // -- the outside world
  services& outside() const { return config_.outside(); }
  std::uint64_t wall_now_ms() const { return outside().wall_now_ms(); }
  std::uint64_t steady_now_us() const { return outside().steady_now_us(); }
  std::uint64_t random_u64() const { return outside().random_u64(); }
  std::string new_uid() const { return outside().new_uid(); }
  /// One log line; the component's path is added.
  void log(log_level level, std::string_view event, std::string_view text = {}) const;
  /// Null when cores are not recorded.
  trace::recorder* recorder() const { return config_.recorder; }
  const system_config& setup() const { return config_; }
  /// The last recorded step of the component's core: the cause of what it does next. 0: none was recorded.
  std::uint64_t last_step() const { return last_step_; }
  void note_step(std::uint64_t seq) { last_step_ = seq; }

  // -- timers; none can be cancelled, all end with the actor
  /// Delivers timer_due{token} to the component after the delay. Tokens below 2^63 are the component's own.
  void start_timer(std::chrono::milliseconds delay, std::uint64_t token);
  /// Runs the function in the component after the delay: for helpers, which have no message of their own.
  void after(std::chrono::milliseconds delay, std::function<void()> run);
  /// Runs the function in the component behind the messages that wait already: for slicing long work.
  void post(std::function<void()> run);

  // -- messages
  /// Sends with the component as the sender, without the static check of a typed actor's send().
  template <class Handle, class Message>
  void send_to(const Handle& to, Message&& message) {
    if (auto* target = caf::actor_cast<caf::abstract_actor*>(to))
      target->eq_impl(caf::make_message_id(), caf::strong_actor_ptr{self_.ctrl()}, self_.context(),
                      std::forward<Message>(message));
  }
  /// Calls the function whenever the stable reference of that name changes (stable_ref::observe arranges it).
  void on_ref_changed(const std::string& name, std::function<void(const supervision::ref_changed&)> run);

  const actor_counters& counters() const { return *counters_; }

 protected:
  /// The actor has ended: it leaves the registry, its helpers' timers are dropped.
  void leave();
  /// Handles control messages: crash, ref_changed, timers of helpers. True when the message was one.
  bool take_control(caf::mailbox_element& message);
  /// A timer of the component is due and its interface has no timer_due: what it overrides instead.
  virtual void on_timer(std::uint64_t token);
  /// Obeys supervision::crash. Throws; a supervisor stops its children first instead.
  virtual void crash_now(const std::string& path);
  /// Set by components whose interface lists timer_due.
  bool handles_timers_ = false;

  caf::scheduled_actor& self_;
  const system_config& config_;
  std::shared_ptr<actor_counters> counters_;

 private:
  void obey(const supervision::crash& order);
  void deliver(const supervision::ref_changed& change);
  bool take_timer(std::uint64_t token);

  std::string path_;
  std::uint64_t incarnation_ = 1;
  std::uint64_t next_helper_timer_ = 0;
  std::uint64_t last_step_ = 0;
  std::unordered_map<std::uint64_t, std::function<void()>> helper_timers_;
  std::multimap<std::string, std::function<void(const supervision::ref_changed&)>> ref_observers_;
};

/// The context of an actor that is a component, else null.
actor_context* context_of(const caf::strong_actor_ptr& actor);

}  // namespace troupe::runtime
