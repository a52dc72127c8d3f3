// Containers' logs do not grow without end: Kubernetes' containerLogMaxSize (10Mi), containerLogMaxFiles (5) and
// containerLogMonitorInterval (10 s).
#pragma once

#include <cstdint>
#include <string>

namespace troupe::kubelet {

inline constexpr std::uint64_t largest_log = 10ull << 20;
inline constexpr std::int64_t log_check_s = 10;

/// The log has grown beyond the limit.
bool log_is_large(const std::string& path);
/// Moves the log aside to PATH.STAMP and drops the oldest of those that were moved before; the runtime must be told to
/// open it anew. False when it cannot be moved.
bool rotate_log(const std::string& path, const std::string& stamp);
/// Undoes it: the runtime goes on writing into the old file.
void unrotate_log(const std::string& path, const std::string& stamp);

}  // namespace troupe::kubelet
