// A whole graph of actors on virtual time in one thread: seeded interleavings, faults on the way, a digest of
// everything that was said. The same seed gives the same run.
//
//   simulation::world world{42};
//   auto store = world.system().spawn<...>();
//   world.run_for(std::chrono::seconds(30));
//   CHECK(world.digest() == ...);
//
// Every actor is stopped when the world goes. No detached or blocking actors, no loop actors, no threads in it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>

#include <caf/actor_system.hpp>

#include "runtime/services.hpp"
#include "runtime/simulation/faults.hpp"
#include "runtime/system_config.hpp"

namespace caf::scheduler {
class test_coordinator;
}

namespace troupe::runtime::simulation {

/// See the top of this file.
class world {
 public:
  explicit world(std::uint64_t seed, trace::recorder* recorder = nullptr);
  ~world();
  world(const world&) = delete;
  world& operator=(const world&) = delete;

  caf::actor_system& system() { return *system_; }
  system_config& setup() { return *config_; }
  simulated_services& outside() { return outside_; }
  std::uint64_t seed() const { return seed_; }
  std::uint64_t now_us() { return outside_.steady_now_us(); }

  /// Lets virtual time pass; everything that happens in it is done when this returns.
  void run_for(std::chrono::microseconds span);
  /// Handles messages until none is left, without letting time pass.
  void run_until_idle();
  /// Lets time pass until the condition holds; false when it does not within the span.
  bool run_until(const std::function<bool()>& condition, std::chrono::microseconds within);

  /// Adds a rule; the first one that drops or delays a message decides. Heal with clear_faults().
  void add_fault(fault_rule rule);
  void clear_faults();
  /// Messages between the two are lost, in both directions, until clear_faults(). Prefixes of paths.
  void partition(std::string one, std::string other);
  /// Each message is delayed by up to this much, at random.
  void jitter(std::chrono::microseconds up_to);
  /// Makes a component fail at its next message, as supervision::crash does.
  bool crash(const std::string& path);

  /// Over everything components have handled so far: order, time, receiver, sender, content.
  std::uint64_t digest() const;
  std::uint64_t messages() const;
  std::uint64_t dropped() const;

 private:
  class observer;
  bool step(std::uint64_t until_us);
  void stop_all();

  std::uint64_t seed_;
  std::mt19937_64 random_;
  simulated_services outside_;
  std::unique_ptr<observer> observer_;
  std::unique_ptr<system_config> config_;
  std::unique_ptr<caf::actor_system> system_;
  caf::scheduler::test_coordinator* scheduler_ = nullptr;
};

}  // namespace troupe::runtime::simulation
