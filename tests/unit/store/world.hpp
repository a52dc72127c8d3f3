// A store core with a backend under it, driven by hand: commits happen when the test says so.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "actors/store/backend.hpp"
#include "actors/store/core.hpp"
#include "actors/store/memory_backend.hpp"

namespace troupe::store::testing {

inline shared_bytes bytes(std::string text) { return shared_bytes(std::move(text)); }

inline core::settings no_cache() {
  core::settings s;
  s.value_cache_bytes = 0;
  return s;
}

class world {
 public:
  explicit world(core::settings how = {}, std::shared_ptr<backend> under = std::make_shared<memory_backend>())
      : settings(how), disk(std::move(under)) {
    restart();
  }

  /// A new core over what is durable; what was queued is lost.
  void restart() {
    queued.clear();
    state = std::make_unique<core::state>(settings);
    auto opened = disk->open([&](record r, location at) { core::recover(*state, std::move(r), at); });
    core::finish_recovery(*state, *opened, now_ms);
  }

  void feed(core::event e) {
    std::deque<core::event> todo;
    todo.push_back(std::move(e));
    for (; !todo.empty(); todo.pop_front()) {
      for (auto& what : core::step(*state, std::move(todo.front()))) perform(what, todo);
    }
    if (auto_slice) run_slices();
  }

  /// Commits the oldest `count` queued appends together.
  void commit(std::size_t count) {
    count = std::min(count, queued.size());
    if (count == 0) return;
    std::vector<core::append> batch(queued.begin(), queued.begin() + static_cast<std::ptrdiff_t>(count));
    queued.erase(queued.begin(), queued.begin() + static_cast<std::ptrdiff_t>(count));
    auto outcome = disk->commit(batch);
    if (std::holds_alternative<core::commit_failed>(outcome)) queued.clear();
    feed(std::move(outcome));
  }
  /// Until nothing is left to do.
  void settle() {
    while (!queued.empty() || slice_wanted) {
      commit(queued.size());
      run_slices();
    }
  }
  void run_slices() {
    const bool was = std::exchange(auto_slice, false);
    while (slice_wanted) {
      slice_wanted = false;
      feed(core::slice_due{});
    }
    auto_slice = was;
  }
  void tick(std::uint64_t ms) {
    now_ms += ms;
    feed(core::clock_ticked{now_ms});
  }

  // Requests of client 1; ids count up.
  std::uint64_t send(std::vector<compare> compares, std::vector<op> ops) {
    txn t;
    t.id = ++last_id;
    t.compares = std::move(compares);
    t.ops = std::move(ops);
    feed(core::txn_requested{1, std::move(t)});
    return last_id;
  }
  static op put_op(std::string key, std::string value, std::int64_t lease = 0) {
    return {op_kind::put, std::move(key), bytes(std::move(value)), lease};
  }
  static op erase_op(std::string key) { return {op_kind::erase, std::move(key), {}, 0}; }
  txn_reply now(std::vector<compare> compares, std::vector<op> ops) {
    const auto id = send(std::move(compares), std::move(ops));
    settle();
    return txns.at(id);
  }
  txn_reply put(std::string key, std::string value, std::int64_t lease = 0) {
    return now({}, {put_op(std::move(key), std::move(value), lease)});
  }
  txn_reply erase(std::string key) { return now({}, {erase_op(std::move(key))}); }
  range_reply get(range r) {
    r.id = ++last_id;
    feed(core::range_requested{1, r});
    run_slices();
    return ranges.at(r.id);
  }
  range_reply get(std::string key, std::string end = {}, std::uint64_t revision = 0) {
    range r;
    r.key = std::move(key);
    r.range_end = std::move(end);
    r.revision = revision;
    return get(r);
  }
  std::uint64_t start_watch(std::string key, std::string end, std::uint64_t from) {
    watch w;
    w.id = ++last_id;
    w.key = std::move(key);
    w.range_end = std::move(end);
    w.start_revision = from;
    feed(core::watch_requested{1, w});
    return w.id;
  }
  ack ask(lease l) {
    l.id = ++last_id;
    feed(core::lease_requested{1, l, now_ms});
    settle();
    return acks.at(l.id);
  }
  ack grant(std::int64_t id, std::int64_t ttl) {
    lease l;
    l.lease_id = id;
    l.ttl_seconds = ttl;
    return ask(l);
  }
  ack compact_to(std::uint64_t revision) {
    feed(core::compact_requested{1, {++last_id, revision}});
    settle();
    return acks.at(last_id);
  }

  core::settings settings;
  std::shared_ptr<backend> disk;
  std::unique_ptr<core::state> state;
  std::deque<core::append> queued;
  bool slice_wanted = false;
  bool auto_slice = true;
  std::uint64_t now_ms = 0;
  std::uint64_t last_id = 0;
  std::map<std::uint64_t, txn_reply> txns;
  std::map<std::uint64_t, range_reply> ranges;
  std::map<std::uint64_t, ack> acks;
  std::map<std::uint64_t, watch_started> started;
  std::map<std::uint64_t, std::uint64_t> range_revisions;  // as the shared progress would show
  std::map<std::uint64_t, std::vector<watch_events>> events;
  std::vector<core::report> reports;
  std::uint64_t loads = 0;

 private:
  void perform(core::effect& what, std::deque<core::event>& follow) {
    if (auto* x = std::get_if<core::append>(&what)) queued.push_back(std::move(*x));
    if (auto* x = std::get_if<core::send_txn_reply>(&what)) txns[x->reply.id] = x->reply;
    if (auto* x = std::get_if<core::send_range_reply>(&what)) ranges[x->reply.id] = x->reply;
    if (auto* x = std::get_if<core::send_ack>(&what)) acks[x->reply.id] = x->reply;
    if (auto* x = std::get_if<core::send_watch_events>(&what)) events[x->events.id].push_back(x->events);
    if (auto* x = std::get_if<core::report>(&what)) reports.push_back(*x);
    if (std::holds_alternative<core::schedule_slice>(what)) slice_wanted = true;
    if (auto* x = std::get_if<core::drop_segments>(&what)) {
      follow.push_back(core::segments_dropped{disk->drop(x->below)});
    }
    if (auto* x = std::get_if<core::send_watch_started>(&what)) {
      started[x->reply.id] = x->reply;
      range_revisions[x->reply.id] = x->range_revision;
    }
    if (auto* x = std::get_if<core::advance_progress>(&what)) {
      for (const auto& c : x->changed) range_revisions[c.id] = c.revision;
    }
    if (auto* x = std::get_if<core::load_values>(&what)) follow.push_back(load(*x));
  }
  core::event load(const core::load_values& wanted) {
    core::values_loaded loaded;
    loaded.job = wanted.job;
    for (const auto& from : wanted.places) {
      ++loads;
      auto value = disk->read(from);
      if (!value) {
        loaded.error = value.error();
        break;
      }
      loaded.values.push_back(*value);
    }
    return loaded;
  }
};

}  // namespace troupe::store::testing
