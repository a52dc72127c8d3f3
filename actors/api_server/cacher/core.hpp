// The cacher of one resource, decided without I/O: its objects, the recent events, and the watches on them.
//
// Watches with the same filter form a group: an event is judged once for each group and the group's watches share the
// resulting vector. Groups that fix a node, a name or a namespace are found by index.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/api_server/cacher/filter.hpp"
#include "actors/api_server/cacher/snapshot_builder.hpp"
#include "messages/api_server.hpp"
#include "messages/cacher.hpp"
#include "messages/store.hpp"

namespace troupe::api {

/// Bounds of the event window; whichever is hit first. Events beyond are forgotten, oldest first.
struct window_limits {
  std::size_t events = 10'000;
  std::size_t bytes = 16 * 1024 * 1024;
};

/// A watch as the core knows it. `recipient` is the shell's number for whoever gets the events.
struct watch_spec {
  std::uint64_t id = 0;
  std::uint64_t recipient = 0;
  std::shared_ptr<const watch_filter> filter;
  cacher::watch_start start = cacher::watch_start::now;
  std::uint64_t revision = 0;
  bool bookmarks = false;
  bool mark_initial_end = false;
  std::uint64_t ends_at_ms = 0;  // steady clock
};

/// What is to be sent: one batch of events for each watch, grouped by recipient, in order of recipient.
using deliveries = std::map<std::uint64_t, watch_delivery>;

/// A batch of events, and one that ends a watch.
watch_batch make_batch(std::uint64_t id, std::shared_ptr<const std::vector<watch_event>> events);
watch_batch end_batch(std::uint64_t id, const status& why);

/// See the top of this file. Times are milliseconds of a steady clock, passed in.
class cacher_core {
 public:
  explicit cacher_core(std::uint16_t resource, window_limits limits = {});

  /// Starts over with these objects (sorted by key), as of the revision. Open watches are closed: their clients resume
  /// or list again.
  deliveries reset(const std::vector<object_ptr>& sorted, std::uint64_t revision);
  /// Takes the changes of one or more transactions and says who must hear of them.
  deliveries apply(const store::watch_events& changes);
  /// Adds a watch; what it gets at once is in the result.
  deliveries open(watch_spec spec, std::uint64_t now_ms);
  void close(std::uint64_t watch_id);
  /// The recipient is gone: so are its watches.
  void forget(std::uint64_t recipient);
  /// Bookmarks and timeouts that are due. `progress` is a store revision up to which nothing is missing here.
  deliveries tick(std::uint64_t now_ms, std::uint64_t progress);
  /// Closes all watches.
  deliveries close_all(const status& why);
  /// When tick() has something to do next; 0: never.
  std::uint64_t next_tick() const;

  snapshot_ptr publish() const { return objects_.publish(revision_); }
  std::uint64_t revision() const { return revision_; }
  bool synced() const { return synced_; }
  std::size_t watches() const { return watches_.size(); }
  /// Recipient of a watch, or 0.
  std::uint64_t recipient_of(std::uint64_t watch_id) const;
  bool has_recipient(std::uint64_t recipient) const;
  /// Stored values that are no objects, since the start: a sign of a foreign or damaged store.
  std::uint64_t unreadable() const { return unreadable_; }

 private:
  using events_ptr = std::shared_ptr<const std::vector<watch_event>>;
  struct change {
    object_ptr now;     // null: deleted
    object_ptr before;  // null: created
    object_ptr gone;    // the previous state under the change's revision; made when needed
    shared_bytes stored_before;
    std::uint64_t revision = 0;
    std::uint64_t created_before = 0;
    std::size_t bytes = 0;
  };
  struct group {
    std::shared_ptr<const watch_filter> filter;
    std::vector<std::uint64_t> members;  // watch ids
    std::shared_ptr<std::vector<watch_event>> pending;
  };
  struct open_watch_state {
    watch_spec spec;
    group* owner = nullptr;
    std::uint64_t bookmark_at_ms = 0;
    std::uint64_t sent_revision = 0;
  };
  using group_index = std::map<std::string, std::vector<group*>, std::less<>>;

  bool read_change(const store::event& from, change& into);
  bool judge(change& c, const watch_filter& filter, watch_event& out) const;
  const object_ptr& gone_state(change& c) const;
  void remember(change c);
  void distribute(change& c, std::vector<group*>& touched);
  void offer(group& to, change& c, std::vector<group*>& touched);
  void offer_indexed(const group_index& index, std::string_view key, change& c, std::vector<group*>& touched);
  events_ptr initial_events(const watch_spec& spec);
  events_ptr events_after(const watch_spec& spec);
  group& join(const watch_spec& spec);
  void leave(open_watch_state& w);
  void index(group& g, bool add);

  std::uint16_t resource_;
  window_limits limits_;
  snapshot_builder objects_;
  std::uint64_t revision_ = 0;
  std::uint64_t oldest_ = 0;  // events after this revision are in the window
  bool synced_ = false;
  std::deque<change> window_;
  std::size_t window_bytes_ = 0;
  std::uint64_t unreadable_ = 0;

  std::map<std::uint64_t, open_watch_state> watches_;
  std::map<std::string, std::unique_ptr<group>, std::less<>> groups_;
  std::vector<group*> unindexed_;
  group_index by_namespace_, by_name_, by_node_;
};

}  // namespace troupe::api
