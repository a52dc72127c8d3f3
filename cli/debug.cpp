// `troupe debug`: the live actor tree; crashing or stopping one actor to see what the others do.
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/http_client.hpp"
#include "cli/kubectl/kubectl.hpp"
#include "messages/document.hpp"

namespace troupe::cli {
namespace {

int with_client(const std::string& kubeconfig, const std::function<int(http_client&)>& run) {
  auto settings = read_kubeconfig(kubeconfig);
  if (!settings) return print_error(settings.error().message);
  http_client client(*settings);
  return run(client);
}

int show_actors(http_client& client, bool json) {
  auto answer = client.call("GET", "/debug/troupe/actors");
  if (!answer) return print_error(answer.error().message);
  if (answer->code != 200) return print_server_error(*answer);
  if (json) {
    std::cout << answer->body << "\n";
    return 0;
  }
  auto parsed = document::parse(answer->body);
  if (!parsed) return print_error(parsed.error().message);
  table_writer out;
  out.row({"ACTOR", "STATE", "RESTARTS", "MAILBOX", "PROCESSED", "CPU-MS", "LAST-ERROR"});
  auto* actors = parsed->root().find("actors");
  for (std::size_t i = 0; actors && i < actors->size(); ++i) {
    const auto& one = actors->element(i);
    auto text = [&](const char* key) {
      auto* field = one.find(key);
      return !field ? std::string() : field->is_string() ? std::string(field->string()) : to_json(*field);
    };
    auto* cpu = one.find("cpuMicroseconds");
    out.row({text("path"), text("state"), text("restarts"), text("mailbox"), text("processed"),
             std::to_string(cpu ? cpu->integer() / 1000 : 0), text("lastError")});
  }
  out.flush();
  return 0;
}

/// `order`: crash, stop, start; `done`: how it is told.
int disturb_actor(http_client& client, const std::string& order, const char* done, const std::string& path) {
  auto answer = client.call("POST", "/debug/troupe/" + order + "?path=" + url_encode(path));
  if (!answer) return print_error(answer.error().message);
  if (answer->code != 200) return print_server_error(*answer);
  std::cout << done << " " << path << "\n";
  return 0;
}

}  // namespace

void add_debug(CLI::App& app, int& exit_code) {
  struct flags {
    std::string kubeconfig, path;
    bool json = false;
  };
  auto given = std::make_shared<flags>();
  auto* debug = app.add_subcommand("debug", "Look into a running cluster");
  debug->require_subcommand(1);
  auto* actors = debug->add_subcommand("actors", "Print the live actor tree");
  actors->add_option("--kubeconfig", given->kubeconfig);
  actors->add_flag("--json", given->json);
  actors->callback([given, &exit_code] {
    exit_code = with_client(given->kubeconfig, [&](http_client& client) { return show_actors(client, given->json); });
  });
  auto disturb = [&](const char* order, const char* done, const char* about) {
    auto* command = debug->add_subcommand(order, about);
    command->add_option("--kubeconfig", given->kubeconfig);
    command->add_option("path", given->path, "as `troupe debug actors` prints it")->required();
    command->callback([given, &exit_code, order, done] {
      exit_code = with_client(given->kubeconfig,
                              [&](http_client& client) { return disturb_actor(client, order, done, given->path); });
    });
  };
  disturb("crash", "crashed", "Make one actor fail (needs debug.allow_crash)");
  disturb("stop", "stopped", "Stop one actor until it is started again (needs debug.allow_crash)");
  disturb("start", "started", "Start an actor that was stopped");
}

}  // namespace troupe::cli
