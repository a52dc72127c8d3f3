// Secrets among the words of a command line, which every user of the machine can read (/proc/PID/cmdline).
#pragma once

#include <string>
#include <vector>

namespace troupe::cli {

/// The words after the program's name; those that follow "--token", or come after its "=", are blanked in `values`.
std::vector<std::string> take_words(int count, char** values);

}  // namespace troupe::cli
