// `troupe image`: brings images into the private containerd of a running cluster, and lists them. Done by `ctr`, which
// comes with containerd.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>

#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/kubectl/kubectl.hpp"

namespace troupe::cli {
namespace {

namespace fs = std::filesystem;

struct image_flags {
  std::string data_dir, socket;
  std::vector<std::string> files;
};

std::string first_line(const fs::path& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

/// The socket: as given, or as the cluster of the data directory tells it.
std::string socket_of(const image_flags& given) {
  if (!given.socket.empty()) return given.socket;
  std::vector<fs::path> places;
  if (!given.data_dir.empty()) {
    places.emplace_back(given.data_dir);
  } else {
    if (auto* named = std::getenv("TROUPE_DATA")) places.emplace_back(named);
    if (auto* config = std::getenv("KUBECONFIG")) places.push_back(fs::path(config).parent_path());
    if (auto* home = std::getenv("HOME")) places.push_back(fs::path(home) / ".troupe");
  }
  for (auto& place : places)
    if (auto found = first_line(place / "containerd" / "address"); !found.empty()) return found;
  return {};
}

/// Becomes `ctr`; returns only when that fails.
int become_ctr(const image_flags& given, std::vector<std::string> words) {
  auto socket = socket_of(given);
  if (socket.empty())
    return print_error("no cluster with a containerd of its own is running there: give its --data-dir, or a --socket");
  words.insert(words.begin(), {"ctr", "--address", socket, "--namespace", "k8s.io", "images"});
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execvp("ctr", arguments.data());
  return print_error("ctr cannot be run (Debian's package containerd has it)");
}

}  // namespace

void add_image(CLI::App& app, int& exit_code) {
  auto given = std::make_shared<image_flags>();
  auto* image = app.add_subcommand("image", "Images of a cluster with real containers");
  image->require_subcommand(1);
  auto common = [given](CLI::App* command) {
    command->add_option("--data-dir", given->data_dir,
                        "of the cluster; else $TROUPE_DATA, $KUBECONFIG's folder, ~/.troupe");
    command->add_option("--socket", given->socket, "of another containerd");
  };
  auto* bring = image->add_subcommand("import", "Bring in OCI or docker archives");
  common(bring);
  bring->add_option("file", given->files, "archives (.tar)")->required()->check(CLI::ExistingFile);
  bring->callback([given, &exit_code] {
    // ctr takes one archive at a time.
    for (std::size_t i = 0; i < given->files.size(); ++i) {
      bool last = i + 1 == given->files.size();
      pid_t child = last ? 0 : fork();
      if (child == 0) {
        exit_code = become_ctr(*given, {"import", given->files[i]});
        if (!last) _exit(exit_code);
        return;
      }
      int status = 1;
      waitpid(child, &status, 0);
      if (status != 0) {
        exit_code = 1;
        return;
      }
    }
  });
  auto* list = image->add_subcommand("list", "Print the images");
  common(list);
  list->callback([given, &exit_code] { exit_code = become_ctr(*given, {"list"}); });
}

}  // namespace troupe::cli
