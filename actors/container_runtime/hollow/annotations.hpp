// What a pod's annotations tell the hollow runtime, and the form of its log lines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "messages/container_runtime.hpp"

namespace troupe::hollow {

/// The troupe.dev/hollow-* annotations of one container.
struct annotations {
  const container::label_list& all;
  std::string container;
  /// The container's own value, else the pod's, else empty.
  std::string get(std::string_view what) const;
};

/// "1h2m3s", "500ms" or a bare number of seconds, in milliseconds; below 0 for what is none.
std::int64_t parse_duration(std::string_view text);

/// A line as CRI writes logs: time, stream, full-line mark, text.
std::string log_line(std::int64_t wall_ns, std::string_view text);

}  // namespace troupe::hollow
