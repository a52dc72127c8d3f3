// `troupe kubectl`: the few commands one wants without installing kubectl.
#pragma once

#include <string>
#include <vector>

#include "cli/http_client.hpp"
#include "messages/document.hpp"
#include "messages/schema/schema.hpp"

namespace CLI {
class App;
}

namespace troupe::cli {

/// What the flags common to all commands say.
struct kubectl_options {
  std::string kubeconfig;
  std::string namespace_name;  // -n; empty: the context's
  bool all_namespaces = false;
  std::string output;  // -o: "", wide, yaml, json, name
  std::string selector;
  std::string field_selector;
  std::vector<std::string> files;
  std::vector<std::string> arguments;
  bool watch = false;
  bool follow = false;
  bool previous = false;
  bool timestamps = false;
  std::string container;
  std::string tail;
  std::int64_t since_seconds = 0;  // 0: from the beginning
  std::string grace_period;
  bool wait = true;
};

/// One connection with its options; commands return the process's exit code and print as kubectl does.
class kubectl {
 public:
  explicit kubectl(kubectl_options options) : options_(std::move(options)) {}
  int create();
  int get();
  int describe();
  int erase();
  int logs();

 private:
  /// A resource and, where one is meant, an object's name.
  struct target {
    const schema::resource* resource = nullptr;
    std::string namespace_name;
    std::string name;
  };
  /// An object read from -f.
  struct manifest {
    document content;
    target where;
    std::string source;
  };

  bool connect();
  bool targets(std::vector<target>& out);
  bool manifests(std::vector<manifest>& out);
  std::string path(const target& where) const;
  std::string selectors(char first) const;
  /// A 2xx answer's document; prints the error otherwise.
  bool fetch(const std::string& target_path, const std::string& accept, document& out);
  int print_table(const target& where, bool& header_printed);
  int watch_table(const target& where);
  int print_objects(const std::vector<target>& all);
  void describe_events(const target& where, const node& object);
  bool wait_gone(const target& where, const std::string& uid);

  kubectl_options options_;
  std::unique_ptr<http_client> client_;
  std::string namespace_;
};

/// Adds `create`, `get`, `describe`, `delete` and `logs` to a command line parser; `exit_code` gets the result.
void add_kubectl(CLI::App& app, kubectl_options& options, int& exit_code);

/// The resource that a user names: plural, singular, short name or kind, any letter case, with optional ".group".
const schema::resource* find_resource_by_any_name(std::string_view name);
/// Prints "Error from server (Reason): message" and returns 1.
int print_server_error(const http_answer& answer, const std::string& context = {});
int print_error(const std::string& message);

/// Pads cells into columns three spaces apart, as kubectl prints tables. Widths grow over calls of one watch.
class table_writer {
 public:
  void row(const std::vector<std::string>& cells);
  void flush();

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::size_t> widths_;
};

}  // namespace troupe::cli
