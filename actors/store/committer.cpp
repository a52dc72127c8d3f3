// The one thread that makes appends durable.
#include "actors/store/committer.hpp"

#include <pthread.h>

#include <utility>

namespace troupe::store {
namespace {

constexpr std::size_t max_appends = 1024;  // of one commit: bounds the work that answering it takes
constexpr std::size_t max_bytes = 4 << 20;

std::size_t bytes_of(const core::append& one) {
  std::size_t bytes = 0;
  for (const auto& r : one.records) bytes += r.key.size() + r.value.size() + r.source.at.size;
  return bytes;
}

}  // namespace

committer::committer(std::shared_ptr<backend> to, std::function<void()> wake)
    : backend_(std::move(to)), wake_(std::move(wake)) {
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "store-commit");
}

committer::~committer() { stop(); }

void committer::submit(core::append one) {
  bool idle = false;
  {
    std::lock_guard guard(mutex_);
    idle = queue_.empty();
    queue_.push_back(std::move(one));
  }
  if (idle) changed_.notify_one();
}

std::vector<core::event> committer::take() {
  std::lock_guard guard(mutex_);
  if (failed_) {
    queue_.clear();
    failed_ = false;
  }
  return std::exchange(outcomes_, {});
}

void committer::stop() {
  {
    std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

/// Waits for work; empty when it is time to stop.
std::vector<core::append> committer::next_batch() {
  std::unique_lock guard(mutex_);
  changed_.wait(guard, [this] { return stopping_ || (!queue_.empty() && !failed_); });
  std::vector<core::append> batch;
  if (stopping_) return batch;
  std::size_t bytes = 0;
  while (!queue_.empty() && batch.size() < max_appends && bytes < max_bytes) {
    bytes += bytes_of(queue_.front());
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return batch;
}

/// True when nothing waits any more.
bool committer::finish(core::event outcome) {
  bool idle = false;
  {
    std::lock_guard guard(mutex_);
    failed_ = std::holds_alternative<core::commit_failed>(outcome);
    outcomes_.push_back(std::move(outcome));
    idle = queue_.empty() && !failed_;
  }
  wake_();
  return idle;
}

void committer::run() {
  for (auto batch = next_batch(); !batch.empty(); batch = next_batch()) {
    if (finish(backend_->commit(batch))) backend_->idle();
  }
}

}  // namespace troupe::store
