// The command line. One subcommand a file; called as `kubectl` it is `troupe kubectl`.
#include <filesystem>
#include <iostream>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/kubectl/kubectl.hpp"
#include "cli/secret_words.hpp"
#include "runtime/config.hpp"

namespace {

// CLI11 names only what it could not read; say what was probably meant.
int refuse(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& words) {
  if (error.get_exit_code() == 0) return app.exit(error);
  std::cerr << "troupe: " << error.what() << "\n";
  std::vector<std::string> known;
  for (const auto* command : app.get_subcommands({})) {
    known.push_back(command->get_name());
    for (const auto* option : command->get_options())
      for (const auto& name : option->get_lnames()) known.push_back("--" + name);
  }
  for (const auto& word : words) {
    auto name = word.substr(0, word.find('='));
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    auto near = troupe::runtime::nearest(name, known);
    if (!near.empty() && std::string(error.what()).find(name) != std::string::npos)
      std::cerr << "Did you mean \"" << near << "\"?\n";
  }
  return 2;
}

}  // namespace

int main(int count, char** values) {
  int exit_code = 0;
  const auto words = troupe::cli::take_words(count, values);
  CLI::App app("Kubernetes as a troupe of actors.");
  app.name("troupe");
  troupe::cli::kubectl_options kubectl_flags;
  bool as_kubectl = std::filesystem::path(values[0]).filename() == "kubectl";
  if (as_kubectl) {
    troupe::cli::add_kubectl(app, kubectl_flags, exit_code);
  } else {
    troupe::cli::add_up(app, exit_code);
    troupe::cli::add_control_plane(app, exit_code);
    troupe::cli::add_node(app, exit_code);
    troupe::cli::add_component(app, exit_code);
    troupe::cli::add_token(app, exit_code);
    troupe::cli::add_certs(app, exit_code);
    troupe::cli::add_version(app);
    troupe::cli::add_trace(app, exit_code);
    troupe::cli::add_image(app, exit_code);
    troupe::cli::add_debug(app, exit_code);
    troupe::cli::add_store(app, exit_code);
    troupe::cli::add_kubectl(*app.add_subcommand("kubectl", "create, get, describe, delete, logs"), kubectl_flags,
                             exit_code);
    app.require_subcommand(1);
  }
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // it takes them from the end
  } catch (const CLI::ParseError& error) {
    return refuse(app, error, words);
  }
  return exit_code;
}
