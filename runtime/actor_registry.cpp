// Paths and counters of live components.
#include "runtime/actor_registry.hpp"

#include <caf/actor_cast.hpp>

namespace troupe::runtime {

std::string actor_registry::add(const std::string& wanted, caf::actor_addr address,
                                std::shared_ptr<actor_counters> counters) {
  std::lock_guard guard(mutex_);
  auto path = wanted;
  for (int copy = 2; entries_.count(path) > 0 && entries_[path].counters; ++copy)
    path = wanted + "#" + std::to_string(copy);
  auto& known = entries_[path];
  known.address = std::move(address);
  known.counters = std::move(counters);
  if (!known.supervised) known.state = "running";
  return path;
}

void actor_registry::remove(const std::string& path, const actor_counters* counters) {
  std::lock_guard guard(mutex_);
  auto found = entries_.find(path);
  if (found == entries_.end() || found->second.counters.get() != counters) return;
  if (!found->second.supervised) {
    entries_.erase(found);
    return;
  }
  found->second.address = {};
  found->second.counters = nullptr;
}

void actor_registry::set_state(const std::string& path, std::string_view state, std::uint64_t restarts,
                               std::string_view last_error) {
  std::lock_guard guard(mutex_);
  auto& known = entries_[path];
  known.supervised = true;
  known.state = state;
  known.restarts = restarts;
  if (!last_error.empty()) known.last_error = last_error;
}

void actor_registry::forget(const std::string& path) {
  std::lock_guard guard(mutex_);
  auto found = entries_.find(path);
  if (found == entries_.end()) return;
  if (found->second.counters)
    found->second.supervised = false;
  else
    entries_.erase(found);
}

caf::strong_actor_ptr actor_registry::find(const std::string& path) const {
  std::lock_guard guard(mutex_);
  auto found = entries_.find(path);
  if (found == entries_.end()) return nullptr;
  return caf::actor_cast<caf::strong_actor_ptr>(found->second.address);
}

std::vector<supervision::actor_info> actor_registry::snapshot(std::string_view path) const {
  std::vector<supervision::actor_info> all;
  std::lock_guard guard(mutex_);
  for (auto at = entries_.lower_bound(path); at != entries_.end(); ++at) {
    const auto& [name, known] = *at;
    if (!std::string_view(name).starts_with(path)) break;
    if (!path.empty() && name.size() > path.size() && name[path.size()] != '/') continue;
    supervision::actor_info info;
    info.path = name;
    info.state = known.state;
    info.restarts = known.restarts;
    info.last_error = known.last_error;
    if (known.counters) {
      info.mailbox = known.counters->depth();
      info.processed = known.counters->processed.load(std::memory_order_relaxed);
      info.cpu_us = known.counters->busy_ns.load(std::memory_order_relaxed) / 1000;
    }
    all.push_back(std::move(info));
  }
  return all;
}

}  // namespace troupe::runtime
