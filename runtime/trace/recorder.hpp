// Records what cores decide: events in, effects out, as msgpack frames in zstd segments written by a thread of its own.
// Recording never waits: what does not fit the bounded queue is dropped and counted.
//
// A segment file is a sequence of frames, each a msgpack array whose first element is its kind (see frame.hpp). Objects
// are written once per segment, before the first frame that refers to them; Secrets' data is redacted.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "messages/object.hpp"
#include "messages/status.hpp"
#include "runtime/trace/frame.hpp"

namespace troupe::trace {

struct recorder_options {
  std::string directory = {};             // made with mode 0700; segments get 0600
  std::uint64_t max_bytes = 64 << 20;     // of all segments; the oldest go first
  std::uint64_t segment_bytes = 8 << 20;  // compressed; a new segment is begun beyond
  std::uint64_t queue_bytes = 16 << 20;   // not yet written
  std::string configuration = {};         // text of the run's configuration, without secrets
  std::uint64_t wall_ms = 0;              // when the run began
};

/// See the top of this file. Thread-safe.
class recorder {
 public:
  /// Opens the first segment, numbered after those already there.
  static result<std::unique_ptr<recorder>> open(recorder_options options);
  ~recorder();
  recorder(const recorder&) = delete;
  recorder& operator=(const recorder&) = delete;

  /// Adds packed frames, kept or dropped together, and the objects and the layout (or null) they refer to.
  void add(std::string frames, std::vector<object_ptr> objects, const core_layout* layout = nullptr);
  /// A hop that is no core's step.
  void add(const hop& one) { add(pack_hop(one), {}); }

  /// Number of the current segment; a core that sees it change writes its state again.
  std::uint64_t segment() const { return segment_.load(std::memory_order_relaxed); }
  /// Pieces (a core's step, a hop) that did not fit.
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }
  std::uint64_t written_frames() const { return frames_.load(std::memory_order_relaxed); }
  /// Waits until everything added so far is in the files, flushed.
  void flush();

 private:
  struct entry {
    std::string frames;
    std::vector<object_ptr> objects;
    const core_layout* layout = nullptr;
  };
  explicit recorder(recorder_options options);
  void write_loop();
  void write_batch(std::vector<entry>& batch, std::uint64_t dropped);

  recorder_options options_;
  std::unique_ptr<class segment_writer> writer_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::vector<entry> queue_;
  std::uint64_t queued_bytes_ = 0;
  std::uint64_t dropped_since_ = 0;
  bool writing_ = false;
  bool flush_wanted_ = false;
  bool stop_ = false;
  std::atomic<std::uint64_t> segment_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<std::uint64_t> frames_{0};
  std::thread thread_;
};

}  // namespace troupe::trace
