// What a process of Troupe is made of, whichever actors run in it.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "actors/store/log/lock.hpp"
#include "runtime/config.hpp"
#include "runtime/metrics.hpp"
#include "runtime/placement/machine.hpp"
#include "runtime/supervisor.hpp"
#include "runtime/system_config.hpp"
#include "runtime/trace/recorder.hpp"

namespace troupe::runtime {

/// In the order in which they are made; they end the other way round.
struct process_parts {
  explicit process_parts(configuration given) : config(std::move(given)) {}

  configuration config;
  message_hooks* hooks = nullptr;  // of a test
  real_services outside;
  std::unique_ptr<trace::recorder> recorder;
  std::unique_ptr<system_config> settings;
  std::unique_ptr<caf::actor_system> system;
  metrics::registry measured;
  local_supervisor root;
  std::mutex failing;
  std::string why_failed;  // set once root has given up
  std::shared_ptr<store::log::file> lock;
  std::unique_ptr<machine> host_machine;

  /// Before anything in it is read or written: a second process must not touch what the first one uses.
  status take_data_dir();
  status open_host();
  /// `about` says in the trace what was recorded.
  status open_trace(std::string about);
  void start_system();
  /// The root supervisor and all below it.
  void start_root(std::vector<child_spec> children);
  /// Whether everything ended in time.
  bool stop_root();
  bool running() const { return !settings->registry().snapshot("root").empty(); }
  std::string failure();
};

}  // namespace troupe::runtime
