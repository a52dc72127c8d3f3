// A handle that stays good while its target is restarted: an actor outside the scheduler that passes each message on
// without a hop, keeps a bounded number while the target is down, and tells observers when the target changes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/actor_system.hpp>
#include <caf/monitorable_actor.hpp>

#include "messages/supervisor.hpp"
#include "runtime/actor_context.hpp"

namespace troupe::runtime {

/// The untyped half of a stable reference. Thread-safe.
class ref_actor final : public caf::monitorable_actor {
 public:
  ref_actor(caf::actor_config& settings, std::string name, std::size_t park_limit);

  const char* name() const override { return name_.c_str(); }
  void enqueue(caf::mailbox_element_ptr message, caf::execution_unit* where) override;
  void on_destroy() override;

  /// The next incarnation: what is parked goes to it first, observers hear of it.
  void set_target(const caf::strong_actor_ptr& target);
  /// The same without a word to observers: the target before still answers what it was asked.
  void hand_over(const caf::strong_actor_ptr& target);
  /// The target of that address is gone; ignored when there is another by now.
  void drop_target(const caf::actor_addr& gone);
  /// There will be no target again: what is parked and what still comes is bounced.
  void close();
  /// From now on the observer gets supervision::ref_changed; at once if the target is up.
  void subscribe(const caf::strong_actor_ptr& observer);

  std::uint64_t incarnation() const;
  /// The incarnation that a message sent now will reach: the current one, or the next while there is none.
  std::uint64_t reached_incarnation() const;
  bool up() const;

 private:
  /// Drops the target when it ends; at once if it has.
  void mind(const caf::strong_actor_ptr& target);
  std::vector<caf::strong_actor_ptr> observers_locked();
  void tell(const std::vector<caf::strong_actor_ptr>& observers, std::uint64_t incarnation, bool up);

  const std::string name_;
  const std::size_t limit_;
  mutable std::mutex mutex_;
  caf::strong_actor_ptr target_;
  std::uint64_t incarnation_ = 0;
  bool passing_parked_ = false;  // what is parked has not all reached the new target yet
  bool closed_ = false;
  std::deque<caf::mailbox_element_ptr> parked_;
  std::vector<caf::actor_addr> observers_;
};

/// A shared, counted pointer to a ref_actor.
class any_ref {
 public:
  any_ref() = default;
  explicit any_ref(caf::strong_actor_ptr actor) : actor_(std::move(actor)) {}
  /// `name`: the path of the child it will stand for. `park_limit`: messages kept while the target is down; further
  /// ones are bounced (requests) or dropped.
  static any_ref make(caf::actor_system& system, std::string name, std::size_t park_limit = 4096);

  explicit operator bool() const { return static_cast<bool>(actor_); }
  ref_actor* operator->() const { return static_cast<ref_actor*>(actor_->get()); }
  const caf::strong_actor_ptr& pointer() const { return actor_; }

 private:
  caf::strong_actor_ptr actor_;
};

/// A typed handle that survives restarts of its target. Cheap to copy.
template <class Handle>
class stable_ref {
 public:
  stable_ref() = default;

  /// A reference without a target yet; a supervisor gives it one (child_spec::reference).
  static stable_ref make(caf::actor_system& system, std::string name, std::size_t park_limit = 4096) {
    return stable_ref(any_ref::make(system, std::move(name), park_limit));
  }
  /// A reference to an actor that nobody restarts (tests, tools).
  static stable_ref fixed(const Handle& target, std::string name = "fixed") {
    auto made = make(target.home_system(), std::move(name));
    made.set_target(target);
    return made;
  }

  explicit operator bool() const { return static_cast<bool>(handle_); }
  /// What messages are sent to: send(ref.handle(), message).
  const Handle& handle() const { return handle_; }
  const any_ref& any() const { return ref_; }
  std::uint64_t incarnation() const { return ref_->incarnation(); }
  std::uint64_t reached_incarnation() const { return ref_->reached_incarnation(); }
  bool up() const { return ref_->up(); }
  std::string name() const { return ref_->name(); }

  void set_target(const Handle& target) { ref_->set_target(caf::actor_cast<caf::strong_actor_ptr>(target)); }
  /// Another target from now on, while the one before still answers what it was asked.
  void hand_over(const Handle& target) { ref_->hand_over(caf::actor_cast<caf::strong_actor_ptr>(target)); }

  /// Calls the function, in the component, whenever the target comes up or goes away; at once when it is up already.
  void observe(actor_context& by, std::function<void(const supervision::ref_changed&)> run) const {
    by.on_ref_changed(name(), std::move(run));
    ref_->subscribe(caf::strong_actor_ptr{by.actor().ctrl()});
  }

 private:
  explicit stable_ref(any_ref ref) : ref_(std::move(ref)), handle_(caf::actor_cast<Handle>(ref_.pointer())) {}
  any_ref ref_;
  Handle handle_;
};

}  // namespace troupe::runtime
