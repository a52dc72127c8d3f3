// The thread that talks to the kernel.
#include "actors/kube_proxy/nft_driver.hpp"

#include <fstream>
#include <utility>

#include "actors/kube_proxy/conntrack.hpp"
#include "actors/kube_proxy/kube_proxy.hpp"
#include "actors/kube_proxy/nft_library.hpp"
#include "runtime/log.hpp"
#include "runtime/memory.hpp"

namespace troupe::kube_proxy {
namespace {

constexpr std::uint64_t cap_net_admin = 1u << 12;

bool may_administer_network() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("CapEff:")) return (std::stoull(line.substr(7), nullptr, 16) & cap_net_admin) != 0;
  return false;
}

void look_after_flows(const batch& what) {
  if (what.flows.empty()) return;
  std::size_t forgotten = 0;
  // The table is right all the same: flows that could not be forgotten end by themselves when their client pauses.
  if (auto error = forget_stale_flows(what.flows, forgotten); !error.empty())
    spdlog::warn("kube_proxy.flows_kept error={}", error);
  if (forgotten > 0) spdlog::debug("kube_proxy.flows_forgotten count={}", forgotten);
}

}  // namespace

std::string why_no_tables() {
  if (!may_administer_network()) return "it takes root (CAP_NET_ADMIN) to keep the kernel's tables";
  std::string error;
  nft_context::open(error);
  return error;
}

nft_driver::nft_driver(script_options options) : options_(options), thread_([this] { run(); }) {}

nft_driver::~nft_driver() { stop(false); }

void nft_driver::apply(std::shared_ptr<const batch> what, std::function<void(std::string error)> done) {
  std::lock_guard lock(mutex_);
  next_ = order{std::move(what), std::move(done)};
  changed_.notify_one();
}

void nft_driver::stop(bool remove) {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    next_.reset();
    changed_.notify_one();
  }
  if (!thread_.joinable()) return;
  thread_.join();
  if (!remove) return;
  std::string error;
  auto context = nft_context::open(error);
  if (context) error = context->run(removal_script());
  if (!error.empty()) spdlog::warn("kube_proxy.table_left error={}", error);
}

void nft_driver::run() {
  std::string missing;
  auto context = nft_context::open(missing);
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || next_; });
    if (stopping_ || !next_) return;
    auto todo = std::move(*next_);
    next_.reset();
    lock.unlock();
    auto error = context ? context->run(script_for(*todo.what, options_)) : missing;
    // A large table takes libnftables 100 MiB for a second.
    if (todo.what->kind == batch_kind::whole) runtime::give_back_memory();
    if (error.empty()) look_after_flows(*todo.what);
    todo.done(std::move(error));
  }
}

}  // namespace troupe::kube_proxy
