// A file descriptor and whole reads and writes on it; errors as text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "actors/store/errors.hpp"
#include "messages/status.hpp"

namespace troupe::store::log {

/// An open file. Reads and writes give the offset, so that several threads may share it.
class file {
 public:
  /// `flags` as open(2); close-on-exec is added.
  static result<std::shared_ptr<file>> open(const std::string& path, int flags);
  ~file();
  file(const file&) = delete;
  file& operator=(const file&) = delete;

  const std::string& path() const { return path_; }
  int descriptor() const { return fd_; }

  result<std::uint64_t> size() const;
  /// Exactly `size` bytes, or fewer where the file ends.
  result<std::string> read(std::uint64_t offset, std::size_t size) const;
  status write(std::uint64_t offset, std::string_view bytes) const;
  /// Blocks for [offset, offset + size) are there afterwards, filled with zeros. Overwrites.
  status write_zeros(std::uint64_t offset, std::uint64_t size) const;
  /// Returns when the data is on the disk.
  status sync_data() const;

 private:
  file(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  status failed(std::string_view what) const;

  std::string path_;
  int fd_;
};

/// "store: <what>: <text of errno>"
status system_error(const std::string& what);
/// Makes names in the directory durable.
status sync_directory(const std::string& path);

}  // namespace troupe::store::log
