// Reads the log file of a container: from its tail, onwards as it grows, over a rotation. Never blocks for long:
// regular files only, bounded pieces.
#pragma once

#include <cstdint>
#include <string>

#include "actors/container_runtime/cri/log_lines.hpp"

namespace troupe::cri {

class log_file {
 public:
  log_file() = default;
  ~log_file();
  log_file(log_file&& other) noexcept;
  log_file& operator=(log_file&& other) noexcept;

  /// Opens the file at its last `tail` lines (below 0: at its beginning). The text says why it cannot.
  std::string open(const std::string& path, std::int64_t tail);
  /// Whole raw lines that are there, about `size` bytes at most; empty: none now. Goes on with the next file when this
  /// one was rotated away, and from the beginning when it was truncated.
  std::string read(std::size_t size);

 private:
  void close();
  bool read_more(std::size_t size);
  bool next_file();
  std::int64_t find_tail(std::int64_t lines) const;

  std::string path_;
  int fd_ = -1;
  std::int64_t offset_ = 0;
  std::string rest_;  // an unfinished line
};

}  // namespace troupe::cri
