// Events of a node's watches on their way to a link that takes them more slowly than they come. They wait as objects
// that all watchers share, not as frames; a watch that falls too far behind is cut, so that its reader opens it again
// where it was, and the link and all else on it go on. (kube-apiserver ends the watches of slow readers, too:
// k8s.io/apiserver/pkg/storage/cacher.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>

#include "messages/api_server.hpp"

namespace troupe::link {

/// See the top of this file. Pure.
class watch_queue {
 public:
  /// `most_bytes`: of one watch's waiting events. What comes before it was up to date for the first time, or before the
  /// bookmark that ends the initial events, does not count: it would be as large the next time.
  explicit watch_queue(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  /// Adds a batch behind all others. False: its watch has too much waiting and is to be cut.
  bool add(api::watch_batch batch);
  /// What waits of that watch is dropped; its end is delivered.
  void cut(std::uint64_t watch_id);
  /// What waits of that watch is dropped: nobody wants it any more.
  void drop(std::uint64_t watch_id);
  /// The next events, about that many bytes, at least one.
  api::watch_delivery take(std::size_t bytes);
  bool empty() const { return waiting_.empty(); }

 private:
  struct entry {
    api::watch_batch batch;
    std::size_t counted = 0;
  };
  struct backlog {
    bool initial = true;
    std::size_t bytes = 0, entries = 0;
  };
  void taken(const entry& which);

  std::size_t most_bytes_;
  std::deque<entry> waiting_;
  std::size_t next_event_ = 0;  // of the first entry
  std::unordered_map<std::uint64_t, backlog> watches_;
};

}  // namespace troupe::link
