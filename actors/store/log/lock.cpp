// One process at a time in a data directory.
#include "actors/store/log/lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace troupe::store::log {
namespace {

std::string without_newline(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

result<std::shared_ptr<file>> lock_directory(const std::string& directory) {
  auto opened = file::open(directory + "/lock", O_RDWR | O_CREAT);
  if (!opened) return opened.error();
  auto& lock = **opened;
  if (::flock(lock.descriptor(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return system_error("lock " + lock.path());
    auto holder = lock.read(0, 32);
    const std::string pid = holder ? without_newline(*holder) : std::string();
    return store_error("store: " + directory + " is in use by process " + (pid.empty() ? "unknown" : pid));
  }
  if (::ftruncate(lock.descriptor(), 0) != 0) return system_error("truncate " + lock.path());
  if (auto s = lock.write(0, std::to_string(::getpid()) + "\n"); !s.ok()) return s;
  return *opened;
}

status make_directories(const std::string& path) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
    if (::mkdir(path.substr(0, at).c_str(), 0755) != 0 && errno != EEXIST) return system_error("mkdir " + path);
  }
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return system_error("mkdir " + path);
  return {};
}

}  // namespace troupe::store::log
