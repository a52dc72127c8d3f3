// A program as a child that does not outlive this process. A thread of its own starts it and waits for it.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <sys/types.h>

namespace troupe::cri {

class child_process {
 public:
  child_process() = default;
  ~child_process();
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;

  /// Starts the program; its output is appended to `log`. `on_end` gets why it ended ("exit code 1", "signal 9"), from
  /// the thread. When this process dies, the program is killed. The text says why it cannot be started.
  std::string start(const std::vector<std::string>& words, const std::string& log,
                    std::function<void(std::string why)> on_end);
  /// 0: it does not run.
  pid_t pid() const;
  /// SIGTERM, after the time SIGKILL; returns when it is gone.
  void stop(int patience_ms);

 private:
  void run(std::vector<std::string> words, const std::string& log, const std::function<void(std::string)>& on_end,
           int told);

  mutable std::mutex mutex_;
  pid_t pid_ = 0;
  std::thread thread_;
};

}  // namespace troupe::cri
