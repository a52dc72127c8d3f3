// See private_containerd.hpp.
#include "actors/container_runtime/cri/private_containerd.hpp"

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "actors/container_runtime/cri/command.hpp"
#include "actors/container_runtime/cri/leftovers.hpp"
#include "actors/container_runtime/cri/loader.hpp"
#include "actors/container_runtime/cri/pods.hpp"
#include "messages/number.hpp"

namespace troupe::cri {
namespace {

namespace fs = std::filesystem;

constexpr int stop_patience_ms = 5000;
constexpr int start_patience_ms = 10000;

status write_file(const std::string& path, const std::string& content) {
  std::ofstream out(path, std::ios::trunc);
  out << content;
  out.close();
  return out ? status() : internal_error("cannot write " + path);
}

}  // namespace

std::string why_not_private() {
  if (geteuid() != 0) return "starting a private containerd takes root";
  std::string missing;
  for (auto* name : {"containerd", "containerd-shim-runc-v2", "runc"})
    if (find_program(name).empty()) missing += std::string(missing.empty() ? "" : ", ") + name;
  for (auto* name : {"bridge", "host-local", "portmap", "loopback"})
    if (access((std::string("/usr/lib/cni/") + name).c_str(), X_OK) != 0)
      missing += std::string(missing.empty() ? "" : ", ") + "/usr/lib/cni/" + name;
  if (missing.empty()) return {};
  return missing + " not found; Debian's packages are containerd, runc and containernetworking-plugins";
}

private_containerd::private_containerd(containerd_settings settings)
    : settings_(std::move(settings)), at_(places_of(settings_.data_dir)) {}

private_containerd::~private_containerd() {
  forget_listener();
  process_.stop(stop_patience_ms);
  if (lock_ >= 0) close(lock_);
}

result<std::unique_ptr<private_containerd>> private_containerd::prepare(containerd_settings settings) {
  if (auto why = why_not_private(); !why.empty()) return bad_request(why);
  settings.runc = find_program("runc");
  std::unique_ptr<private_containerd> made(new private_containerd(std::move(settings)));
  auto& at = made->at_;
  std::error_code failed;
  fs::create_directories(at.home, failed);
  if (failed) return internal_error("cannot create " + at.home + ": " + failed.message());
  made->lock_ = open(at.lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (made->lock_ < 0 || flock(made->lock_, LOCK_EX | LOCK_NB) != 0)
    return internal_error("another troupe runs containers for " + made->settings_.data_dir);
  made->end_predecessor();
  if (auto bad = made->write_files(); !bad.ok()) return bad;
  return made;
}

status private_containerd::write_files() {
  std::error_code failed;
  fs::create_directories(at_.run, failed);
  if (failed) return internal_error("cannot create " + at_.run + ": " + failed.message());
  fs::permissions(at_.run, fs::perms(0711), failed);
  if (on_overlay(at_.home)) settings_.snapshotter = "native";
  remember_machine(at_);
  if (auto bad = write_file(at_.config, containerd_config(at_, settings_)); !bad.ok()) return bad;
  for (std::size_t node = 0; node < settings_.nodes.size(); ++node)
    if (auto bad = write_network(node); !bad.ok()) return bad;
  auto rules = run_command({"nft", "-f", "-"}, masquerade_rules(at_, settings_));
  if (!rules.ok()) return internal_error("pods get no way out of this machine: nft: " + rules.output);
  return write_file(at_.address, at_.socket + "\n");
}

/// A node whose range is not known yet keeps the network that an earlier process left.
status private_containerd::write_network(std::size_t node) const {
  std::error_code failed;
  auto folder = network_folder(at_, node);
  fs::create_directories(folder, failed);
  if (failed) return internal_error("cannot create " + folder + ": " + failed.message());
  if (settings_.nodes[node].pod_cidr.empty()) return {};
  auto path = folder + "/10-troupe.conflist";
  auto wanted = network_config(at_, settings_, node);
  if (content_of(path) == wanted) return {};
  // containerd reads the folder when something in it changes, and takes names that end in .conflist only.
  if (auto bad = write_file(path + ".new", wanted); !bad.ok()) return bad;
  fs::rename(path + ".new", path, failed);
  return failed ? internal_error("cannot write " + path + ": " + failed.message()) : status();
}

std::string private_containerd::use_range(std::size_t node, const std::string& pod_cidr) {
  if (node >= settings_.nodes.size()) return "no such node here";
  settings_.nodes[node].pod_cidr = pod_cidr;
  return write_network(node).message;
}

/// A containerd that outlived its troupe: another one on the same state would fail.
void private_containerd::end_predecessor() {
  auto noted = content_of(at_.pid);
  auto pid = number_in<pid_t>(noted.substr(0, noted.find('\n'))).value_or(0);
  auto alive = [&] {
    return pid > 0 && content_of("/proc/" + std::to_string(pid) + "/cmdline").find(at_.config) != std::string::npos;
  };
  if (!alive()) return;
  kill(pid, SIGKILL);
  for (int waited = 0; waited < stop_patience_ms && alive(); waited += 10) usleep(10000);
}

std::string private_containerd::launch(std::function<void(std::string)> on_end) {
  {
    std::lock_guard guard(mutex_);
    on_end_ = std::move(on_end);
  }
  if (process_.pid() != 0) return {};
  std::error_code ignored;
  // A log from many starts would grow without end.
  if (fs::file_size(at_.log, ignored) > 8u << 20) fs::remove(at_.log, ignored);
  auto bad = process_.start({find_program("containerd"), "--config", at_.config, "--log-level", "warn"}, at_.log,
                            [this](const std::string& why) { tell_listener(why); });
  if (bad.empty()) write_file(at_.pid, std::to_string(process_.pid()) + "\n");
  return bad;
}

void private_containerd::forget_listener() {
  std::lock_guard guard(mutex_);
  on_end_ = nullptr;
}

void private_containerd::tell_listener(const std::string& why) {
  std::lock_guard guard(mutex_);
  if (on_end_) on_end_(why);
}

bool private_containerd::answers() const {
  auto runtime = open_client(at_.socket);
  for (int waited = 0; runtime && waited < start_patience_ms; waited += 50) {
    if (ask_and_wait(**runtime, container::get_version{}).ok()) return true;
    usleep(50000);
  }
  return false;
}

void private_containerd::remove_everything() {
  // The pods of a containerd that is down are removed by one that is up.
  if (launch(nullptr).empty() && answers()) remove_pods(at_.socket, {});
  process_.stop(stop_patience_ms);
  remove_leftovers(at_, settings_.nodes.size());
}

}  // namespace troupe::cri
