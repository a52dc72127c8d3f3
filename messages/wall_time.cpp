// See wall_time.hpp.
#include "messages/wall_time.hpp"

#include <ctime>

#include <fmt/format.h>

namespace troupe {

std::string time_text(std::uint64_t wall_ms) {
  auto seconds = static_cast<std::time_t>(wall_ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string micro_time_text(std::uint64_t wall_ms) {
  auto out = time_text(wall_ms);
  out.pop_back();  // Z
  return out.append(fmt::format(".{:03}000Z", wall_ms % 1000));
}

std::uint64_t time_ms(std::string_view text) {
  std::tm parts{};
  if (text.size() < 20 || !strptime(std::string(text).c_str(), "%Y-%m-%dT%H:%M:%S", &parts)) return 0;
  return static_cast<std::uint64_t>(timegm(&parts)) * 1000;
}

}  // namespace troupe
