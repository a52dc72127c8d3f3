// The recorder's queue and thread.
#include "runtime/trace/recorder.hpp"

#include <chrono>

#include "runtime/background_thread.hpp"
#include "runtime/trace/segment_writer.hpp"

namespace troupe::trace {

namespace {

// After the first frame the thread waits this long for more: few wake-ups, and large pieces to compress.
constexpr std::chrono::milliseconds gather{50};

// What an entry is charged for: its frame and the objects it may bring.
std::uint64_t cost_of(const std::string& frame, const std::vector<object_ptr>& objects) {
  std::uint64_t bytes = frame.size() + 64;
  for (const auto& one : objects) bytes += one->json.size();
  return bytes;
}

}  // namespace

result<std::unique_ptr<recorder>> recorder::open(recorder_options options) {
  options.segment_bytes = std::max<std::uint64_t>(1024, std::min(options.segment_bytes, options.max_bytes / 2));
  std::unique_ptr<recorder> made(new recorder(std::move(options)));
  if (auto failed = made->writer_->start(); !failed.ok()) return failed;
  made->segment_ = made->writer_->number();
  made->thread_ = std::thread([self = made.get()] { self->write_loop(); });
  return made;
}

recorder::recorder(recorder_options options)
    : options_(std::move(options)), writer_(std::make_unique<segment_writer>(options_)) {}

recorder::~recorder() {
  {
    std::lock_guard guard(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void recorder::add(std::string frames, std::vector<object_ptr> objects, const core_layout* layout) {
  auto cost = cost_of(frames, objects);
  bool first;
  {
    std::lock_guard guard(mutex_);
    if (queued_bytes_ + cost > options_.queue_bytes) {
      ++dropped_since_;
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    first = queue_.empty();
    queued_bytes_ += cost;
    queue_.push_back({std::move(frames), std::move(objects), layout});
  }
  if (first) wake_.notify_one();
}

void recorder::flush() {
  std::unique_lock guard(mutex_);
  flush_wanted_ = true;
  wake_.notify_one();
  idle_.wait(guard, [this] { return queue_.empty() && !writing_ && !flush_wanted_; });
}

void recorder::write_loop() {
  runtime::yield_to_serving();
  std::unique_lock guard(mutex_);
  for (;;) {
    wake_.wait(guard, [this] { return stop_ || flush_wanted_ || !queue_.empty(); });
    if (!stop_ && !flush_wanted_) wake_.wait_for(guard, gather, [this] { return stop_ || flush_wanted_; });
    std::vector<entry> batch;
    batch.swap(queue_);
    auto dropped = std::exchange(dropped_since_, 0);
    queued_bytes_ = 0;
    writing_ = true;
    bool ending = stop_;
    guard.unlock();
    write_batch(batch, dropped);
    batch.clear();
    guard.lock();
    writing_ = false;
    if (queue_.empty()) {
      flush_wanted_ = false;
      idle_.notify_all();
      if (ending) return;
    }
  }
}

void recorder::write_batch(std::vector<entry>& batch, std::uint64_t dropped) {
  for (auto& one : batch) {
    writer_->write(one.frames, one.objects, one.layout);
    if (writer_->rotate_if_full()) segment_.store(writer_->number(), std::memory_order_relaxed);
  }
  // Frames are dropped when the queue is full, that is behind the batch.
  if (dropped > 0) writer_->write(pack_dropped(dropped), {});
  writer_->flush();
  frames_.store(writer_->frames(), std::memory_order_relaxed);
}

}  // namespace troupe::trace
