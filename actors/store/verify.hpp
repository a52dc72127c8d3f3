// Checks a data directory byte by byte: what `troupe store verify` runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/status.hpp"

namespace troupe::store {

/// What was found. Intact when `problems` is empty.
struct verify_report {
  std::uint32_t segments = 0;
  std::uint64_t records = 0;   // intact ones
  std::uint64_t bytes = 0;     // of all segment files
  std::uint64_t revision = 0;  // newest intact one
  std::vector<std::string> problems;
};

/// Reads everything below `data_dir`/store and changes nothing. Error: the directory cannot be read, or a process uses
/// it.
result<verify_report> verify(const std::string& data_dir);

}  // namespace troupe::store
