// Runs HTTP and TCP probes and hooks: one thread per kubelet, any number of connections at a time, none of which can
// block another.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "actors/kubelet/pod_core.hpp"

namespace troupe::kubelet {

/// Result of one action. `output` is what an event shows.
struct action_result {
  probe_outcome outcome = probe_outcome::success;
  std::string output;
};

class prober {
 public:
  prober();
  ~prober();
  prober(const prober&) = delete;
  prober& operator=(const prober&) = delete;

  /// `done` is called in the prober's thread, once, within the timeout. `host`: used where the action names none.
  void run(const action_plan& action, const std::string& host, std::int64_t timeout_ms,
           std::function<void(action_result)> done);

 private:
  struct connection;
  void loop();
  void begin(connection& c);
  bool turn(connection& c, short events);

  int wake_fd_ = -1;
  std::mutex mutex_;
  std::deque<std::unique_ptr<connection>> fresh_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace troupe::kubelet
