// An actor that lives inside a thread of its own, typically in an epoll loop: messages queue up, an eventfd wakes the
// loop, and the loop handles them. Written like this:
//
//   class gateway_thread : public loop_actor<api::client_actor> {
//    public:
//     gateway_thread(caf::actor_config& settings, int listener) : loop_actor(settings, "gateway-0") ...
//     behavior_type make_behavior() override { return {[this](const api::response& r) { ... }, ...}; }
//     void run() override {            // the thread's body: add wake_fd() to epoll (EPOLLIN, level triggered)
//       while (!ended()) { epoll_wait(...); if (woken) drain(); ...sockets... }
//     }
//   };
//   auto handle = spawn_loop<gateway_thread>(system, listener);   // in a child_spec's start function
//
// run() and handlers share the thread, so they share state without locks; both may send(). An exit message ends the
// actor inside drain(); then ended() is true and run() must return. An exception out of run() or a handler ends it too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <caf/scoped_execution_unit.hpp>
#include <caf/typed_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "runtime/component.hpp"

namespace troupe::runtime {

/// Messages for a loop, and the eventfd that says there are some. Thread-safe.
class loop_queue {
 public:
  loop_queue();
  ~loop_queue();
  loop_queue(const loop_queue&) = delete;
  loop_queue& operator=(const loop_queue&) = delete;

  /// Readable while messages wait.
  int fd() const { return fd_; }
  /// Adds a message; false (and the message stays with the caller) once closed.
  bool push(caf::mailbox_element_ptr& message);
  /// Takes everything that waits and resets the eventfd.
  void take(std::vector<caf::mailbox_element_ptr>& into);
  /// Makes the eventfd readable.
  void wake();
  /// No message is accepted any more; returns those that wait.
  std::vector<caf::mailbox_element_ptr> close();

 private:
  std::mutex mutex_;
  std::vector<caf::mailbox_element_ptr> waiting_;
  int fd_ = -1;
  bool closed_ = false;
};

/// Answers the requests among the messages with an error.
void bounce(std::vector<caf::mailbox_element_ptr>& messages);

/// Replaces CAF's mailbox and scheduling: the actor is run by its loop.
template <class Base>
class loop_mailbox : public Base {
 public:
  using Base::Base;
  using Base::enqueue;

  void enqueue(caf::mailbox_element_ptr message, caf::execution_unit*) override {
    if (!queue_.push(message)) {
      std::vector<caf::mailbox_element_ptr> late;
      late.push_back(std::move(message));
      bounce(late);
    }
  }

  void launch(caf::execution_unit*, bool, bool hide) override {
    if (!hide) this->register_at_system();
  }

  bool cleanup(caf::error&& why, caf::execution_unit* where) override {
    auto left = queue_.close();
    bounce(left);
    return Base::cleanup(std::move(why), where);
  }

 protected:
  loop_queue queue_;
};

/// Base class of an actor inside a loop; see the top of this file.
template <class Interface>
class loop_actor : public instrumented<loop_mailbox<typename Interface::base>> {
 public:
  using interface_type = Interface;
  using behavior_type = typename Interface::behavior_type;

  loop_actor(caf::actor_config& settings, const std::string& name)
      : instrumented<loop_mailbox<typename Interface::base>>(settings, name), unit_(&this->system()) {
    this->handles_timers_ = lists_timer_due<Interface>;
  }

  /// Readable (EPOLLIN) while messages wait.
  int wake_fd() const { return this->queue_.fd(); }

  /// Handles the messages that wait; returns how many it handled. Called by the loop when wake_fd() is readable.
  std::size_t drain() {
    this->queue_.take(batch_);
    std::size_t handled = 0;
    for (auto& message : batch_) {
      if (ended_) break;
      ++handled;
      if (this->activate(&unit_, *message) == caf::scheduled_actor::activation_result::terminated) ended_ = true;
      message.reset();
    }
    if (ended_) bounce(batch_);
    batch_.clear();
    return handled;
  }

  /// True once the actor has terminated: run() must return.
  bool ended() const { return ended_; }

  /// The body of the thread; returns when ended(). It may also return early: the actor ends then.
  virtual void run() = 0;

  /// Runs the loop in the calling thread until the actor has ended.
  void live() {
    this->context(&unit_);
    caf::error why;
    if (!this->activate(&unit_)) {
      ended_ = true;
      return;
    }
    try {
      run();
    } catch (const std::exception& broken) {
      this->log(log_level::error, "loop.crashed", broken.what());
      why = caf::make_error(caf::sec::runtime_error, std::string(broken.what()));
    }
    if (ended_) return;
    ended_ = true;
    this->quit(std::move(why));
    this->finalize();
  }

 private:
  caf::scoped_execution_unit unit_;
  std::vector<caf::mailbox_element_ptr> batch_;
  bool ended_ = false;
};

/// Makes a loop actor and starts its thread, which belongs to the system (system_config::threads()).
template <class Actor, class... Arguments>
auto spawn_loop(caf::actor_system& system, Arguments&&... arguments) {
  auto handle = system.spawn<Actor>(std::forward<Arguments>(arguments)...);
  auto* actor = static_cast<Actor*>(caf::actor_cast<caf::abstract_actor*>(handle));
  config_of(system).threads().start([handle, actor] { actor->live(); });
  return handle;
}

}  // namespace troupe::runtime
