// The one thread that makes appends durable: whatever has queued up goes into one commit.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "actors/store/backend.hpp"

namespace troupe::store {

/// A thin driver: appends go in, batch_durable and commit_failed come out, in order. submit() and take() belong to the
/// actor; `wake` is called by the committer's thread whenever take() has something.
class committer {
 public:
  committer(std::shared_ptr<backend> to, std::function<void()> wake);
  ~committer();
  committer(const committer&) = delete;
  committer& operator=(const committer&) = delete;

  void submit(core::append one);
  /// What has happened since the last call. After a failure everything submitted up to now is forgotten.
  std::vector<core::event> take();
  /// Ends the thread after the commit that is under way; what waits is not written.
  void stop();

 private:
  void run();
  std::vector<core::append> next_batch();
  bool finish(core::event outcome);

  std::shared_ptr<backend> backend_;
  std::function<void()> wake_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<core::append> queue_;
  std::vector<core::event> outcomes_;
  bool failed_ = false;  // nothing is written until the actor has heard of it
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace troupe::store
