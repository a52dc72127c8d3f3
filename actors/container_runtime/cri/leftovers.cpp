// See leftovers.hpp.
#include "actors/container_runtime/cri/leftovers.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <vector>

#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "actors/container_runtime/cri/command.hpp"
#include "messages/number.hpp"

namespace troupe::cri {
namespace {

namespace fs = std::filesystem;

constexpr const char* forwarding = "/proc/sys/net/ipv4/ip_forward";
constexpr const char* cgroup_root = "/sys/fs/cgroup";

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

/// "table ip nat", ...
std::vector<std::string> tables() { return lines_of(run_command({"nft", "list", "tables"}).output); }

/// Folders of all hierarchies (cgroup v1) or of the one (v2) that belong to the cluster, deepest first.
std::vector<fs::path> control_groups(const containerd_places& at) {
  std::vector<fs::path> roots{std::string(cgroup_root) + at.cgroup}, out;
  std::error_code ignored;
  for (auto& one : fs::directory_iterator(cgroup_root, ignored))
    if (one.is_directory(ignored)) roots.push_back(one.path().string() + at.cgroup);
  for (auto& root : roots) {
    if (!fs::is_directory(root, ignored)) continue;
    out.push_back(root);
    for (auto& one : fs::recursive_directory_iterator(root, ignored))
      if (one.is_directory(ignored)) out.push_back(one.path());
  }
  std::sort(out.begin(), out.end(), [](auto& a, auto& b) { return a.string().size() > b.string().size(); });
  return out;
}

/// A process that may be ended: neither init nor 0, which stands for one outside our PID namespace, and in kill() for
/// us.
std::optional<pid_t> mortal(std::string_view number) {
  auto pid = number_in<pid_t>(number);
  return pid.value_or(0) > 1 ? pid : std::nullopt;
}

/// Processes in the cluster's control groups, and shims that serve this containerd.
std::set<pid_t> processes(const containerd_places& at) {
  std::set<pid_t> out;
  for (auto& group : control_groups(at))
    for (auto& line : lines_of(content_of(group / "cgroup.procs")))
      if (auto pid = mortal(line)) out.insert(*pid);
  std::error_code ignored;
  for (auto& one : fs::directory_iterator("/proc", ignored)) {
    auto pid = mortal(one.path().filename().string());
    if (!pid) continue;
    auto words = content_of(one.path() / "cmdline");
    if (words.find("containerd-shim") != words.npos && words.find(at.socket) != words.npos) out.insert(*pid);
  }
  return out;
}

void end_processes(const containerd_places& at) {
  for (int round = 0; round < 100; ++round) {
    auto left = processes(at);
    if (left.empty()) return;
    for (auto pid : left) kill(pid, SIGKILL);
    usleep(20000);
  }
}

/// Everything mounted below these folders, the last mounted first.
void unmount_below(const std::vector<std::string>& folders) {
  auto mounts = lines_of(content_of("/proc/self/mountinfo"));
  for (auto line = mounts.rbegin(); line != mounts.rend(); ++line) {
    std::istringstream words(*line);
    std::string skipped, point;
    words >> skipped >> skipped >> skipped >> skipped >> point;
    for (auto& folder : folders)
      if (point.starts_with(folder + "/")) umount2(point.c_str(), MNT_DETACH);
  }
}

void remove_bridge(const std::string& name) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq about{};
  name.copy(about.ifr_name, IFNAMSIZ - 1);
  if (ioctl(fd, SIOCGIFFLAGS, &about) == 0) {
    about.ifr_flags = static_cast<short>(about.ifr_flags & ~IFF_UP);
    ioctl(fd, SIOCSIFFLAGS, &about);
    ioctl(fd, SIOCBRDELBR, about.ifr_name);
  }
  close(fd);
}

/// portmap's own chains stay when the last of its rules goes. They are shared with others that use the plug-in.
void remove_portmap_chains() {
  for (const char* tool : {"iptables", "ip6tables"}) {
    if (find_program(tool).empty()) continue;
    auto rules = lines_of(run_command({tool, "-w", "-t", "nat", "-S"}).output);
    auto about_pods = [](const std::string& line) { return line.find("CNI-DN-") != line.npos; };
    if (std::any_of(rules.begin(), rules.end(), about_pods)) continue;
    for (bool chains : {false, true})
      for (auto& rule : rules) {
        if (rule.find("CNI-HOSTPORT-") == rule.npos || chains != rule.starts_with("-N ")) continue;
        // "-A PREROUTING ..." becomes "-D PREROUTING ..."; the shell takes the quoted comments apart.
        auto undone = (chains ? "-X" : "-D") + rule.substr(2);
        run_command({"sh", "-c", std::string(tool) + " -w -t nat " + undone});
      }
  }
}

/// The tables that iptables made when portmap first called it, if nobody uses them.
void remove_new_tables(const std::set<std::string>& before) {
  for (auto& table : tables()) {
    if (before.contains(table) || !table.starts_with("table ip")) continue;
    std::istringstream words(table);
    std::string kind, family, name;
    words >> kind >> family >> name;
    if (name != "nat" && name != "filter" && name != "mangle") continue;
    auto lines = lines_of(run_command({"nft", "list", "table", family, name}).output);
    bool empty = std::all_of(lines.begin(), lines.end(), [](auto& line) {
      auto at = line.find_first_not_of(" \t");
      auto text = at == line.npos ? std::string() : line.substr(at);
      return text.empty() || text[0] == '}' || text[0] == '#' || text.starts_with("table ") ||
             text.starts_with("chain ") || text.starts_with("type ");
    });
    if (empty) run_command({"nft", "delete", "table", family, name});
  }
}

void restore_machine(const containerd_places& at) {
  std::set<std::string> before;
  auto forward = std::string();
  for (auto& line : lines_of(content_of(at.before))) {
    if (line.starts_with("ip_forward "))
      forward = line.substr(11);
    else
      before.insert(line);
  }
  run_command({"nft", "delete", "table", "ip", at.table});
  remove_portmap_chains();
  remove_new_tables(before);
  if (forward == "0") std::ofstream(forwarding) << "0\n";
}

void remove_files(const containerd_places& at) {
  std::error_code ignored;
  for (auto& folder : {at.run, at.pods, at.pod_logs}) fs::remove_all(folder, ignored);
  fs::remove(at.address, ignored);
  // Shims keep their sockets there, whoever's containerd it is; only empty folders go.
  for (const char* folder :
       {"/run/containerd/s", "/run/containerd/runc/k8s.io", "/run/containerd/runc", "/run/containerd"})
    fs::remove(folder, ignored);
}

}  // namespace

std::string content_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

bool on_overlay(const std::string& folder) {
  constexpr long overlay_magic = 0x794c7630;
  struct statfs about {};
  return statfs(folder.c_str(), &about) == 0 && about.f_type == overlay_magic;
}

void remember_machine(const containerd_places& at) {
  if (access(at.before.c_str(), F_OK) == 0) return;
  std::string text = "ip_forward " + content_of(forwarding);
  for (auto& table : tables()) text += table + "\n";
  std::ofstream(at.before) << text;
}

void remove_pod_traces(const containerd_places& at) {
  unmount_below({at.pods});
  for (auto& group : control_groups(at)) rmdir(group.c_str());
  std::error_code ignored;
  for (auto& folder : {at.pods, at.pod_logs}) fs::remove_all(folder, ignored);
}

void remove_leftovers(const containerd_places& at, std::size_t nodes) {
  end_processes(at);
  unmount_below({at.run, at.pods, at.root});
  for (std::size_t node = 0; node < nodes; ++node) remove_bridge(bridge_name(at, node));
  for (auto& group : control_groups(at)) rmdir(group.c_str());
  restore_machine(at);
  remove_files(at);
}

}  // namespace troupe::cri
