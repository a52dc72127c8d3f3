// The queue of actors that have messages, and the threads that run them.
#include "runtime/priority_scheduler.hpp"

#include <algorithm>
#include <chrono>

#include <caf/detail/set_thread_name.hpp>
#include <caf/logger.hpp>
#include <caf/scheduled_actor.hpp>

#include "runtime/background_thread.hpp"

namespace troupe::runtime {

namespace {

// Bits of the actor's flags that CAF 0.17 does not use (abstract_actor.hpp, abstract_channel.hpp).
constexpr int serving_flag = 0x20000000;
constexpr int reporting_flag = 0x40000000;

// Messages an actor may handle before others get their turn: few for those that may wait, since nobody is interrupted.
constexpr std::array<std::size_t, urgency_count> throughput{100, 20, 4};

std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

std::size_t class_of(caf::resumable& job) {
  if (job.subtype() != caf::resumable::scheduled_actor) return static_cast<std::size_t>(urgency::deciding);
  return static_cast<std::size_t>(urgency_of(static_cast<caf::scheduled_actor&>(job)));
}

}  // namespace

void set_urgency(caf::abstract_actor& actor, urgency level) {
  actor.unsetf(serving_flag | reporting_flag);
  if (level == urgency::serving) actor.setf(serving_flag);
  if (level == urgency::reporting) actor.setf(reporting_flag);
}

urgency urgency_of(const caf::abstract_actor& actor) {
  if (actor.getf(serving_flag)) return urgency::serving;
  return actor.getf(reporting_flag) ? urgency::reporting : urgency::deciding;
}

void fair_turns::woke(std::size_t which, const std::array<bool, urgency_count>& waiting) {
  auto least = next(waiting);
  if (least < urgency_count) clocks_[which] = std::max(clocks_[which], clocks_[least]);
}

std::size_t fair_turns::next(const std::array<bool, urgency_count>& waiting) const {
  std::size_t best = urgency_count;
  for (std::size_t i = 0; i < urgency_count; ++i)
    if (waiting[i] && (best == urgency_count || clocks_[i] < clocks_[best])) best = i;
  return best;
}

/// One thread that runs actors.
class priority_scheduler::worker final : public caf::execution_unit {
 public:
  worker(priority_scheduler& owner, pool& from, bool serves)
      : execution_unit(&owner.system()), owner_(owner), pool_(from), serves_(serves) {
    thread_ = std::thread([this] { live(); });
  }
  void join() { thread_.join(); }
  void exec_later(caf::resumable* job) override { owner_.enqueue(job); }

 private:
  void live() {
    CAF_SET_LOGGER_SYS(&system());
    caf::detail::set_thread_name(serves_ ? "serving" : "components");
    if (!serves_) yield_to_serving();
    system().thread_started();
    std::size_t which = 0;
    std::uint64_t spent = 0;
    while (auto* job = pool_.take(which, spent)) {
      auto begun = now_ns();
      auto outcome = job->resume(this, throughput[which]);
      spent = now_ns() - begun;
      if (outcome == caf::resumable::resume_later)
        owner_.enqueue(job);
      else
        caf::intrusive_ptr_release(job);
    }
    system().thread_terminates();
  }

  priority_scheduler& owner_;
  pool& pool_;
  const bool serves_;
  std::thread thread_;
};

std::array<bool, urgency_count> priority_scheduler::pool::waiting_classes() const {
  std::array<bool, urgency_count> some{};
  for (std::size_t i = 0; i < urgency_count; ++i) some[i] = !waiting_[i].empty();
  return some;
}

void priority_scheduler::pool::enqueue(caf::resumable* job, std::size_t which) {
  bool wake = false;
  {
    std::lock_guard guard(mutex_);
    if (waiting_[which].empty()) turns_.woke(which, waiting_classes());
    waiting_[which].push_back(job);
    wake = idle_ > called_;
    if (wake) ++called_;
  }
  if (wake) work_.notify_one();
}

caf::resumable* priority_scheduler::pool::take(std::size_t& which, std::uint64_t spent_ns) {
  std::unique_lock guard(mutex_);
  turns_.used(which, spent_ns);
  while (!stopping_) {
    which = turns_.next(waiting_classes());
    if (which < urgency_count) {
      auto* job = waiting_[which].front();
      waiting_[which].pop_front();
      return job;
    }
    ++idle_;
    work_.wait(guard);
    --idle_;
    if (called_ > 0) --called_;
  }
  return nullptr;
}

void priority_scheduler::pool::start(priority_scheduler& owner, std::size_t threads, bool serves) {
  for (std::size_t i = 0; i < threads; ++i) workers_.push_back(std::make_unique<worker>(owner, *this, serves));
}

void priority_scheduler::pool::stop() {
  {
    std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  for (auto& one : workers_) one->join();
}

void priority_scheduler::pool::drop_waiting() {
  for (auto& queue : waiting_) {
    for (auto* job : queue) cleanup_and_release(job);
    queue.clear();
  }
}

priority_scheduler::priority_scheduler(caf::actor_system& system) : abstract_coordinator(system) {}
priority_scheduler::~priority_scheduler() = default;

caf::actor_system::module* priority_scheduler::make(caf::actor_system& system, caf::detail::type_list<>) {
  return new priority_scheduler(system);  // the actor system owns its modules
}

void priority_scheduler::enqueue(caf::resumable* job) {
  auto which = class_of(*job);
  (which == static_cast<std::size_t>(urgency::serving) ? front_ : back_).enqueue(job, which);
}

void priority_scheduler::start() {
  front_.start(*this, num_workers(), true);
  back_.start(*this, num_workers(), false);
  clock_thread_ = std::thread([this] { run_clock(); });
  abstract_coordinator::start();
}

void priority_scheduler::run_clock() {
  CAF_SET_LOGGER_SYS(&system());
  caf::detail::set_thread_name("actors.clock");
  system().thread_started();
  clock_.run_dispatch_loop();
  system().thread_terminates();
}

void priority_scheduler::stop() {
  front_.stop();
  back_.stop();
  stop_actors();
  clock_.cancel_dispatch_loop();
  clock_thread_.join();
  // Only now does nobody add to them any more: neither a pool's workers to the other pool, nor the clock.
  front_.drop_waiting();
  back_.drop_waiting();
}

}  // namespace troupe::runtime
