// The commands that run a troupe in the foreground, until a signal: `troupe up`, `troupe control-plane`, `troupe node`.
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/join.hpp"
#include "runtime/config.hpp"
#include "runtime/log.hpp"
#include "runtime/pki.hpp"
#include "runtime/placement/local_cluster.hpp"
#include "runtime/placement/node_process.hpp"

namespace troupe::cli {
namespace {

struct up_flags {
  std::string command;
  std::string config_file;
  std::vector<std::string> sets;
  std::string data_dir, listen, kubeconfig, runtime, link;
  std::vector<std::string> servers;
  join_settings join;
  std::string token_file;
  std::int64_t nodes = -1;
};

/// Says why on standard error; `code` is the exit code. The API's words for an error of the server itself are left out:
/// here it is the machine that speaks.
int refuse(const up_flags& given, const status& why, int code) {
  constexpr std::string_view api_words = "Internal error occurred: ";
  std::string_view text = why.message;
  if (text.starts_with(api_words)) text.remove_prefix(api_words.size());
  std::cerr << "troupe " << given.command << ": " << text << "\n";
  return code;
}

/// What differs from `troupe up` before anything is read; configs/control_plane.yaml and configs/node.yaml say the
/// same.
runtime::configuration defaults_of(const std::string& command) {
  runtime::configuration out;
  if (command != "control-plane") return out;
  out.api_server.listen = "0.0.0.0:6443";
  out.link.listen = "0.0.0.0:6444";
  out.nodes.count = 0;
  out.nodes.runtime = "hollow";
  out.kube_proxy.enabled = "false";
  return out;
}

// File first, then --set, then the flags: the nearer to the user the stronger.
status read_configuration(const up_flags& given, runtime::configuration& out) {
  if (!given.config_file.empty())
    if (auto bad = runtime::load_config(given.config_file, out); !bad.ok()) return bad;
  for (const auto& one : given.sets)
    if (auto bad = runtime::set_config(one, out); !bad.ok()) return bad;
  if (!given.data_dir.empty()) out.data_dir = given.data_dir;
  if (!given.listen.empty()) out.api_server.listen = given.listen;
  if (!given.link.empty()) out.link.listen = given.link;
  if (!given.servers.empty()) out.link.servers = given.servers;
  if (!given.join.server.empty() && out.link.servers.empty()) out.link.servers = {link_of(given.join.server)};
  if (!given.kubeconfig.empty()) out.kubeconfig = given.kubeconfig;
  if (!given.runtime.empty()) out.nodes.runtime = given.runtime;
  if (given.nodes >= 0) out.nodes.count = given.nodes;
  if (!out.data_dir.empty()) out.data_dir = std::filesystem::absolute(out.data_dir).lexically_normal();
  if (given.command == "node") return runtime::check_node_config(out);
  if (out.kubeconfig.empty() && !out.data_dir.empty()) out.kubeconfig = out.data_dir + "/kubeconfig";
  return runtime::check_config(out);
}

/// Blocked before any thread exists, so that only wait_for_end() gets them.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int one : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, one);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

/// Waits for a signal or the end of `troupe`, and stops it; the exit code.
template <class Troupe>
int run_until_signal(const up_flags& given, const sigset_t& signals, Troupe& troupe) {
  int received = 0;
  bool failed = false;
  while (received == 0 && !failed) {
    timespec slice{1, 0};
    received = std::max(sigtimedwait(&signals, nullptr, &slice), 0);
    failed = !troupe.running();
  }
  if (failed) std::cerr << "troupe " << given.command << ": the cluster gave up: " << troupe.failure() << "\n";
  return troupe.stop() && !failed ? 0 : 1;
}

int run_cluster(const up_flags& given, const sigset_t& signals, runtime::configuration config) {
  runtime::local_cluster cluster(std::move(config));
  if (auto bad = cluster.start(); !bad.ok()) return refuse(given, bad, 1);
  std::cout << "API at " << cluster.server_url() << ", kubeconfig " << cluster.kubeconfig_path() << "\n" << std::flush;
  return run_until_signal(given, signals, cluster);
}

/// The token from wherever it was given; what this process starts does not inherit it.
status read_token(const up_flags& given, std::string& token) {
  if (const char* set = std::getenv("TROUPE_TOKEN"); set && token.empty()) token = set;
  ::unsetenv("TROUPE_TOKEN");
  if (given.token_file.empty()) return {};
  if (!given.join.token.empty()) return bad_request("--token and --token-file cannot both be given");
  auto text = pki::read_file(given.token_file);
  if (!text) return text.error();
  token = text->substr(0, text->find_first_of(" \t\r\n"));
  return {};
}

int run_nodes(const up_flags& given, const sigset_t& signals, runtime::configuration config) {
  runtime::node_process::provision provide;
  auto join = given.join;
  if (auto bad = read_token(given, join.token); !bad.ok()) return refuse(given, bad, 2);
  if (!join.server.empty())
    provide = [join](const runtime::configuration& settled, const std::vector<std::string>& names) {
      return join_cluster(join, settled, names);
    };
  runtime::node_process nodes(std::move(config), provide);
  if (auto bad = nodes.start(); !bad.ok()) return refuse(given, bad, 1);
  std::cout << "nodes";
  for (const auto& name : nodes.names()) std::cout << " " << name;
  std::cout << "\n" << std::flush;
  return run_until_signal(given, signals, nodes);
}

int run(const up_flags& given) {
  auto config = defaults_of(given.command);
  if (auto bad = read_configuration(given, config); !bad.ok()) return refuse(given, bad, 2);
  if (auto bad = runtime::start_logging(config.log.level, config.log.file); !bad.ok()) return refuse(given, bad, 2);
  auto signals = block_signals();
  return given.command == "node" ? run_nodes(given, signals, std::move(config))
                                 : run_cluster(given, signals, std::move(config));
}

/// A command of this file with the flags that all have.
CLI::App* add_command(CLI::App& app, const std::shared_ptr<up_flags>& given, const char* about, int& exit_code) {
  auto* made = app.add_subcommand(given->command, about);
  made->add_option("--config", given->config_file, "YAML file; those below configs/ document every key");
  made->add_option("--data-dir", given->data_dir, "where the store, certificates and traces live");
  made->add_option("--set", given->sets, "key=value, as in the configuration file")->allow_extra_args(false);
  made->callback([given, &exit_code] { exit_code = run(*given); });
  return made;
}

void add_nodes_flags(CLI::App& to, const std::shared_ptr<up_flags>& given) {
  to.add_option("--runtime", given->runtime, "what runs containers")->check(CLI::IsMember({"auto", "cri", "hollow"}));
  to.add_option("--nodes", given->nodes, "number of nodes")->check(CLI::Range(0, 100000));
}

void add_server_flags(CLI::App& to, const std::shared_ptr<up_flags>& given) {
  to.add_option("--listen", given->listen, "ADDRESS:PORT of the API");
  to.add_option("--link", given->link, "ADDRESS:PORT for nodes of other machines");
  to.add_option("--kubeconfig", given->kubeconfig, "kubeconfig to write");
}

std::shared_ptr<up_flags> flags_of(const char* command) {
  auto made = std::make_shared<up_flags>();
  made->command = command;
  return made;
}

}  // namespace

void add_up(CLI::App& app, int& exit_code) {
  auto given = flags_of("up");
  auto* up = add_command(app, given, "Run a local cluster in the foreground", exit_code);
  add_server_flags(*up, given);
  add_nodes_flags(*up, given);
}

void add_control_plane(CLI::App& app, int& exit_code) {
  auto given = flags_of("control-plane");
  add_server_flags(*add_command(app, given, "Run a control plane for nodes of other machines", exit_code), given);
}

void add_node(CLI::App& app, int& exit_code) {
  auto given = flags_of("node");
  auto* node = add_command(app, given, "Run this machine's node for a control plane elsewhere", exit_code);
  node->add_option("--server", given->servers, "ADDRESS:PORT of a control plane's link; may be repeated")
      ->allow_extra_args(false);
  node->add_option("--join", given->join.server, "ADDRESS:PORT of the API, to ask for certificates at the first start");
  node->add_option("--token", given->join.token,
                   "as `troupe token create` printed it; or in the variable TROUPE_TOKEN");
  node->add_option("--token-file", given->token_file, "file with the token, instead of --token");
  node->add_option("--ca-hash", given->join.authority_hash, "sha256:HEX of the authority's public key");
  node->add_option("--join-timeout", given->join.patience_s, "seconds to wait for the approval of the request (60)")
      ->check(CLI::Range(1, 3600));
  add_nodes_flags(*node, given);
}

}  // namespace troupe::cli
