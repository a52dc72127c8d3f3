// A `troupe up` of its own for a benchmark: started, waited for, measured, stopped.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <sys/types.h>

#include "tests/bench/client/target.hpp"

namespace troupe::bench {

/// A hollow cluster in a child process with a data directory that is removed afterwards.
class server_process {
 public:
  /// Starts the binary and waits for /readyz over TLS. Throws std::runtime_error, with the end of the child's log, when
  /// it is not ready in time.
  server_process(const std::string& binary, std::size_t nodes,
                 std::chrono::seconds patience = std::chrono::seconds(60));
  ~server_process();
  server_process(const server_process&) = delete;
  server_process& operator=(const server_process&) = delete;

  /// Where and as whom (the kubeconfig's user) to connect.
  const target& where() const { return where_; }
  /// From exec to the first 200 of /readyz.
  double start_seconds() const { return start_seconds_; }
  /// CPU time so far, user and system.
  double cpu_seconds() const;
  /// Resident memory now.
  double rss_mib() const;
  /// Waits until the namespace and its service account can take pods and that many nodes are ready.
  void wait_for_nodes(std::size_t nodes) const;
  /// Waits until the server uses little CPU, a minute at most.
  void wait_until_quiet() const;
  /// SIGTERM, then SIGKILL after ten seconds. Throws when it had to be killed or ended with another code than 0.
  void stop();
  /// SIGKILL, then the same again on the same data directory, waited for.
  void kill_and_restart();

 private:
  void launch();
  void wait_ready(std::chrono::seconds patience);
  std::string log_tail() const;

  std::string binary_;
  std::size_t nodes_;
  std::string directory_;
  pid_t pid_ = -1;
  std::uint64_t begun_us_ = 0;
  double start_seconds_ = 0;
  target where_;
};

}  // namespace troupe::bench
