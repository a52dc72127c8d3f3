// See command.hpp.
#include "actors/container_runtime/cri/command.hpp"

#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace troupe::cri {
namespace {

/// An unnamed file: what a program reads and writes needs no thread then, whatever its size.
struct memory_file {
  int fd = memfd_create("command", MFD_CLOEXEC);
  ~memory_file() {
    if (fd >= 0) close(fd);
  }
  void fill(const std::string& text) const {
    [[maybe_unused]] auto written = write(fd, text.data(), text.size());
    lseek(fd, 0, SEEK_SET);
  }
  std::string content() const {
    std::string out;
    char piece[4096];
    ssize_t got;
    lseek(fd, 0, SEEK_SET);
    while ((got = read(fd, piece, sizeof piece)) > 0) out.append(piece, static_cast<std::size_t>(got));
    return out;
  }
};

/// The child starts with no signal blocked or ignored, whatever this thread does.
void clear_signals(posix_spawnattr_t& how) {
  sigset_t none, defaults;
  sigemptyset(&none);
  sigfillset(&defaults);
  posix_spawnattr_setsigmask(&how, &none);
  posix_spawnattr_setsigdefault(&how, &defaults);
  posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

}  // namespace

std::string find_program(const std::string& name) {
  auto* given = std::getenv("PATH");
  std::string path = std::string(given ? given : "") + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (std::size_t at = 0; at < path.size();) {
    auto end = std::min(path.find(':', at), path.size());
    auto candidate = path.substr(at, end - at) + "/" + name;
    if (end > at && access(candidate.c_str(), X_OK) == 0) return candidate;
    at = end + 1;
  }
  return {};
}

command_result run_command(const std::vector<std::string>& words, const std::string& input) {
  auto program = find_program(words.front());
  if (program.empty()) return {-1, words.front() + ": not found"};
  memory_file in, out;
  in.fill(input);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, in.fd, 0);
  posix_spawn_file_actions_adddup2(&files, out.fd, 1);
  posix_spawn_file_actions_adddup2(&files, out.fd, 2);
  posix_spawnattr_t how;
  posix_spawnattr_init(&how);
  clear_signals(how);
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t child = 0;
  auto failed = posix_spawn(&child, program.c_str(), &files, &how, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&how);
  if (failed) return {-1, program + ": " + std::strerror(failed)};
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), out.content()};
}

}  // namespace troupe::cri
