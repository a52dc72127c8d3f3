// CAF's configuration as Troupe runs it: tuned scheduler, registered messages, and the outside world every actor may
// reach through its system.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include "runtime/actor_registry.hpp"
#include "runtime/services.hpp"

namespace troupe::runtime {

/// Threads that belong to the system, each running one loop_actor; joined before the system goes.
class thread_set {
 public:
  ~thread_set() { join(); }
  void start(std::function<void()> body);
  /// Waits for all of them to end by themselves.
  void join();

 private:
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

/// Configuration of an actor system. Lives longer than the system; so do the services.
class system_config : public caf::actor_system_config {
 public:
  /// `threads` 0: one scheduler thread per core.
  explicit system_config(services& outside, std::size_t threads = 0);
  /// Actors run by their urgency (priority_scheduler.hpp), where a simulation does not decide. Before the system is
  /// made.
  void schedule_by_urgency();

  services& outside() const { return *outside_; }
  actor_registry& registry() const { return registry_; }
  thread_set& threads() const { return threads_; }

  /// Not null while a simulation watches messages. Set before the system is made.
  message_hooks* hooks = nullptr;
  /// Not null while cores are recorded (runtime/trace/recorder.hpp). Set before the system is made.
  trace::recorder* recorder = nullptr;
  /// Whether supervision::crash is obeyed (configuration debug.allow_crash).
  bool allow_crash = false;

 private:
  services* outside_;
  mutable actor_registry registry_;
  mutable thread_set threads_;
};

/// The configuration of a running system, which must have been made with a system_config.
const system_config& config_of(const caf::actor_system& system);

}  // namespace troupe::runtime
