// See child_process.hpp.
#include "actors/container_runtime/cri/child_process.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe::cri {
namespace {

/// Between fork and exec: only what is safe with other threads' locks held. Never returns.
[[noreturn]] void become(char* const* words, const char* log, pid_t parent, int told) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // the parent died before it was asked for
  setsid();                             // Ctrl-C in the terminal is for the parent alone
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  int nothing = open("/dev/null", O_RDWR);
  int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(nothing, 0);
  dup2(out < 0 ? nothing : out, 1);
  dup2(out < 0 ? nothing : out, 2);
  // What the parent left open without close-on-exec is not the program's business.
  syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
  execv(words[0], words);
  int why = errno;
  [[maybe_unused]] auto written = write(told, &why, sizeof why);
  _exit(127);
}

std::string text_of(int status) {
  return WIFEXITED(status) ? "exit code " + std::to_string(WEXITSTATUS(status))
                           : "signal " + std::to_string(WTERMSIG(status));
}

}  // namespace

child_process::~child_process() { stop(0); }

pid_t child_process::pid() const {
  std::lock_guard guard(mutex_);
  return pid_;
}

std::string child_process::start(const std::vector<std::string>& words, const std::string& log,
                                 std::function<void(std::string)> on_end) {
  if (pid() != 0) return "it runs already";
  if (thread_.joinable()) thread_.join();
  int told[2];
  if (pipe2(told, O_CLOEXEC) != 0) return std::strerror(errno);
  thread_ = std::thread([this, words = words, log, on_end = std::move(on_end), end = told[1]]() mutable {
    run(std::move(words), log, on_end, end);
  });
  // Closed by a successful exec; a number says why there was none.
  int why = 0;
  auto got = read(told[0], &why, sizeof why);
  close(told[0]);
  return got == sizeof why ? words.front() + ": " + std::strerror(why) : std::string();
}

/// The parent-death signal follows the thread that forked, so that thread waits for the child.
void child_process::run(std::vector<std::string> words, const std::string& log,
                        const std::function<void(std::string)>& on_end, int told) {
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  auto parent = getpid();
  pid_t child = fork();
  if (child == 0) become(arguments.data(), log.c_str(), parent, told);
  int failed = child < 0 ? errno : 0;
  if (failed) [[maybe_unused]]
    auto written = write(told, &failed, sizeof failed);
  {
    std::lock_guard guard(mutex_);
    pid_ = std::max(child, 0);
  }
  close(told);
  if (failed) return on_end(std::strerror(failed));
  int status = 0;
  // The id stays taken until it is reaped: nobody else is meant by a signal sent under the lock.
  siginfo_t about{};
  while (waitid(P_PID, static_cast<id_t>(child), &about, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  {
    std::lock_guard guard(mutex_);
    waitpid(child, &status, 0);
    pid_ = 0;
  }
  on_end(text_of(status));
}

void child_process::stop(int patience_ms) {
  auto tell = [this](int signal) {
    std::lock_guard guard(mutex_);
    if (pid_ > 0) kill(pid_, signal);
    return pid_ > 0;
  };
  if (tell(SIGTERM))
    for (int waited = 0; waited < patience_ms && pid() != 0; waited += 5) usleep(5000);
  tell(SIGKILL);
  if (thread_.joinable()) thread_.join();
}

}  // namespace troupe::cri
