// `troupe version`.
#include <iostream>

#include <caf/config.hpp>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"

namespace troupe::cli {

void add_version(CLI::App& app) {
  app.add_subcommand("version", "Print the version")->callback([] {
    std::cout << "troupe " TROUPE_VERSION " (Kubernetes API 1.36, CAF " << CAF_VERSION / 10000 << "."
              << CAF_VERSION / 100 % 100 << "." << CAF_VERSION % 100 << ")\n";
  });
}

}  // namespace troupe::cli
