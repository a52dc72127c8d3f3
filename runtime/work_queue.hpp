// Keys waiting to be worked on, with client-go's semantics: a key is in the queue once, is never worked on twice at the
// same time, comes back when it was added meanwhile, and backs off by itself after failures. Pure: time is passed in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace troupe::runtime {

/// Exponential backoff per key: base * 2^failures, at most cap. Milliseconds.
struct backoff_limits {
  std::uint64_t base_ms = 5;
  std::uint64_t cap_ms = 1'000'000;
};

/// See the top of this file. Times are steady milliseconds.
class work_queue {
 public:
  explicit work_queue(backoff_limits limits = {}) : limits_(limits) {}

  /// Adds the key unless it waits already; while it is being worked on it is remembered for afterwards.
  void add(const std::string& key);
  /// Adds it once the delay is over; of several delays of one key the earliest counts. Zero adds at once.
  void add_after(const std::string& key, std::uint64_t delay_ms, std::uint64_t now_ms);
  /// Adds it after its own backoff, which grows with each call until forget().
  void add_rate_limited(const std::string& key, std::uint64_t now_ms);
  /// The key's backoff starts anew.
  void forget(const std::string& key);
  /// How often the key has been added rate-limited since it was last forgotten.
  std::uint32_t failures(const std::string& key) const;

  /// Moves delayed keys that are due into the queue.
  void advance(std::uint64_t now_ms);
  /// The next key to work on; done() must follow. Nothing when none waits.
  std::optional<std::string> take();
  /// The key has been worked on; it waits again if it was added meanwhile.
  void done(const std::string& key);

  /// When the next delayed key is due.
  std::optional<std::uint64_t> next_due_ms() const;
  std::size_t waiting() const { return queue_.size(); }
  std::size_t processing() const { return processing_.size(); }
  std::size_t delayed() const { return due_by_key_.size(); }

 private:
  backoff_limits limits_;
  std::deque<std::string> queue_;
  std::set<std::string> dirty_;  // waits, or must wait again after done()
  std::set<std::string> processing_;
  std::set<std::pair<std::uint64_t, std::string>> due_;
  std::map<std::string, std::uint64_t> due_by_key_;
  std::map<std::string, std::uint32_t> failures_;
};

}  // namespace troupe::runtime
