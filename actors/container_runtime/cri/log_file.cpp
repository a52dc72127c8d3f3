// See log_file.hpp.
#include "actors/container_runtime/cri/log_file.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe::cri {

namespace {
constexpr std::size_t piece = 64 << 10;
}

log_file::~log_file() { close(); }

log_file::log_file(log_file&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      offset_(other.offset_),
      rest_(std::move(other.rest_)) {}

log_file& log_file::operator=(log_file&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(offset_, other.offset_);
  std::swap(rest_, other.rest_);
  return *this;
}

void log_file::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

std::string log_file::open(const std::string& path, std::int64_t tail) {
  close();
  path_ = path;
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat about {};
  if (fd_ < 0 || fstat(fd_, &about) != 0) return "failed to open log file \"" + path + "\": " + std::strerror(errno);
  if (!S_ISREG(about.st_mode)) return "failed to open log file \"" + path + "\": not a regular file";
  rest_.clear();
  offset_ = tail < 0 ? 0 : find_tail(tail);
  return {};
}

/// Reads backwards until enough lines are seen.
std::int64_t log_file::find_tail(std::int64_t lines) const {
  struct stat about {};
  if (fstat(fd_, &about) != 0) return 0;
  std::int64_t begin = about.st_size;
  if (lines == 0) return begin;
  std::string text;
  while (begin > 0) {
    auto size = std::min<std::int64_t>(begin, static_cast<std::int64_t>(std::max(piece, text.size())));
    std::string before(static_cast<std::size_t>(size), '\0');
    begin -= size;
    if (pread(fd_, before.data(), before.size(), begin) != static_cast<ssize_t>(size)) return begin;
    text.insert(0, before);
    if (auto at = tail_begin(text, lines); at > 0) return begin + static_cast<std::int64_t>(at);
  }
  return 0;
}

bool log_file::read_more(std::size_t size) {
  auto had = rest_.size();
  rest_.resize(had + size);
  auto got = pread(fd_, rest_.data() + had, size, offset_);
  rest_.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got > 0) offset_ += got;
  return got > 0;
}

/// The file under the path is another one, or shorter than what was read of it.
bool log_file::next_file() {
  struct stat now {
  }, own{};
  if (fstat(fd_, &own) != 0) return false;
  if (own.st_size < offset_) {
    offset_ = 0;
    rest_.clear();
    return true;
  }
  if (stat(path_.c_str(), &now) != 0 || (now.st_ino == own.st_ino && now.st_dev == own.st_dev)) return false;
  int fresh = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fresh < 0) return false;
  close();
  fd_ = fresh;
  offset_ = 0;
  rest_.clear();
  return true;
}

std::string log_file::read(std::size_t size) {
  if (fd_ < 0) return {};
  auto end = rest_.npos;
  while ((end = rest_.rfind('\n')) == rest_.npos)
    if (!read_more(std::max(size, piece)) && !(next_file() && read_more(std::max(size, piece)))) return {};
  auto out = rest_.substr(0, end + 1);
  rest_.erase(0, end + 1);
  return out;
}

}  // namespace troupe::cri
