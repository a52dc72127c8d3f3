// This machine's capacity and names, from /proc and /etc.
#include <fstream>
#include <string>
#include <thread>

#include <sys/statvfs.h>
#include <sys/utsname.h>

#include "actors/kubelet/kubelet.hpp"

namespace troupe::kubelet {
namespace {

std::string first_line(const char* path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

/// A value of /etc/os-release without its quotes.
std::string os_name() {
  std::ifstream in("/etc/os-release");
  for (std::string line; std::getline(in, line);) {
    if (line.compare(0, 13, "PRETTY_NAME=\"") != 0) continue;
    return line.substr(13, line.find('"', 13) - 13);
  }
  return "Linux";
}

/// A row of /proc/meminfo ("MemTotal:"); 0: there is none.
std::int64_t memory_bytes(const char* row) {
  std::ifstream in("/proc/meminfo");
  std::string name, unit;
  std::int64_t value = 0;
  while (in >> name >> value >> unit)
    if (name == row) return value * 1024;
  return 0;
}

}  // namespace

void describe_host(node_options& options) {
  if (auto cores = std::thread::hardware_concurrency(); cores > 0) options.milli_cpu = 1000 * std::int64_t{cores};
  if (auto bytes = memory_bytes("MemTotal:"); bytes > 0) options.memory = bytes;
  struct statvfs disk {};
  if (statvfs("/var", &disk) == 0)
    options.ephemeral_storage = static_cast<std::int64_t>(disk.f_blocks) * static_cast<std::int64_t>(disk.f_frsize);
  struct utsname names {};
  if (uname(&names) == 0) {
    options.kernel = names.release;
    options.architecture = std::string(names.machine) == "aarch64" ? "arm64" : "amd64";
  }
  options.machine_id = first_line("/etc/machine-id");
  options.system_uuid = first_line("/sys/class/dmi/id/product_uuid");
  options.boot_id = first_line("/proc/sys/kernel/random/boot_id");
  options.os_image = os_name();
}

machine_room measure_host(const std::string& path) {
  machine_room out;
  struct statvfs disk {};
  if (statvfs(path.c_str(), &disk) == 0) {
    if (disk.f_blocks > 0) out.disk = static_cast<double>(disk.f_bavail) / static_cast<double>(disk.f_blocks);
    // Some file systems have no fixed number of inodes.
    if (disk.f_files > 0) out.inodes = static_cast<double>(disk.f_favail) / static_cast<double>(disk.f_files);
  }
  if (auto bytes = memory_bytes("MemAvailable:"); bytes > 0) out.memory_bytes = bytes;
  return out;
}

}  // namespace troupe::kubelet
