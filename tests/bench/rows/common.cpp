// What the rows share.
#include <algorithm>
#include <stdexcept>
#include <thread>

#include "tests/bench/client/client.hpp"
#include "tests/bench/rows/rows.hpp"

namespace troupe::bench {

namespace {

std::string pod_json(const std::string& name, const std::string& scheduler) {
  return "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"" + name +
         "\",\"labels\":{\"app\":\"bench\",\"tier\":\"load\"}},\"spec\":{\"schedulerName\":\"" + scheduler +
         "\",\"containers\":[{\"name\":\"main\",\"image\":\"registry.k8s.io/"
         "pause:3.9\",\"ports\":[{\"containerPort\":80}],"
         "\"env\":[{\"name\":\"A\",\"value\":\"1\"}],\"resources\":{\"requests\":{\"cpu\":\"10m\",\"memory\":\"10Mi\"}}"
         "}]}}";
}

/// The name of the object in a watch line.
std::string_view name_in(std::string_view line) {
  constexpr std::string_view before = "\"metadata\":{\"name\":\"";
  auto at = line.find(before);
  if (at == std::string_view::npos) return {};
  at += before.size();
  return line.substr(at, line.find('"', at) - at);
}

}  // namespace

load create_pods(std::uint64_t count, std::size_t clients, const std::string& scheduler) {
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

void call(const target& where, const request& what, int code) {
  auto answer = client(where, std::chrono::seconds(120)).call(what);
  if (answer.code != code)
    throw std::runtime_error(what.method + " " + what.path + ": " + std::to_string(answer.code) + " " + answer.body);
}

std::size_t listed(const target& where, std::string_view text) {
  auto list = client(where).get(pods).body;
  std::size_t count = 0;
  for (auto at = list.find(text); at != std::string::npos; at = list.find(text, at + text.size())) ++count;
  return count;
}

void wait_until_listed(const target& where, std::string_view text, std::size_t count, std::chrono::seconds patience) {
  auto end = now_us() + static_cast<std::uint64_t>(patience.count()) * 1'000'000;
  for (std::size_t seen = 0; (seen = listed(where, text)) != count;) {
    if (now_us() > end)
      throw std::runtime_error("the list shows " + std::string(text) + " " + std::to_string(seen) + " times");
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
  }
}

void fill_in(row_result& row, const outcome& result, double cpu_seconds, const server_process& server) {
  row.rate = result.rate();
  row.p50_ms = result.percentile_ms(0.5);
  row.p99_ms = result.percentile_ms(0.99);
  row.cpu_us = cpu_seconds / static_cast<double>(std::max<std::uint64_t>(result.answers, 1)) * 1e6;
  row.rss_mib = server.rss_mib();
}

pods_showing::pods_showing(const target& where, std::string text)
    : text_(std::move(text)),
      watching_(where, pods + "?watch=1", 1, false, 1, [this](std::string_view line) { look(line); }) {}

std::uint64_t pods_showing::wait(std::size_t wanted, std::chrono::seconds patience) const {
  auto end = now_us() + static_cast<std::uint64_t>(patience.count()) * 1'000'000;
  while (count() < wanted) {
    if (now_us() > end) throw std::runtime_error("only " + std::to_string(count()) + " pods show " + text_);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return last_us_.load();
}

void pods_showing::look(std::string_view line) {
  if (line.find(text_) == std::string_view::npos) return;
  if (!names_.insert(std::string(name_in(line))).second) return;
  last_us_ = now_us();
  ++count_;
}

}  // namespace troupe::bench
