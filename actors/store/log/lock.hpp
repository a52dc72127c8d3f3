// One process at a time in a data directory.
#pragma once

#include <memory>
#include <string>

#include "actors/store/log/file.hpp"

namespace troupe::store::log {

/// Takes the directory's lock until the file is closed. Error: another process has it; the text names its pid.
result<std::shared_ptr<file>> lock_directory(const std::string& directory);

/// Makes the directory and its parents, for the owner alone.
status make_directories(const std::string& path);

}  // namespace troupe::store::log
