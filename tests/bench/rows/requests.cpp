// Rows about single requests and an idle server.
#include <algorithm>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/bench/rows/rows.hpp"

namespace troupe::bench {

using std::chrono::seconds;

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
  constexpr std::size_t count = 10'000;
  server_process server(binary, 100);
  server.wait_for_nodes(100);
  server.wait_until_quiet();
  auto cpu = server.cpu_seconds();
  auto result = run_all(server.where(), create_pods(count, 32));
  fill_in(row, result, server.cpu_seconds() - cpu, server);
  row.value = row.rate;
  // All components were on: every pod ends up running. And every one was durable: a kill loses none.
  wait_until_listed(server.where(), "\"phase\":\"Running\"", count, seconds(120));
  server.kill_and_restart();
  wait_until_listed(server.where(), "\"name\":\"bench-", count, seconds(20));
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

namespace {

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

void fill_with_pods(const server_process& server) {
  server.wait_for_nodes(1);
  run_all(server.where(), create_pods(5'000, 32, "none"));
  if (listed(server.where(), "\"name\":\"bench-") != 5'000) throw std::runtime_error("the list is not complete");
  server.wait_until_quiet();
}

}  // namespace

void list_row(const std::string& binary, row_result& row) {
  server_process server(binary, 1);
  fill_with_pods(server);
  run_all(server.where(), list_pods(3));
  auto cpu = server.cpu_seconds();
  auto result = run_all(server.where(), list_pods(50));
  fill_in(row, result, server.cpu_seconds() - cpu, server);
  row.value = row.p50_ms;
}

void get_under_list_row(const std::string& binary, row_result& row) {
  server_process server(binary, 1);
  fill_with_pods(server);
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

}  // namespace troupe::bench
