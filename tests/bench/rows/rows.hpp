// The rows of the cluster's benchmark: each starts a `troupe up` of its own, loads it over TLS and fills in its
// figures. A row throws std::runtime_error where the server did not do all it was asked for.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

#include "tests/bench/client/load.hpp"
#include "tests/bench/client/report.hpp"
#include "tests/bench/client/server_process.hpp"
#include "tests/bench/client/watcher.hpp"

namespace troupe::bench {

/// Path of the pods that the rows work on.
inline const std::string pods = "/api/v1/namespaces/default/pods";

/// `count` pods "bench-N" of about the size of an ordinary one. `scheduler`: "none" leaves them alone once stored.
load create_pods(std::uint64_t count, std::size_t clients, const std::string& scheduler = "default-scheduler");
/// Runs the load; throws when a request failed.
outcome run_all(const target& where, const load& what);
/// Sends one request; throws unless it is answered with `code`.
void call(const target& where, const request& what, int code);
/// How often a text stands in the list of pods.
std::size_t listed(const target& where, std::string_view text);
/// Waits until the list of pods shows a text that often.
void wait_until_listed(const target& where, std::string_view text, std::size_t count, std::chrono::seconds patience);
/// Rate, latencies, CPU for each answer and memory.
void fill_in(row_result& row, const outcome& result, double cpu_seconds, const server_process& server);

/// Counts the pods of which an outside watch over TLS has shown a line holding a text.
class pods_showing {
 public:
  pods_showing(const target& where, std::string text);
  std::size_t count() const { return count_.load(); }
  /// When the last of `wanted` was seen, microseconds; throws when they do not come.
  std::uint64_t wait(std::size_t wanted, std::chrono::seconds patience) const;

 private:
  void look(std::string_view line);
  std::string text_;
  std::unordered_set<std::string> names_;
  std::atomic<std::size_t> count_{0};
  std::atomic<std::uint64_t> last_us_{0};
  watcher watching_;  // last: it calls look()
};

// In order of the table. `binary` is the program to measure.
void start_row(const std::string& binary, row_result& row);
void idle_row(const std::string& binary, row_result& rss, row_result& cpu);
void create_row(const std::string& binary, row_result& row);
void get_row(const std::string& binary, row_result& row);
void list_row(const std::string& binary, row_result& row);
void watchers_row(const std::string& binary, row_result& row);
void get_under_list_row(const std::string& binary, row_result& row);
void bind_row(const std::string& binary, std::size_t nodes, row_result& row);
void deployment_row(const std::string& binary, row_result& row);
void delete_deployment_row(const std::string& binary, row_result& row);
void delete_collection_row(const std::string& binary, row_result& row);

}  // namespace troupe::bench
