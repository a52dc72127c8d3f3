// Every live component by its path, with its counters: what `troupe debug actors` and /metrics read. Reading never
// waits for an actor.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <caf/actor_addr.hpp>
#include <caf/actor_control_block.hpp>

#include "messages/supervisor.hpp"

namespace troupe::runtime {

/// Counters of one incarnation of an actor. Written by its senders and itself, read by anyone.
struct actor_counters {
  std::atomic<std::uint64_t> enqueued{0};
  std::atomic<std::uint64_t> processed{0};
  std::atomic<std::uint64_t> busy_ns{0};  // in handlers, from a sample of the messages

  std::uint64_t depth() const {
    auto out = processed.load(std::memory_order_relaxed);
    auto in = enqueued.load(std::memory_order_relaxed);
    return in > out ? in - out : 0;
  }
};

/// Paths and counters. Thread-safe.
class actor_registry {
 public:
  /// A component came to life. Returns the path it has got: with "#2" and so on behind it while another one lives
  /// there.
  std::string add(const std::string& path, caf::actor_addr address, std::shared_ptr<actor_counters> counters);
  /// It is gone; ignored when the path belongs to a later incarnation by now.
  void remove(const std::string& path, const actor_counters* counters);

  /// What a supervisor knows of a child; kept while the child is down.
  void set_state(const std::string& path, std::string_view state, std::uint64_t restarts, std::string_view last_error);
  /// The child is not supervised any more.
  void forget(const std::string& path);

  /// The live component of that path, or null.
  caf::strong_actor_ptr find(const std::string& path) const;
  /// Everything at or below the path, sorted by path. An empty path: everything.
  std::vector<supervision::actor_info> snapshot(std::string_view path = {}) const;

 private:
  struct entry {
    caf::actor_addr address;
    std::shared_ptr<actor_counters> counters;
    bool supervised = false;
    std::string state;
    std::uint64_t restarts = 0;
    std::string last_error;
  };
  mutable std::mutex mutex_;
  std::map<std::string, entry, std::less<>> entries_;
};

}  // namespace troupe::runtime
