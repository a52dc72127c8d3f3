// Rows about watching, scheduling and controllers.
#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "tests/bench/rows/rows.hpp"

namespace troupe::bench {

using std::chrono::seconds;

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

namespace {

const std::string deployments = "/apis/apps/v1/namespaces/default/deployments";

void create_deployment(const target& where, std::size_t replicas) {
  request what;
  what.method = "POST";
  what.path = deployments;
  what.body =
      "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\"},\"spec\":{\"replicas\":" +
      std::to_string(replicas) +
      ",\"selector\":{\"matchLabels\":{\"app\":\"web\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"web\"}},"
      "\"spec\":{\"containers\":[{\"name\":\"main\",\"image\":\"registry.k8s.io/pause:3.9\"}]}}}}";
  call(where, what, 201);
}

/// Measures from a request until an outside watcher has seen the text with each of the pods.
void until_seen(const server_process& server, const std::string& text, std::size_t count, row_result& row,
                const std::function<void()>& begin) {
  pods_showing shown(server.where(), text);
  auto begun = now_us();
  auto cpu = server.cpu_seconds();
  begin();
  auto took = static_cast<double>(shown.wait(count, seconds(180)) - begun) / 1e6;
  row.value = took;
  row.rate = static_cast<double>(count) / took;
  row.cpu_us = (server.cpu_seconds() - cpu) / static_cast<double>(count) * 1e6;
  row.rss_mib = server.rss_mib();
}

request deletion(std::string path) {
  request what;
  what.method = "DELETE";
  what.path = std::move(path);
  return what;
}

constexpr std::string_view running = "\"phase\":\"Running\"";
const std::string deleted = "{\"type\":\"DELETED\"";

}  // namespace

void deployment_row(const std::string& binary, row_result& row) {
  server_process server(binary, 20);
  server.wait_for_nodes(20);
  server.wait_until_quiet();
  until_seen(server, std::string(running), 2'000, row, [&] { create_deployment(server.where(), 2'000); });
}

void delete_deployment_row(const std::string& binary, row_result& row) {
  server_process server(binary, 100);
  server.wait_for_nodes(100);
  create_deployment(server.where(), 3'000);
  wait_until_listed(server.where(), running, 3'000, seconds(120));
  server.wait_until_quiet();
  until_seen(server, deleted, 3'000, row, [&] { call(server.where(), deletion(deployments + "/web"), 200); });
}

void delete_collection_row(const std::string& binary, row_result& row) {
  server_process server(binary, 100);
  server.wait_for_nodes(100);
  run_all(server.where(), create_pods(5'000, 32));
  wait_until_listed(server.where(), running, 5'000, seconds(120));
  server.wait_until_quiet();
  until_seen(server, deleted, 5'000, row, [&] { call(server.where(), deletion(pods), 200); });
}

}  // namespace troupe::bench
