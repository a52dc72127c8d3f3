// Measures the whole of Troupe from outside, over TLS, each row on a cluster of its own:
//   troupe_bench --troupe build/troupe [--json FILE] [--row NAME] [--check]
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "tests/bench/client/load.hpp"
#include "tests/bench/client/report.hpp"
#include "tests/bench/client/server_process.hpp"
#include "tests/bench/client/watcher.hpp"

namespace {

using namespace troupe::bench;
using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string pods = "/api/v1/namespaces/default/pods";

/// A pod of about the size of an ordinary one. `scheduler`: "none" leaves it alone once it is stored.
std::string pod_json(const std::string& name, const std::string& scheduler = "default-scheduler") {
  return "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"" + name +
         "\",\"labels\":{\"app\":\"bench\",\"tier\":\"load\"}},\"spec\":{\"schedulerName\":\"" + scheduler +
         "\",\"containers\":[{\"name\":\"main\",\"image\":\"registry.k8s.io/"
         "pause:3.9\",\"ports\":[{\"containerPort\":80}],"
         "\"env\":[{\"name\":\"A\",\"value\":\"1\"}],\"resources\":{\"requests\":{\"cpu\":\"10m\",\"memory\":\"10Mi\"}}"
         "}]}}";
}

load create_pods(std::uint64_t count, std::size_t clients, const std::string& scheduler = "default-scheduler") {
  load what;
  what.connections = clients;
  what.requests = count;
  what.make = [scheduler](std::uint64_t n, request& r) {
    r.method = "POST";
    r.path = pods;
    r.body = pod_json("bench-" + std::to_string(n), scheduler);
  };
  return what;
}

outcome run_all(const target& where, const load& what) {
  auto result = run(where, what);
  if (result.failures > 0)
    throw std::runtime_error(std::to_string(result.failures) + " requests failed, the first with " +
                             result.first_failure);
  return result;
}

void fill_in(row_result& row, const outcome& result, double cpu_seconds, const server_process& server) {
  row.rate = result.rate();
  row.p50_ms = result.percentile_ms(0.5);
  row.p99_ms = result.percentile_ms(0.99);
  row.cpu_us = cpu_seconds / static_cast<double>(std::max<std::uint64_t>(result.answers, 1)) * 1e6;
  row.rss_mib = server.rss_mib();
}

/// The name of the object in a watch line, and whether the line holds a text.
std::string_view name_in(std::string_view line) {
  constexpr std::string_view before = "\"metadata\":{\"name\":\"";
  auto at = line.find(before);
  if (at == std::string_view::npos) return {};
  at += before.size();
  return line.substr(at, line.find('"', at) - at);
}

/// Counts the pods of which a watch has shown a line holding a text.
class pods_showing {
 public:
  pods_showing(const target& where, std::string text)
      : text_(std::move(text)),
        watching_(where, pods + "?watch=1", 1, false, 1, [this](std::string_view line) { look(line); }) {}
  std::size_t count() const { return count_.load(); }
  /// When the last of `wanted` was seen, microseconds; throws when they do not come.
  std::uint64_t wait(std::size_t wanted, seconds patience) const {
    auto end = now_us() + static_cast<std::uint64_t>(patience.count()) * 1'000'000;
    while (count() < wanted) {
      if (now_us() > end) throw std::runtime_error("only " + std::to_string(count()) + " pods show " + text_);
      std::this_thread::sleep_for(milliseconds(1));
    }
    return last_us_.load();
  }

 private:
  void look(std::string_view line) {
    if (line.find(text_) == std::string_view::npos) return;
    if (!names_.insert(std::string(name_in(line))).second) return;
    last_us_ = now_us();
    ++count_;
  }
  std::string text_;
  std::unordered_set<std::string> names_;
  std::atomic<std::size_t> count_{0};
  std::atomic<std::uint64_t> last_us_{0};
  watcher watching_;  // last: it calls look()
};

void start_row(const std::string& binary, row_result& row) {
  std::vector<double> times;
  for (int i = 0; i < 5; ++i) {
    server_process server(binary, 1);
    times.push_back(server.start_seconds());
    row.rss_mib = server.rss_mib();
  }
  std::sort(times.begin(), times.end());
  row.value = times[2];
  row.p50_ms = times[2] * 1000;
  row.p99_ms = times[4] * 1000;
}

void idle_row(const std::string& binary, row_result& rss, row_result& cpu) {
  server_process server(binary, 1);
  server.wait_for_nodes(1);
  server.wait_until_quiet();
  auto before = server.cpu_seconds();
  std::this_thread::sleep_for(seconds(20));
  cpu.value = (server.cpu_seconds() - before) / 20 * 100;
  rss.value = rss.rss_mib = cpu.rss_mib = server.rss_mib();
}

void create_row(const std::string& binary, row_result& row) {
  server_process server(binary, 100);
  server.wait_for_nodes(100);
  server.wait_until_quiet();
  auto cpu = server.cpu_seconds();
  auto result = run_all(server.where(), create_pods(10'000, 32));
  fill_in(row, result, server.cpu_seconds() - cpu, server);
  row.value = row.rate;
}

void get_row(const std::string& binary, row_result& row) {
  server_process server(binary, 1);
  server.wait_for_nodes(1);
  run_all(server.where(), create_pods(100, 8, "none"));
  server.wait_until_quiet();
  load what;
  what.time = seconds(5);
  what.make = [](std::uint64_t n, request& r) { r.path = pods + "/bench-" + std::to_string(n % 100); };
  auto cpu = server.cpu_seconds();
  auto result = run_all(server.where(), what);
  fill_in(row, result, server.cpu_seconds() - cpu, server);
  row.value = row.rate;
}

load list_pods(int times) {
  load what;
  what.connections = 1;
  what.requests = static_cast<std::uint64_t>(times);
  what.make = [](std::uint64_t, request& r) { r.path = pods; };
  what.seen = [](int, std::size_t body) {
    if (body < 5'000 * 300) throw std::runtime_error("the list has only " + std::to_string(body) + " bytes");
  };
  return what;
}

void list_row(const std::string& binary, row_result& row) {
  server_process server(binary, 1);
  server.wait_for_nodes(1);
  run_all(server.where(), create_pods(5'000, 32, "none"));
  server.wait_until_quiet();
  run_all(server.where(), list_pods(3));
  auto cpu = server.cpu_seconds();
  auto result = run_all(server.where(), list_pods(50));
  fill_in(row, result, server.cpu_seconds() - cpu, server);
  row.value = row.p50_ms;
}

void get_under_list_row(const std::string& binary, row_result& row) {
  server_process server(binary, 1);
  server.wait_for_nodes(1);
  run_all(server.where(), create_pods(5'000, 32, "none"));
  server.wait_until_quiet();
  std::atomic<bool> stop{false};
  std::string problem;
  std::thread lister([&] {
    try {
      while (!stop) run_all(server.where(), list_pods(5));
    } catch (const std::exception& failed) {
      problem = failed.what();
    }
  });
  load what;
  what.connections = 4;
  what.time = seconds(5);
  what.make = [](std::uint64_t n, request& r) { r.path = pods + "/bench-" + std::to_string(n % 5'000); };
  auto cpu = server.cpu_seconds();
  outcome result;
  try {
    result = run_all(server.where(), what);
  } catch (const std::exception& failed) {
    problem = failed.what();
  }
  stop = true;
  lister.join();
  if (!problem.empty()) throw std::runtime_error(problem);
  fill_in(row, result, server.cpu_seconds() - cpu, server);
  row.value = row.p99_ms;
}

void watchers_row(const std::string& binary, row_result& row) {
  server_process server(binary, 1);
  server.wait_for_nodes(1);
  run_all(server.where(), create_pods(8, 8, "none"));
  server.wait_until_quiet();
  // Each update carries the time it was sent; the first watcher's reader tells how late it saw it.
  std::vector<std::uint32_t> late_us;
  auto look = [&](std::string_view line) {
    constexpr std::string_view before = "\"sent\":\"";
    auto at = line.find(before);
    if (at == std::string_view::npos) return;
    auto sent = std::strtoull(line.data() + at + before.size(), nullptr, 10);
    late_us.push_back(static_cast<std::uint32_t>(now_us() - sent));
  };
  outcome result;
  double spent = 0;
  std::uint64_t delivered = 0;
  {
    watcher watching(server.where(), pods + "?watch=1", 100, false, 1, look);
    if (!watching.wait_for(800, seconds(20))) throw std::runtime_error("the watches do not begin");
    load what;
    what.connections = 8;
    what.time = seconds(8);
    what.make = [](std::uint64_t n, request& r) {
      r.method = "PATCH";
      r.path = pods + "/bench-" + std::to_string(n % 8);
      r.content_type = "application/merge-patch+json";
      r.body = "{\"metadata\":{\"annotations\":{\"sent\":\"" + std::to_string(now_us()) + "\"}}}";
    };
    auto before = watching.events();
    auto begun = now_us();
    auto cpu = server.cpu_seconds();
    result = run_all(server.where(), what);
    if (!watching.wait_for(before + result.answers * 100, seconds(20)))
      throw std::runtime_error("deliveries are missing: " + std::to_string(watching.events() - before) + " of " +
                               std::to_string(result.answers * 100));
    delivered = watching.events() - before;
    spent = server.cpu_seconds() - cpu;
    row.rate = row.value = static_cast<double>(delivered) * 1e6 / static_cast<double>(now_us() - begun);
  }
  result.latencies_us = std::move(late_us);
  std::sort(result.latencies_us.begin(), result.latencies_us.end());
  row.p50_ms = result.percentile_ms(0.5);
  row.p99_ms = result.percentile_ms(0.99);
  row.cpu_us = spent / static_cast<double>(delivered) * 1e6;
  row.rss_mib = server.rss_mib();
}

void bind_row(const std::string& binary, std::size_t nodes, row_result& row) {
  server_process server(binary, nodes);
  server.wait_for_nodes(nodes);
  server.wait_until_quiet();
  pods_showing bound(server.where(), "\"nodeName\":\"");
  auto begun = now_us();
  auto cpu = server.cpu_seconds();
  auto result = run_all(server.where(), create_pods(3'000, 32));
  auto took = static_cast<double>(bound.wait(3'000, seconds(120)) - begun) / 1e6;
  fill_in(row, result, server.cpu_seconds() - cpu, server);
  row.rate = row.value = 3'000 / took;
}

void deployment_row(const std::string& binary, row_result& row) {
  server_process server(binary, 20);
  server.wait_for_nodes(20);
  server.wait_until_quiet();
  pods_showing running(server.where(), "\"phase\":\"Running\"");
  client writer(server.where());
  request what;
  what.method = "POST";
  what.path = "/apis/apps/v1/namespaces/default/deployments";
  what.body =
      "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\"},\"spec\":{\"replicas\":2000,"
      "\"selector\":{\"matchLabels\":{\"app\":\"web\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"web\"}},"
      "\"spec\":{\"containers\":[{\"name\":\"main\",\"image\":\"registry.k8s.io/pause:3.9\"}]}}}}";
  auto begun = now_us();
  auto cpu = server.cpu_seconds();
  auto answer = writer.call(what);
  if (answer.code != 201) throw std::runtime_error("create: " + answer.body);
  auto took = static_cast<double>(running.wait(2'000, seconds(180)) - begun) / 1e6;
  row.value = took;
  row.rate = 2'000 / took;
  row.cpu_us = (server.cpu_seconds() - cpu) / 2'000 * 1e6;
  row.rss_mib = server.rss_mib();
}

struct options {
  std::string binary = "build/troupe";
  std::string json;
  std::string row;
  bool check = false;
};

options read_options(int argc, char** argv) {
  options read;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    auto value = [&]() -> std::string {
      if (i + 1 == argc) throw std::runtime_error(word + " needs a value");
      return argv[++i];
    };
    if (word == "--troupe")
      read.binary = value();
    else if (word == "--json")
      read.json = value();
    else if (word == "--row")
      read.row = value();
    else if (word == "--check")
      read.check = true;
    else
      throw std::runtime_error("unknown argument " + word +
                               "; known: --troupe BINARY, --json FILE, --row NAME, --check (fail below a floor)");
  }
  return read;
}

row_result make_row(std::string name, std::string unit, goal wanted) {
  row_result made;
  made.name = std::move(name);
  made.unit = std::move(unit);
  made.wanted = wanted;
  return made;
}

/// Rows that are measured together.
struct measurement {
  std::vector<row_result> rows;
  std::function<void(const std::string& binary, std::vector<row_result>& rows)> run;
};

std::vector<measurement> all_measurements() {
  auto at_least = [](double peer, double floor, double aim) { return goal{peer, floor, aim, true}; };
  auto at_most = [](double peer, double floor, double aim) { return goal{peer, floor, aim, false}; };
  using rows = std::vector<row_result>;
  std::vector<measurement> all;
  auto add = [&](rows made, std::function<void(const std::string&, rows&)> run) {
    all.push_back({std::move(made), std::move(run)});
  };
  add({make_row("start to /readyz", "s", at_most(4.5, 0.45, 0.1))},
      [](const std::string& b, rows& r) { start_row(b, r[0]); });
  add({make_row("idle RSS, one hollow node", "MiB", at_most(512, 50, 25)),
       make_row("idle CPU, one hollow node", "%", at_most(7, 1, 0.5))},
      [](const std::string& b, rows& r) { idle_row(b, r[0], r[1]); });
  add({make_row("create pod, 32 clients", "/s", at_least(604, 4'000, 15'000))},
      [](const std::string& b, rows& r) { create_row(b, r[0]); });
  add({make_row("get pod, 32 clients", "/s", at_least(2'293, 15'000, 60'000))},
      [](const std::string& b, rows& r) { get_row(b, r[0]); });
  add({make_row("list 5,000 pods", "ms", at_most(259, 40, 8))},
      [](const std::string& b, rows& r) { list_row(b, r[0]); });
  add({make_row("100 watchers x updates, deliveries", "/s", at_least(16'000, 60'000, 200'000))},
      [](const std::string& b, rows& r) { watchers_row(b, r[0]); });
  add({make_row("p99 of get under list of 5,000", "ms", at_most(0, 10, 2))},
      [](const std::string& b, rows& r) { get_under_list_row(b, r[0]); });
  add({make_row("3,000 pods bound, 100 nodes", "/s", at_least(208, 2'000, 10'000))},
      [](const std::string& b, rows& r) { bind_row(b, 100, r[0]); });
  add({make_row("3,000 pods bound, 1,000 nodes", "/s", at_least(130, 2'000, 10'000))},
      [](const std::string& b, rows& r) { bind_row(b, 1'000, r[0]); });
  add({make_row("deployment of 2,000 until Running", "s", at_most(36, 4, 0.5))},
      [](const std::string& b, rows& r) { deployment_row(b, r[0]); });
  return all;
}

/// Runs what the options ask for; true when everything was measured and, with --check, holds its floor.
bool measure_all(const options& wanted) {
  std::vector<row_result> done;
  bool good = true;
  std::fputs(table_head().c_str(), stdout);
  for (auto& each : all_measurements()) {
    auto meant = [&](const row_result& row) { return row.name.find(wanted.row) != std::string::npos; };
    if (std::none_of(each.rows.begin(), each.rows.end(), meant)) continue;
    try {
      each.run(wanted.binary, each.rows);
    } catch (const std::exception& failed) {
      for (auto& row : each.rows) row.error = failed.what();
    }
    for (auto& row : each.rows) {
      std::fputs(table_line(row).c_str(), stdout);
      good = good && row.error.empty() && (row.holds() || !wanted.check);
      done.push_back(std::move(row));
    }
    std::fflush(stdout);
  }
  if (done.empty()) throw std::runtime_error("no row has \"" + wanted.row + "\" in its name");
  if (!wanted.json.empty() && !(std::ofstream(wanted.json) << to_json(done)))
    throw std::runtime_error("cannot write " + wanted.json);
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return measure_all(read_options(argc, argv)) ? 0 : 1;
  } catch (const std::exception& failed) {
    std::fprintf(stderr, "troupe_bench: %s\n", failed.what());
    return 2;
  }
}
