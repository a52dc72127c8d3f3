// What Services cost: the whole table loaded into the kernel, and one endpoint's change, decisions included.
// Usage (as root): kube_proxy_bench [SERVICES] [ENDPOINTS_EACH]; works in a network namespace of its own.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <future>
#include <string>
#include <vector>

#include "actors/kube_proxy/core.hpp"
#include "actors/kube_proxy/decode.hpp"
#include "actors/kube_proxy/nft_driver.hpp"
#include "messages/number.hpp"

using namespace troupe::kube_proxy;

namespace {

double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

long resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::strtol(line.c_str() + 6, nullptr, 10);
  return 0;
}

/// The core and the kernel.
struct proxy {
  state core;
  nft_driver driver{{*parse_range("10.244.0.0/16")}};
  double kernel_ms = 0;

  void send(event what) {
    std::vector<event> todo{std::move(what)};
    while (!todo.empty()) {
      auto next = std::move(todo.back());
      todo.pop_back();
      for (auto& one : step(core, next)) {
        if (std::get_if<continue_soon>(&one)) todo.push_back(turn_due{});
        if (auto* order = std::get_if<apply_batch>(&one)) todo.push_back(carry_out(*order));
        if (auto* pause = std::get_if<retry_after>(&one)) {
          std::fprintf(stderr, "refused: %s\n", pause->why.c_str());
          std::exit(1);
        }
      }
    }
  }
  batch_done carry_out(const apply_batch& order) {
    auto start = now_ms();
    std::promise<std::string> answered;
    driver.apply(order.what, [&](std::string error) { answered.set_value(std::move(error)); });
    auto error = answered.get_future().get();
    kernel_ms = now_ms() - start;
    return {order.what->id, error};
  }
};

slice_info slice_of(std::uint32_t number, std::uint32_t endpoints, std::uint32_t shift) {
  slice_info slice;
  slice.key = slice.service = "default/s" + std::to_string(number);
  slice.ports = {{"", tcp, 8080}};
  for (std::uint32_t i = 0; i < endpoints; ++i)
    slice.endpoints.push_back({0x0af40000 + (number * endpoints + i + shift) % 65536, true, true, false, i == 0});
  return slice;
}

}  // namespace

int main(int argc, char** argv) {
  auto services = argc > 1 ? troupe::number_in<std::uint32_t>(argv[1]).value_or(10000) : 10000;
  auto endpoints = argc > 2 ? troupe::number_in<std::uint32_t>(argv[2]).value_or(3) : 3;
  if (unshare(CLONE_NEWNET) != 0) {
    std::fprintf(stderr, "kube_proxy_bench: it takes root\n");
    return 1;
  }
  proxy all;
  auto before_kib = resident_kib();
  for (std::uint32_t i = 0; i < services; ++i) {
    service_info service;
    service.key = "default/s" + std::to_string(i);
    service.cluster_ip = 0x0a600000 + i + 1;
    service.ports = {{"", tcp, 80, 0}};
    all.send(service_observed{service});
    all.send(slice_observed{slice_of(i, endpoints, 0)});
  }
  auto start = now_ms();
  all.send(synced{});
  std::printf("%u services x %u endpoints, %zu elements\n", services, endpoints, all.core.table.size());
  std::printf("whole table   %8.1f ms (kernel and libnftables %.1f ms)\n", now_ms() - start, all.kernel_ms);
  std::printf("memory        %8.1f MiB\n", static_cast<double>(resident_kib() - before_kib) / 1024);
  std::vector<double> whole, kernel;
  for (std::uint32_t i = 0; i < 200; ++i) {
    start = now_ms();
    all.send(slice_observed{slice_of(i * 37 % services, endpoints, 1)});
    whole.push_back(now_ms() - start);
    kernel.push_back(all.kernel_ms);
  }
  std::sort(whole.begin(), whole.end());
  std::sort(kernel.begin(), kernel.end());
  std::printf("one update    %8.2f ms median, %.2f ms p99 (kernel and libnftables %.2f ms)\n", whole[100], whole[197],
              kernel[100]);
}
