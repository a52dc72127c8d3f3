// The core against a model that keeps every state whole: seeded random operations, late commits, restarts, compaction,
// cleaning of small segments, disk faults.
#include <doctest/doctest.h>

#include <random>

#include "tests/unit/store/world.hpp"

using namespace troupe;
using namespace troupe::store;
using troupe::store::testing::world;

namespace {

struct model_value {
  std::uint64_t create = 0;
  std::uint64_t mod = 0;
  std::uint64_t version = 0;
  std::string value;
  friend bool operator==(const model_value&, const model_value&) = default;
};
using snapshot = std::map<std::string, model_value>;

/// States by revision; each transaction is applied at once.
struct model {
  std::map<std::uint64_t, snapshot> states{{1, {}}};
  std::uint64_t compacted = 0;
  std::uint64_t newest() const { return states.rbegin()->first; }

  bool holds(const std::vector<compare>& compares) const {
    const auto& now = states.rbegin()->second;
    for (const auto& c : compares) {
      auto at = now.find(c.key);
      if ((at == now.end() ? 0 : at->second.mod) != c.mod_revision) return false;
    }
    return true;
  }
  void apply(const std::vector<op>& ops) {
    snapshot next = states.rbegin()->second;
    const auto revision = newest() + 1;
    bool changed = false;
    for (const auto& o : ops) {
      if (o.kind == op_kind::erase) {
        changed = next.erase(o.key) > 0 || changed;
        continue;
      }
      auto& v = next[o.key];
      v = {v.version == 0 ? revision : v.create, revision, v.version + 1, std::string(o.value.view())};
      changed = true;
    }
    if (changed) states[revision] = std::move(next);
  }
  void forget_after(std::uint64_t revision) { states.erase(states.upper_bound(revision), states.end()); }
};

/// Everything a watch has told, as a state to compare with.
struct follower {
  std::uint64_t id = 0;
  std::uint64_t from = 0;
  bool live = true;
};

class run {
 public:
  explicit run(std::uint64_t seed) : random(seed), disk(std::make_shared<memory_backend>(600)), w(settings(), disk) {
    w.auto_slice = false;
  }

  void operator()(int steps) {
    for (int i = 0; i < steps; ++i) {
      act();
      core::check_invariants(*w.state);
      if (pick(4) == 0) check_disk();
    }
    w.settle();
    check_state();
    for (const auto& f : followers) check_watch(f);
  }

 private:
  static core::settings settings() {
    core::settings s;
    s.value_cache_bytes = 40;
    s.slice_keys = 3;
    s.slice_values = 4;
    s.clean_slack_bytes = 500;
    s.compact_interval_ms = 0;
    s.retain_revisions = 0;
    return s;
  }
  std::uint64_t pick(std::uint64_t n) { return random() % n; }
  std::string key() { return "k" + std::to_string(pick(12)); }

  void act() {
    switch (pick(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
      case 5:
        return transact();
      case 6:
      case 7:
      case 8:
        return w.commit(1 + pick(4));
      case 9:
      case 10:
        w.slice_wanted ? (w.slice_wanted = false, w.feed(core::slice_due{})) : void();
        return;
      case 11:
        return read();
      case 12:
        return watch();
      case 13:
        if (pick(4) == 0) compact();
        return;
      case 14:
        if (pick(10) == 0) restart();
        return;
      default:
        if (pick(10) == 0) fail();
    }
  }

  void transact() {
    std::vector<compare> compares;
    std::vector<op> ops;
    for (auto n = pick(2); n-- > 0;) {
      const auto k = key();
      const auto& now = m.states.rbegin()->second;
      const auto at = now.find(k);
      compares.push_back({k, pick(5) == 0 ? pick(50) : (at == now.end() ? 0 : at->second.mod)});
    }
    std::map<std::string, op> distinct;
    for (auto n = 1 + pick(3); n-- > 0;) {
      const auto k = key();
      distinct[k] = pick(4) == 0 ? world::erase_op(k)
                                 : world::put_op(k, std::string(pick(30), 'v') + std::to_string(random() % 1000));
    }
    for (auto& [k, o] : distinct) ops.push_back(o);
    const bool expected = m.holds(compares);
    const auto id = w.send(compares, ops);
    if (expected) m.apply(ops);
    awaited[id] = {expected, m.newest()};
    verify_replies();
  }

  void verify_replies() {
    for (auto& [id, reply] : w.txns) {
      const auto& want = awaited.at(id);
      if (!reply.error.ok()) continue;
      REQUIRE(reply.succeeded == want.first);
      REQUIRE(reply.revision <= w.state->durable_revision);
      if (reply.succeeded) REQUIRE(reply.revision == want.second);
      for (const auto& kv : reply.found) REQUIRE(kv.mod_revision <= reply.revision);
    }
    w.txns.clear();
  }

  static void equal(const snapshot& want, const range_reply& got) {
    REQUIRE(got.error.ok());
    REQUIRE(got.kvs.size() == want.size());
    std::size_t i = 0;
    for (const auto& [k, v] : want) {
      const auto& kv = got.kvs[i++];
      REQUIRE(kv.key == k);
      REQUIRE(model_value{kv.create_revision, kv.mod_revision, kv.version, std::string(kv.value.view())} == v);
    }
  }

  void read() {
    const auto durable = w.state->durable_revision;
    const auto revision = pick(3) == 0 ? 0 : 1 + pick(durable);
    const auto got = w.get("k", "l", revision);
    if (revision != 0 && revision < w.state->compacted_revision) {
      REQUIRE(got.error.why == reason::gone);
    } else {
      equal(m.states.at(revision == 0 ? durable : revision), got);
    }
  }

  void watch() {
    if (followers.size() > 6) return;
    const auto durable = w.state->durable_revision;
    const auto from = pick(2) == 0 ? durable + 1 : 2 + pick(durable);
    const auto id = w.start_watch("k", "l", from);
    if (from <= w.state->compacted_revision) {
      REQUIRE(w.started.at(id).error.why == reason::gone);
    } else {
      followers.push_back({id, from});
    }
  }

  void compact() {
    const auto durable = w.state->durable_revision;
    if (durable <= w.state->compacting_revision) return;
    const auto to = w.state->compacting_revision + 1 + pick(durable - w.state->compacting_revision);
    w.feed(core::compact_requested{1, {++w.last_id, to}});
  }

  void restart() {
    for (const auto& f : followers) check_watch(f, false);
    followers.clear();
    m.forget_after(w.state->durable_revision);
    w.slice_wanted = false;
    w.restart();
    check_state();
  }

  void fail() {
    if (w.queued.empty()) return;
    disk->set_fault(memory_backend::fault::full);
    w.commit(1);
    disk->set_fault(memory_backend::fault::none);
    m.forget_after(w.state->durable_revision);
    verify_replies();
  }

  /// What a process that starts now would find.
  void check_disk() {
    world other(settings(), disk);
    REQUIRE(other.state->durable_revision == w.state->durable_revision);
    equal(m.states.at(other.state->durable_revision), other.get("k", "l"));
  }

  void check_state() { equal(m.states.at(w.state->durable_revision), w.get("k", "l")); }

  /// The events, applied to the state before the watch, give every later state; none is missing or repeated.
  void check_watch(const follower& f, bool complete = true) {
    snapshot now = m.states.at(f.from - 1);
    std::uint64_t at = f.from - 1;
    for (const auto& message : w.events[f.id]) {
      for (const auto& e : message.events) {
        if (e.current.mod_revision != at) {
          if (at >= f.from) REQUIRE(now == m.states.at(at));
          REQUIRE(e.current.mod_revision == at + 1);
          at = e.current.mod_revision;
        }
        auto before = now.find(e.current.key);
        REQUIRE((before != now.end()) == !e.previous.key.empty());
        if (before != now.end()) REQUIRE(before->second.value == e.previous.value.view());
        if (e.kind == op_kind::erase) {
          now.erase(e.current.key);
        } else {
          now[e.current.key] = {e.current.create_revision, e.current.mod_revision, e.current.version,
                                std::string(e.current.value.view())};
        }
      }
      REQUIRE(at <= message.revision);
    }
    if (at >= f.from) REQUIRE(now == m.states.at(at));
    if (complete) REQUIRE(at == std::max(m.newest(), f.from - 1));
  }

  std::mt19937_64 random;
  std::shared_ptr<memory_backend> disk;
  world w;
  model m;
  std::map<std::uint64_t, std::pair<bool, std::uint64_t>> awaited;
  std::vector<follower> followers;
};

}  // namespace

TEST_CASE("random operations agree with the model") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    run{seed}(1500);
  }
}

TEST_CASE("cleaning keeps the disk bounded and loses nothing") {
  core::settings s;
  s.compact_interval_ms = 10;
  s.clean_slack_bytes = 4096;
  s.value_cache_bytes = 100;
  auto disk = std::make_shared<memory_backend>(2048);
  world w(s, disk);
  w.grant(42, 1'000'000);
  w.put("constant", "forever", 42);
  w.put("gone", "x");
  w.erase("gone");
  for (int i = 0; i < 3000; ++i) {
    w.put("k" + std::to_string(i % 10), std::string(100, 'v') + std::to_string(i));
    if (i % 50 == 0) {
      w.tick(10);
      w.settle();
    }
  }
  CHECK(w.state->disk.oldest_segment > 5);
  CHECK(w.state->disk.bytes < 40'000);
  const auto revision = w.state->durable_revision;
  w.restart();
  CHECK(w.state->durable_revision == revision);
  CHECK(w.get("gone").count == 0);
  CHECK(w.get("k", "l").count == 10);
  CHECK(w.get("constant").kvs.at(0).value.view() == "forever");
  CHECK(w.get("k9").kvs.at(0).value.view() == std::string(100, 'v') + "2999");
  CHECK(w.put("x", "1", 42).succeeded);  // the lease has moved too
}

TEST_CASE("a deleted key never comes back, wherever a restart cuts the cleaning off") {
  core::settings s;
  s.compact_interval_ms = 0;
  s.retain_revisions = 0;
  s.clean_slack_bytes = 0;
  auto disk = std::make_shared<memory_backend>(1000);
  world w(s, disk);
  w.auto_slice = false;
  const auto fill = [&](int count) {
    for (int i = 0; i < count; ++i) w.put("filler", std::string(200, 'f'));
  };
  const auto compact_watched = [&](std::uint64_t revision) {
    w.feed(core::compact_requested{1, {++w.last_id, revision}});
    while (!w.queued.empty() || w.slice_wanted) {
      w.commit(1);
      if (std::exchange(w.slice_wanted, false)) w.feed(core::slice_due{});
      world other(s, disk);
      REQUIRE(other.get("k").count == 0);
    }
  };
  w.put("k", "short-lived");
  fill(60);
  w.erase("k");
  fill(5);
  compact_watched(62);  // the put still counts, its segment goes: it moves behind
  REQUIRE(w.state->disk.oldest_segment > 1);
  REQUIRE(w.get("k", {}, 62).count == 1);
  fill(60);
  compact_watched(w.state->durable_revision);  // now neither counts
}

TEST_CASE("a segment with an unreadable record is kept, and said so") {
  core::settings s;
  s.compact_interval_ms = 10;
  s.clean_slack_bytes = 1024;
  s.value_cache_bytes = 0;
  auto disk = std::make_shared<memory_backend>(1024);
  world w(s, disk);
  w.put("bad", "x");
  disk->spoil(2);
  for (int i = 0; i < 400; ++i) {
    w.put("k", std::string(100, 'v'));
    w.tick(10);
    w.settle();
  }
  REQUIRE(w.reports.size() == 1);
  CHECK(w.state->disk.oldest_segment == 1);
  CHECK(w.get("bad").error.code == 500);
}
