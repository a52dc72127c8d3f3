// Child process, /proc and readiness.
#include "tests/bench/client/server_process.hpp"

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/client/client.hpp"
#include "tests/bench/client/load.hpp"

namespace troupe::bench {

namespace {

void pause_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

std::uint16_t free_port() {
  int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(socket, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("no free port");
  ::close(socket);
  return ntohs(address.sin_port);
}

std::string make_directory() {
  const char* parent = std::getenv("TMPDIR");
  std::string pattern = std::string(parent ? parent : "/tmp") + "/troupe-bench-XXXXXX";
  if (!mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp " + pattern);
  return pattern;
}

std::size_t occurrences(const std::string& text, std::string_view of) {
  std::size_t count = 0;
  for (auto at = text.find(of); at != std::string::npos; at = text.find(of, at + of.size())) ++count;
  return count;
}

}  // namespace

server_process::server_process(const std::string& binary, std::size_t nodes, std::chrono::seconds patience)
    : binary_(binary), nodes_(nodes), directory_(make_directory()) {
  try {
    launch();
    wait_ready(patience);
  } catch (...) {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    std::filesystem::remove_all(directory_);
    throw;
  }
}

server_process::~server_process() {
  try {
    stop();
  } catch (const std::runtime_error& failed) {
    std::fprintf(stderr, "%s\n", failed.what());
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void server_process::launch() {
  auto listen = "127.0.0.1:" + std::to_string(free_port());
  std::vector<std::string> words{binary_,     "up",     "--data-dir",   directory_ + "/data",
                                 "--listen",  listen,   "--kubeconfig", directory_ + "/kubeconfig",
                                 "--runtime", "hollow", "--nodes",      std::to_string(nodes_)};
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  auto log = directory_ + "/log";
  begun_us_ = now_us();
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork");
  if (pid_ > 0) return;
  int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ::dup2(out, 1);
  ::dup2(out, 2);
  ::execv(binary_.c_str(), arguments.data());
  _exit(127);
}

void server_process::wait_ready(std::chrono::seconds patience) {
  auto end = begun_us_ + static_cast<std::uint64_t>(patience.count()) * 1'000'000;
  std::string problem = "no kubeconfig";
  for (; now_us() < end; pause_ms(1)) {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      throw std::runtime_error("the server ended at once:\n" + log_tail());
    }
    if (!std::filesystem::exists(directory_ + "/kubeconfig")) continue;
    try {
      where_ = read_kubeconfig(directory_ + "/kubeconfig");
      auto answer = client(where_).get("/readyz");
      if (answer.code == 200) {
        start_seconds_ = static_cast<double>(now_us() - begun_us_) / 1e6;
        return;
      }
      problem = "/readyz: " + answer.body;
    } catch (const std::exception& failed) {
      problem = failed.what();
    }
  }
  throw std::runtime_error("the server is not ready: " + problem + "\n" + log_tail());
}

std::string server_process::log_tail() const {
  std::ifstream log(directory_ + "/log");
  std::stringstream text;
  text << log.rdbuf();
  auto all = text.str();
  return all.size() > 4000 ? all.substr(all.size() - 4000) : all;
}

double server_process::cpu_seconds() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
  std::string text;
  std::getline(file, text);
  // The second field, the name in parentheses, may hold spaces; utime and stime are the 12th and 13th behind it.
  auto close = text.rfind(')');
  if (close == std::string::npos) throw std::runtime_error("the server is gone:\n" + log_tail());
  std::istringstream fields(text.substr(close + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double server_process::rss_mib() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/smaps_rollup");
  std::string line;
  while (std::getline(file, line))
    if (line.starts_with("Rss:")) return std::stod(line.substr(4)) / 1024;
  return 0;
}

void server_process::wait_for_nodes(std::size_t nodes) const {
  client asking(where_);
  auto end = now_us() + 120'000'000;
  bool usable = false;
  for (; now_us() < end; pause_ms(20)) {
    usable = usable || (asking.get("/api/v1/namespaces/default").code == 200 &&
                        asking.get("/api/v1/namespaces/default/serviceaccounts/default").code == 200);
    if (usable && occurrences(asking.get("/api/v1/nodes").body, "\"reason\":\"KubeletReady\"") >= nodes) return;
  }
  throw std::runtime_error("the nodes do not become ready:\n" + log_tail());
}

void server_process::wait_until_quiet() const {
  for (int i = 0; i < 120; ++i) {
    auto before = cpu_seconds();
    pause_ms(500);
    if (cpu_seconds() - before < 0.05) return;
  }
}

void server_process::kill_and_restart() {
  auto pid = std::exchange(pid_, -1);
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  std::filesystem::remove(directory_ + "/kubeconfig");
  launch();
  wait_ready(std::chrono::seconds(60));
}

void server_process::stop() {
  if (pid_ <= 0) return;
  auto pid = std::exchange(pid_, -1);
  ::kill(pid, SIGTERM);
  int ended = 0;
  for (int i = 0; i < 1000; ++i) {
    if (::waitpid(pid, &ended, WNOHANG) == pid) {
      if (WIFEXITED(ended) && WEXITSTATUS(ended) == 0) return;
      throw std::runtime_error("the server ended badly (" + std::to_string(ended) + "):\n" + log_tail());
    }
    pause_ms(10);
  }
  ::kill(pid, SIGKILL);
  ::waitpid(pid, &ended, 0);
  throw std::runtime_error("the server did not stop within 10 s:\n" + log_tail());
}

}  // namespace troupe::bench
