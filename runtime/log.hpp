// Logging: one line an entry, a stable event name first, then key=value pairs.
#pragma once

#include <string>
#include <string_view>

#include <spdlog/spdlog.h>

#include "messages/status.hpp"

namespace troupe::runtime {

/// Sets the process's logger: level as in configuration::log, to standard error or a file.
status start_logging(const std::string& level, const std::string& file);

/// A value as it stands in a log line: quoted when it has spaces, quotes or control characters.
std::string log_value(std::string_view text);

}  // namespace troupe::runtime
