// etcd's semantics, one by one.
#include <doctest/doctest.h>

#include "tests/unit/store/world.hpp"

using namespace troupe;
using namespace troupe::store;
using troupe::store::testing::no_cache;
using troupe::store::testing::world;

namespace {
std::string value_of(const range_reply& r) { return r.kvs.empty() ? "" : std::string(r.kvs[0].value.view()); }
/// All events of a watch as "put a=1@2(was x)" or "erase a@3(was x)".
std::vector<std::string> told(const world& w, std::uint64_t id) {
  std::vector<std::string> out;
  auto found = w.events.find(id);
  if (found == w.events.end()) return out;
  for (const auto& m : found->second) {
    for (const auto& e : m.events) {
      std::string text = e.kind == op_kind::put ? "put " : "erase ";
      text += e.current.key + "=" + std::string(e.current.value.view()) + "@" + std::to_string(e.current.mod_revision);
      if (!e.previous.key.empty()) text += " was " + std::string(e.previous.value.view());
      out.push_back(text);
    }
  }
  return out;
}
using lines = std::vector<std::string>;
}  // namespace

TEST_CASE("an empty store is at revision 1 and the first transaction gets 2") {
  world w;
  CHECK(w.get("a").revision == 1);
  auto first = w.now({{"a", 0}}, {world::put_op("a", "1"), world::put_op("b", "2")});
  CHECK(first.succeeded);
  CHECK(first.revision == 2);
  auto a = w.get("a");
  REQUIRE(a.kvs.size() == 1);
  CHECK(a.kvs[0].create_revision == 2);
  CHECK(a.kvs[0].mod_revision == 2);
  CHECK(a.kvs[0].version == 1);
  w.put("a", "3");
  a = w.get("a");
  CHECK(a.kvs[0].create_revision == 2);
  CHECK(a.kvs[0].mod_revision == 3);
  CHECK(a.kvs[0].version == 2);
  w.erase("a");
  CHECK(w.get("a").kvs.empty());
  w.put("a", "4");
  CHECK(w.get("a").kvs[0].version == 1);
  CHECK(w.get("a").kvs[0].create_revision == 5);
}

TEST_CASE("a compare that does not hold changes nothing and gives what is there") {
  for (auto how : {core::settings{}, no_cache()}) {
    world w(how);
    w.put("a", "1");
    auto reply = w.now({{"a", 0}, {"x", 0}}, {world::put_op("a", "2"), world::put_op("x", "2")});
    CHECK_FALSE(reply.succeeded);
    CHECK(reply.error.ok());
    CHECK(reply.revision == 2);
    REQUIRE(reply.found.size() == 1);
    CHECK(reply.found[0].value.view() == "1");
    CHECK(w.get("x").kvs.empty());
  }
}

TEST_CASE("compares see what is queued, readers only what is durable") {
  world w;
  auto first = w.send({{"a", 0}}, {world::put_op("a", "1")});
  auto second = w.send({{"a", 2}}, {world::put_op("a", "2")});
  auto wrong = w.send({{"a", 2}}, {world::put_op("a", "3")});
  CHECK(w.get("a").kvs.empty());
  CHECK(w.txns.empty());  // also the failed compare: it depends on what is not durable
  w.commit(1);
  CHECK(w.txns.count(first) == 1);
  CHECK(w.txns.count(second) == 0);
  CHECK(value_of(w.get("a")) == "1");
  CHECK(w.get("a").revision == 2);
  w.commit(1);
  CHECK(w.txns.at(second).revision == 3);
  REQUIRE(w.txns.count(wrong) == 1);
  CHECK(w.txns.at(wrong).found.at(0).value.view() == "2");
}

TEST_CASE("a transaction without effect gets no revision") {
  world w;
  w.put("a", "1");
  auto reply = w.erase("nothing");
  CHECK(reply.succeeded);
  CHECK(reply.revision == 2);
  auto mixed = w.now({}, {world::erase_op("nothing"), world::put_op("b", "1")});
  CHECK(mixed.revision == 3);
}

TEST_CASE("requests that are wrong in themselves") {
  world w;
  CHECK(w.now({}, {world::put_op("", "1")}).error.message == "etcdserver: key is not provided");
  CHECK(w.now({}, {world::put_op("a", "1"), world::erase_op("a")}).error.message ==
        "etcdserver: duplicate key given in txn request");
  CHECK(w.put("a", "1", 77).error.message == "etcdserver: requested lease not found");
  CHECK(w.now({}, {world::put_op("a", std::string(9 << 20, 'x'))}).error.code == 413);
  CHECK(w.get("a").revision == 1);
}

TEST_CASE("ranges: bounds, limit, count, keys only, revisions") {
  auto how = no_cache();
  how.slice_keys = 3;
  how.slice_values = 2;
  world w(how);
  for (char c = 'a'; c <= 'j'; ++c) w.put(std::string(1, c), std::string("v") + c);
  auto some = w.get("b", "e");
  CHECK(some.count == 3);
  CHECK(some.kvs.at(2).value.view() == "vd");
  CHECK(w.get("b", std::string("\0", 1)).count == 9);
  CHECK(w.get("bb").count == 0);
  range limited{0, "a", "z", 0, 4, false, false};
  auto page = w.get(limited);
  CHECK(page.kvs.size() == 4);
  CHECK(page.count == 10);
  CHECK(page.more);
  limited.keys_only = true;
  auto loads = w.loads;
  CHECK(w.get(limited).kvs.at(3).key == "d");
  limited.count_only = true;
  auto counted = w.get(limited);
  CHECK(counted.kvs.empty());
  CHECK(counted.count == 10);
  CHECK(w.loads == loads);
  w.put("b", "new");
  w.erase("c");
  CHECK(value_of(w.get("b", {}, 3)) == "vb");
  CHECK(w.get("c", {}, 12).count == 1);
  CHECK(w.get("c", {}, 13).count == 0);
  CHECK(w.get("a", {}, 14).error.message == "etcdserver: mvcc: required revision is a future revision");
}

TEST_CASE("a range that takes several slices reads one revision") {
  auto how = no_cache();
  how.slice_keys = 2;
  world w(how);
  for (char c = 'a'; c <= 'h'; ++c) w.put(std::string(1, c), "old");
  w.auto_slice = false;
  w.feed(core::range_requested{1, {900, "a", "z", 0, 0, false, false}});
  CHECK(w.ranges.count(900) == 0);
  w.send({}, {world::put_op("g", "new"), world::erase_op("h")});
  w.commit(1);
  w.feed(core::compact_requested{1, {901, 10}});
  w.commit(1);
  w.run_slices();
  REQUIRE(w.ranges.count(900) == 1);
  CHECK(w.ranges.at(900).kvs.size() == 8);
  CHECK(w.ranges.at(900).revision == 9);  // that of its data, not that of the writes since
  for (const auto& kv : w.ranges.at(900).kvs) CHECK(kv.value.view() == "old");
  CHECK(w.get("g", {}, 9).error.code == 410);
}

TEST_CASE("a watch from now on") {
  for (auto how : {core::settings{}, no_cache()}) {
    world w(how);
    w.put("a/1", "x");
    auto id = w.start_watch("a/", "a0", 0);
    CHECK(w.started.at(id).revision == 2);
    w.put("a/1", "y");
    w.put("b/1", "other");
    w.now({}, {world::erase_op("a/1"), world::put_op("a/2", "z")});
    CHECK(told(w, id) == lines{"put a/1=y@3 was x", "erase a/1=@5 was y", "put a/2=z@5"});
    CHECK(w.range_revisions.at(id) == 5);
    w.feed(core::watch_cancelled{1, id});
    w.put("a/2", "zz");
    CHECK(told(w, id).size() == 3);
  }
}

TEST_CASE("one message per watcher and batch, never part of a transaction") {
  world w;
  auto id = w.start_watch("a", "b", 0);
  for (int i = 0; i < 5; ++i) w.send({}, {world::put_op("a1", std::to_string(i)), world::put_op("a2", "x")});
  w.commit(3);
  w.commit(2);
  REQUIRE(w.events.at(id).size() == 2);
  CHECK(w.events.at(id)[0].events.size() == 6);
  CHECK(w.events.at(id)[0].revision == 4);
  CHECK(w.events.at(id)[1].events.size() == 4);
}

TEST_CASE("a watch from a past revision: history, then what came meanwhile, then live") {
  auto how = no_cache();
  how.slice_keys = 2;
  how.slice_values = 4;
  world w(how);
  for (int i = 0; i < 6; ++i) w.put("k" + std::to_string(i), "1");
  w.now({}, {world::put_op("k0", "2"), world::put_op("k1", "2"), world::put_op("k2", "2"), world::erase_op("k3")});
  w.auto_slice = false;
  auto id = w.start_watch("k", "l", 4);
  w.send({}, {world::put_op("k5", "live")});
  w.commit(1);
  w.run_slices();
  w.put("k5", "later");
  CHECK(told(w, id) == lines{"put k2=1@4", "put k3=1@5", "put k4=1@6", "put k5=1@7", "put k0=2@8 was 1",
                             "put k1=2@8 was 1", "put k2=2@8 was 1", "erase k3=@8 was 1", "put k5=live@9 was 1",
                             "put k5=later@10 was live"});
  for (const auto& m : w.events.at(id)) {
    bool splits =
        !m.events.empty() && m.events.front().current.mod_revision == 8 && m.events.front().current.key != "k0";
    CHECK_FALSE(splits);
  }
  CHECK(w.range_revisions.at(id) == 10);
}

TEST_CASE("a watch whose history is empty still learns how far it has come") {
  world w;
  w.put("a", "1");
  w.put("b", "1");
  auto id = w.start_watch("a", {}, 3);
  REQUIRE(w.events.at(id).size() == 1);
  CHECK(w.events.at(id)[0].events.empty());
  CHECK(w.events.at(id)[0].revision == 3);
  CHECK(w.range_revisions.at(id) == 2);
}

TEST_CASE("compaction") {
  world w;
  w.put("a", "1");
  w.put("a", "2");
  w.erase("b");
  w.put("b", "1");
  w.erase("b");
  CHECK(w.compact_to(9).error.message == "etcdserver: mvcc: required revision is a future revision");
  CHECK(w.compact_to(5).error.ok());
  CHECK(w.compact_to(5).error.message == "etcdserver: mvcc: required revision has been compacted");
  CHECK(w.get("a", {}, 4).error.code == 410);
  CHECK(value_of(w.get("a", {}, 5)) == "2");
  CHECK(w.state->index.find("a")->second.versions.size() == 1);
  CHECK((w.state->index.find("b") == w.state->index.end() || w.state->index.find("b")->second.versions.empty()));
  auto id = w.start_watch("a", {}, 5);
  CHECK(w.started.at(id).error.why == reason::gone);
  CHECK(w.started.at(id).compacted_revision == 5);
  auto fine = w.start_watch("a", {}, 6);
  w.put("a", "3");
  CHECK(told(w, fine) == lines{"put a=3@6 was 2"});
  w.restart();
  CHECK(w.get("a", {}, 4).error.code == 410);
  CHECK(value_of(w.get("a")) == "3");
}

TEST_CASE("the policy compacts what is older than an interval, and what is too much") {
  core::settings how;
  how.compact_interval_ms = 1000;
  how.retain_revisions = 100;
  world w(how);
  w.put("a", "1");
  w.tick(0);
  w.put("a", "2");
  w.tick(999);
  w.settle();
  CHECK(w.state->compacted_revision == 0);
  w.tick(1);
  w.settle();
  CHECK(w.state->compacted_revision == 2);
  for (int i = 0; i < 1000; ++i) w.put("a", "x");
  CHECK(w.state->durable_revision - w.state->compacted_revision >= 100);
  CHECK(w.state->durable_revision - w.state->compacted_revision <= 126);
  CHECK(w.state->index.find("a")->second.versions.size() <= 127);
}

TEST_CASE("leases: keys end with them, in one transaction") {
  world w;
  CHECK(w.grant(7, 10).ttl_seconds == 10);
  CHECK(w.grant(7, 10).error.message == "etcdserver: lease already exists");
  auto chosen = w.grant(0, 10);
  CHECK(chosen.lease_id != 0);
  CHECK(w.grant(0, 10).lease_id != chosen.lease_id);
  CHECK(w.grant(1, 9'000'000'001).error.message == "etcdserver: too large lease TTL");
  w.put("a", "1", 7);
  w.put("b", "1", 7);
  w.put("c", "1", 7);
  w.put("c", "2");  // detached
  auto id = w.start_watch("a", "z", 0);
  w.tick(9'999);
  w.settle();
  CHECK(w.get("a").count == 1);
  lease renew;
  renew.action = lease_action::keep_alive;
  renew.lease_id = 7;
  CHECK(w.ask(renew).ttl_seconds == 10);
  w.tick(9'000);
  w.settle();
  CHECK(w.get("a").count == 1);
  w.tick(1'000);
  w.settle();
  CHECK(told(w, id) == lines{"erase a=@6 was 1", "erase b=@6 was 1"});
  CHECK(w.get("c").count == 1);
  CHECK(w.ask(renew).error.message == "etcdserver: requested lease not found");
  CHECK(w.put("a", "1", 7).error.code == 404);
}

TEST_CASE("leases: revoke, and a restart gives the whole time again") {
  world w;
  w.grant(7, 10);
  w.grant(8, 10);
  w.put("a", "1", 7);
  w.put("b", "1", 8);
  w.tick(8'000);
  w.restart();
  w.tick(8'000);
  w.settle();
  CHECK(w.get("a").count == 1);
  lease revoke;
  revoke.action = lease_action::revoke;
  revoke.lease_id = 8;
  CHECK(w.ask(revoke).revision == 4);
  CHECK(w.get("b").count == 0);
  w.restart();
  CHECK(w.ask(revoke).error.code == 404);
  w.tick(10'000);
  w.settle();
  CHECK(w.get("a").count == 0);
  CHECK(w.get("b").count == 0);
}

TEST_CASE("a key put with a lease that is ending is refused, and a put of an expired one too") {
  world w;
  w.grant(7, 1);
  w.put("a", "1", 7);
  w.tick(1'000);  // the end is queued, not durable
  auto id = w.send({}, {world::put_op("b", "1", 7)});
  CHECK(w.txns.at(id).error.code == 404);
  CHECK(w.get("a").count == 1);
  w.settle();
  CHECK(w.get("a").count == 0);
}

TEST_CASE("a full disk fails what is queued and nothing else") {
  auto disk = std::make_shared<memory_backend>();
  world w({}, disk);
  w.grant(7, 100);
  w.put("a", "1", 7);
  disk->set_fault(memory_backend::fault::full);
  auto one = w.send({}, {world::put_op("a", "2"), world::put_op("n", "1")});
  auto two = w.send({{"a", 3}}, {world::erase_op("a")});
  lease revoke;
  revoke.action = lease_action::revoke;
  revoke.lease_id = 7;
  revoke.id = 555;
  w.feed(core::lease_requested{1, revoke, 0});
  w.commit(1);
  CHECK(w.txns.at(one).error.message == "store: no space left on device");
  CHECK_FALSE(w.txns.at(two).error.ok());
  CHECK_FALSE(w.acks.at(555).error.ok());
  core::check_invariants(*w.state);
  CHECK(value_of(w.get("a")) == "1");
  disk->set_fault(memory_backend::fault::none);
  CHECK(w.now({{"a", 2}}, {world::put_op("a", "3", 7)}).revision == 3);
  CHECK(w.get("n").count == 0);
  w.tick(100'000);
  w.settle();
  CHECK(w.get("a").count == 0);  // the lease is as alive as before
}

TEST_CASE("after a commit of unknown outcome writes are refused until a restart") {
  auto disk = std::make_shared<memory_backend>();
  world w({}, disk);
  w.put("a", "1");
  disk->set_fault(memory_backend::fault::lost);
  auto first = w.send({}, {world::put_op("a", "2")});
  auto behind = w.send({}, {world::put_op("b", "2")});
  w.commit(1);
  CHECK(w.txns.at(first).error.why == reason::server_timeout);
  CHECK(w.txns.at(behind).error.why == reason::internal_error);
  CHECK(w.put("c", "1").error.why == reason::service_unavailable);
  CHECK(value_of(w.get("a")) == "1");
  disk->set_fault(memory_backend::fault::none);
  w.restart();
  CHECK(w.put("c", "1").succeeded);
}

TEST_CASE("a record that cannot be read gives an error, never a wrong value") {
  auto disk = std::make_shared<memory_backend>();
  world w(no_cache(), disk);
  w.put("a", "1");
  w.put("b", "1");
  disk->spoil(2);
  CHECK(w.get("a").error.message == "store: record at revision 2 is corrupt (checksum)");
  CHECK(w.get("a", "z").kvs.empty());
  CHECK(value_of(w.get("b")) == "1");
  auto id = w.start_watch("a", "z", 2);
  CHECK(w.started.at(id).error.code == 500);
  CHECK(w.put("a", "2").succeeded);  // overwriting heals
  CHECK(value_of(w.get("a")) == "2");
}

TEST_CASE("watches over many ranges each get their own") {
  world w;
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 20; ++i) {
    const std::string p = "/r/" + std::to_string(i);
    ids.push_back(w.start_watch(p + "/", p + "0", 0));
  }
  auto all = w.start_watch("/", "0", 0);
  auto rest = w.start_watch("/r/15", std::string("\0", 1), 0);
  auto one = w.start_watch("/r/7/x", {}, 0);
  w.put("/r/7/x", "1");
  w.put("/r/7/y", "1");
  w.put("/r/19/z", "1");
  CHECK(told(w, ids[7]).size() == 2);
  CHECK(told(w, ids[8]).empty());
  CHECK(told(w, all).size() == 3);
  CHECK(told(w, rest).size() == 3);
  CHECK(told(w, one) == lines{"put /r/7/x=1@2"});
  w.feed(core::client_lost{1});
  w.put("/r/7/x", "2");
  CHECK(told(w, all).size() == 3);
}
