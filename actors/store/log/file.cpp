// A file descriptor and whole reads and writes on it.
#include "actors/store/log/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace troupe::store::log {

status system_error(const std::string& what) {
  char text[128];
  return store_error("store: " + what + ": " + strerror_r(errno, text, sizeof text));
}

status file::failed(std::string_view what) const { return system_error(std::string(what) + " " + path_); }

result<std::shared_ptr<file>> file::open(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) return system_error("open " + path);
  return std::shared_ptr<file>(new file(path, fd));
}

file::~file() { ::close(fd_); }

result<std::uint64_t> file::size() const {
  struct stat about {};
  if (::fstat(fd_, &about) != 0) return failed("stat");
  return static_cast<std::uint64_t>(about.st_size);
}

result<std::string> file::read(std::uint64_t offset, std::size_t size) const {
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const auto n = ::pread(fd_, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("read");
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

status file::write(std::uint64_t offset, std::string_view bytes) const {
  while (!bytes.empty()) {
    const auto n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("write");
    bytes.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

status file::write_zeros(std::uint64_t offset, std::uint64_t size) const {
  // Reserving first tells of a full disk before anything depends on it. Not every file system can.
  const int error = ::posix_fallocate(fd_, static_cast<off_t>(offset), static_cast<off_t>(size));
  if (error != 0 && error != EOPNOTSUPP && error != EINVAL) {
    errno = error;
    return failed("allocate");
  }
  static const std::string zeros(256 << 10, '\0');
  while (size > 0) {
    const auto n = std::min<std::uint64_t>(size, zeros.size());
    if (auto s = write(offset, std::string_view(zeros).substr(0, n)); !s.ok()) return s;
    offset += n;
    size -= n;
  }
  return {};
}

status file::sync_data() const {
  if (::fdatasync(fd_) != 0) return failed("fdatasync");
  return {};
}

status sync_directory(const std::string& path) {
  auto directory = file::open(path, O_RDONLY | O_DIRECTORY);
  if (!directory) return directory.error();
  if (::fsync((*directory)->descriptor()) != 0) return system_error("fsync " + path);
  return {};
}

}  // namespace troupe::store::log
