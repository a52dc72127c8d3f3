// Queue of keys with delays and backoff.
#include "runtime/work_queue.hpp"

#include <algorithm>

namespace troupe::runtime {

void work_queue::add(const std::string& key) {
  if (!dirty_.insert(key).second) return;
  if (processing_.count(key) == 0) queue_.push_back(key);
}

void work_queue::add_after(const std::string& key, std::uint64_t delay_ms, std::uint64_t now_ms) {
  if (delay_ms == 0) {
    add(key);
    return;
  }
  auto due = now_ms + delay_ms;
  auto [known, fresh] = due_by_key_.emplace(key, due);
  if (!fresh) {
    if (known->second <= due) return;
    due_.erase({known->second, key});
    known->second = due;
  }
  due_.emplace(due, key);
}

void work_queue::add_rate_limited(const std::string& key, std::uint64_t now_ms) {
  auto& count = failures_[key];
  auto doublings = std::min<std::uint32_t>(count, 40);
  auto delay = std::min(limits_.cap_ms, limits_.base_ms << doublings);
  ++count;
  add_after(key, delay, now_ms);
}

void work_queue::forget(const std::string& key) { failures_.erase(key); }

std::uint32_t work_queue::failures(const std::string& key) const {
  auto found = failures_.find(key);
  return found == failures_.end() ? 0 : found->second;
}

void work_queue::advance(std::uint64_t now_ms) {
  while (!due_.empty() && due_.begin()->first <= now_ms) {
    auto key = due_.begin()->second;
    due_.erase(due_.begin());
    due_by_key_.erase(key);
    add(key);
  }
}

std::optional<std::string> work_queue::take() {
  if (queue_.empty()) return std::nullopt;
  auto key = std::move(queue_.front());
  queue_.pop_front();
  dirty_.erase(key);
  processing_.insert(key);
  return key;
}

void work_queue::done(const std::string& key) {
  if (processing_.erase(key) > 0 && dirty_.count(key) > 0) queue_.push_back(key);
}

std::optional<std::uint64_t> work_queue::next_due_ms() const {
  if (due_.empty()) return std::nullopt;
  return due_.begin()->first;
}

}  // namespace troupe::runtime
