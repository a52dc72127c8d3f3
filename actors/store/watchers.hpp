// Who watches which keys, and what a watcher that is still reading history has waiting.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actors/store/key_index.hpp"
#include "messages/store.hpp"

namespace troupe::store::core {

/// The shell's name for whoever sent a message; 0 is the store itself.
using client_id = std::uint64_t;

/// One watch.
struct watcher {
  client_id client = 0;
  std::uint64_t id = 0;
  key_range keys;
  std::uint64_t start_revision = 0;   // events before it are not wanted
  bool reading_history = false;       // live events wait until history has been sent
  std::uint64_t range_revision = 0;   // newest durable change inside the range, as far as known
  std::vector<store::event> waiting;  // live events that came while history was read
  std::vector<store::event> batch;    // events of the batch being delivered
};

/// All watches, found by the key they cover.
class watchers {
 public:
  using pointer = std::shared_ptr<watcher>;

  /// False when the client has a watch of that id already.
  bool add(pointer w);
  void remove(client_id client, std::uint64_t id);
  void remove_client(client_id client);
  pointer find(client_id client, std::uint64_t id) const;
  const std::vector<pointer>& all() const { return by_begin_; }

  /// Calls visit(watcher&) for each watch whose range has the key, in order of range begin.
  template <class Visit>
  void covering(std::string_view key, Visit visit) const {
    for (std::size_t i = first_after(key); i-- > 0;) {
      if (by_begin_[i]->keys.contains(key)) visit(*by_begin_[i]);
      if (!reach_[i].unbounded && reach_[i].end <= key) break;  // no range that begins earlier gets this far
    }
  }

 private:
  struct reach {
    bool unbounded = false;
    std::string_view end;
  };
  std::size_t first_after(std::string_view key) const;
  void index();

  std::vector<pointer> by_begin_;
  std::vector<reach> reach_;  // [i]: the farthest end of by_begin_[0..i]
};

}  // namespace troupe::store::core
