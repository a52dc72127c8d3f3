// CAF's scheduler, replaced: actors of a more urgent class go first, as long as it does not eat the others' share.
//
// CAF's own policies know one class. Under load a client's request then waits behind every report of every pod, and the
// reports of pods that run already delay those that are still to be placed; kube-apiserver meets the same with API
// priority and fairness (KEP-1040), where each priority level has its share of the seats.
//
// What clients wait for has threads of its own, as many as there are cores. The others have as many again, which the
// kernel gives less of the processor while the first are busy (background_thread.hpp): what serves a client starts at
// once, also when the others have more to do than fits. Among the others each class has a weight: its clock runs by the
// time its actors use divided by the weight, and the class with actors waiting whose clock is least goes next. A class
// that had nothing to do starts at the others' clock: it saves nothing up, but is served at once.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <caf/detail/thread_safe_actor_clock.hpp>
#include <caf/execution_unit.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include "messages/urgency.hpp"

namespace troupe::runtime {

/// Marks an actor; before it is launched. Actors without a mark are deciding.
void set_urgency(caf::abstract_actor& actor, urgency level);
urgency urgency_of(const caf::abstract_actor& actor);

/// Which class goes next. Not thread-safe; times in nanoseconds.
class fair_turns {
 public:
  /// The share of each class among those of its pool, when all have more to do than fits.
  static constexpr std::array<std::uint64_t, urgency_count> weights{12, 4, 1};

  /// The class got work after it had none; `waiting` says which others have some.
  void woke(std::size_t which, const std::array<bool, urgency_count>& waiting);
  /// Of the classes that wait, the one to go next; urgency_count when none does.
  std::size_t next(const std::array<bool, urgency_count>& waiting) const;
  /// An actor of the class has run for so long.
  void used(std::size_t which, std::uint64_t ns) { clocks_[which] += ns / weights[which]; }

 private:
  std::array<std::uint64_t, urgency_count> clocks_{};
};

/// See the top of this file. Made by CAF: `config.load<priority_scheduler>()`.
class priority_scheduler final : public caf::scheduler::abstract_coordinator {
 public:
  explicit priority_scheduler(caf::actor_system& system);
  ~priority_scheduler() override;
  static caf::actor_system::module* make(caf::actor_system& system, caf::detail::type_list<>);

  void enqueue(caf::resumable* job) override;
  caf::detail::thread_safe_actor_clock& clock() noexcept override { return clock_; }

 protected:
  void start() override;
  void stop() override;

 private:
  class worker;

  /// Threads that run some of the classes.
  class pool {
   public:
    void enqueue(caf::resumable* job, std::size_t which);
    /// Waits for work; null when the scheduler stops. `which` comes with the class of the worker's last job, which took
    /// `spent_ns`, and leaves with that of the next.
    caf::resumable* take(std::size_t& which, std::uint64_t spent_ns);
    void start(priority_scheduler& owner, std::size_t threads, bool serves);
    /// Ends the threads. What still waits, and what still comes, is kept until drop_waiting().
    void stop();
    void drop_waiting();

   private:
    std::array<bool, urgency_count> waiting_classes() const;

    std::mutex mutex_;
    std::condition_variable work_;
    std::array<std::deque<caf::resumable*>, urgency_count> waiting_;
    fair_turns turns_;
    std::size_t idle_ = 0;    // workers asleep
    std::size_t called_ = 0;  // of those, how many have been woken and are on their way
    bool stopping_ = false;
    std::vector<std::unique_ptr<worker>> workers_;
  };

  void run_clock();

  pool front_;  // serving
  pool back_;   // deciding, reporting
  caf::detail::thread_safe_actor_clock clock_;
  std::thread clock_thread_;
};

}  // namespace troupe::runtime
