// Many watches read by one thread: counts events, and lets a caller look into them.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/bench/client/target.hpp"

namespace troupe::bench {

class channel;

/// Opens watches, each on a connection of its own (or `streams` on each, with HTTP/2), and reads them until destroyed.
class watcher {
 public:
  /// `on_line` sees each event of the first watch, in the reading thread; may be empty. Throws when it cannot connect.
  watcher(const target& where, const std::string& path, std::size_t watches, bool h2 = false, std::size_t streams = 1,
          std::function<void(std::string_view)> on_line = {});
  ~watcher();
  watcher(const watcher&) = delete;
  watcher& operator=(const watcher&) = delete;

  /// Events of all watches so far.
  std::uint64_t events() const { return events_.load(std::memory_order_relaxed); }
  std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  /// Watches that ended by themselves.
  std::uint64_t ended() const { return ended_.load(std::memory_order_relaxed); }
  /// Waits until `count` events have come; false when the time is over before.
  bool wait_for(std::uint64_t count, std::chrono::milliseconds time) const;

 private:
  void read_all();

  std::vector<std::unique_ptr<channel>> channels_;
  std::function<void(std::string_view)> on_line_;
  std::string line_;
  std::atomic<std::uint64_t> events_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> ended_{0};
  std::atomic<bool> stop_{false};
  int epoll_;
  std::thread thread_;
};

}  // namespace troupe::bench
