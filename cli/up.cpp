// `troupe up`: reads the configuration, starts the whole troupe in this process, and stops it cleanly on a signal.
#include <csignal>
#include <filesystem>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "runtime/config.hpp"
#include "runtime/log.hpp"
#include "runtime/placement/local_cluster.hpp"

namespace troupe::cli {
namespace {

struct up_flags {
  std::string config_file;
  std::vector<std::string> sets;
  std::string data_dir, listen, kubeconfig, runtime;
  std::int64_t nodes = -1;
};

/// Says why on standard error; `code` is the exit code. The API's words for an error of the server itself are left out:
/// here it is the machine that speaks.
int refuse(const status& why, int code) {
  constexpr std::string_view api_words = "Internal error occurred: ";
  std::string_view text = why.message;
  if (text.starts_with(api_words)) text.remove_prefix(api_words.size());
  std::cerr << "troupe up: " << text << "\n";
  return code;
}

// File first, then --set, then the flags: the nearer to the user the stronger.
status read_configuration(const up_flags& given, runtime::configuration& out) {
  if (!given.config_file.empty())
    if (auto bad = runtime::load_config(given.config_file, out); !bad.ok()) return bad;
  for (const auto& one : given.sets)
    if (auto bad = runtime::set_config(one, out); !bad.ok()) return bad;
  if (!given.data_dir.empty()) out.data_dir = given.data_dir;
  if (!given.listen.empty()) out.api_server.listen = given.listen;
  if (!given.kubeconfig.empty()) out.kubeconfig = given.kubeconfig;
  if (!given.runtime.empty()) out.nodes.runtime = given.runtime;
  if (given.nodes >= 0) out.nodes.count = given.nodes;
  if (!out.data_dir.empty()) out.data_dir = std::filesystem::absolute(out.data_dir).lexically_normal();
  if (out.kubeconfig.empty() && !out.data_dir.empty()) out.kubeconfig = out.data_dir + "/kubeconfig";
  return runtime::check_config(out);
}

int run(const up_flags& given) {
  runtime::configuration config;
  if (auto bad = read_configuration(given, config); !bad.ok()) return refuse(bad, 2);
  if (auto bad = runtime::start_logging(config.log.level, config.log.file); !bad.ok()) return refuse(bad, 2);

  // Blocked before any thread exists, so that only the wait below gets them.
  sigset_t signals;
  sigemptyset(&signals);
  for (int one : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, one);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  runtime::local_cluster cluster(std::move(config));
  if (auto bad = cluster.start(); !bad.ok()) return refuse(bad, 1);
  std::cout << "API at " << cluster.server_url() << ", kubeconfig " << cluster.kubeconfig_path() << "\n" << std::flush;
  int received = 0;
  bool failed = false;
  while (received == 0 && !failed) {
    timespec slice{1, 0};
    received = std::max(sigtimedwait(&signals, nullptr, &slice), 0);
    failed = !cluster.running();
  }
  if (failed) std::cerr << "troupe up: the cluster gave up: " << cluster.failure() << "\n";
  return cluster.stop() && !failed ? 0 : 1;
}

}  // namespace

void add_up(CLI::App& app, int& exit_code) {
  auto given = std::make_shared<up_flags>();
  auto* up = app.add_subcommand("up", "Run a local cluster in the foreground");
  up->add_option("--config", given->config_file, "YAML file; configs/local.yaml documents every key");
  up->add_option("--data-dir", given->data_dir, "where the store, certificates and traces live");
  up->add_option("--listen", given->listen, "ADDRESS:PORT of the API");
  up->add_option("--kubeconfig", given->kubeconfig, "kubeconfig to write");
  up->add_option("--runtime", given->runtime, "what runs containers")->check(CLI::IsMember({"auto", "cri", "hollow"}));
  up->add_option("--nodes", given->nodes, "number of nodes")->check(CLI::Range(0, 100000));
  up->add_option("--set", given->sets, "key=value, as in the configuration file")->allow_extra_args(false);
  up->callback([given, &exit_code] { exit_code = run(*given); });
}

}  // namespace troupe::cli
