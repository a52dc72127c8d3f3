// Runs other programs. Blocks: for start and stop of the process, never in an actor.
#pragma once

#include <string>
#include <vector>

namespace troupe::cri {

struct command_result {
  int code = -1;       // exit code; 128 + signal; -1: it could not be run
  std::string output;  // standard output and error
  bool ok() const { return code == 0; }
};

/// Runs a program found in PATH or the system's folders, with that standard input, and waits.
command_result run_command(const std::vector<std::string>& words, const std::string& input = {});

/// Full path of a program in PATH, /usr/local/sbin, /usr/sbin and the like; empty: there is none.
std::string find_program(const std::string& name);

}  // namespace troupe::cri
