// The backend `etcd`: which member is asked, what is tried again, how the watch resumes. The members are played here.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "actors/store/etcd/core.hpp"

namespace troupe::store::etcd {
namespace {

shared_bytes bytes(std::string text) { return shared_bytes(std::move(text)); }

store::event put_event(std::string key, std::string value, std::uint64_t revision, std::uint64_t before = 0) {
  store::event e;
  e.current = {key, before == 0 ? revision : 1, revision, before == 0 ? 1u : 2u, 0, bytes(std::move(value))};
  if (before != 0) e.previous = {std::move(key), 1, before, 1, 0, bytes("before")};
  return e;
}

/// A core, and everything it wanted so far.
struct world {
  explicit world(std::uint32_t endpoints = 3) : s(with(endpoints)) {
    s.now_ms = 1'000;
    take(start(s));
  }
  static settings with(std::uint32_t endpoints) {
    settings out;
    out.endpoints = endpoints;
    out.window_events = 8;
    return out;
  }

  void feed(event e) { take(step(s, std::move(e))); }
  void take(effects what) {
    for (auto& one : what) {
      if (auto* c = std::get_if<call>(&one)) calls.push_back(*c);
      if (auto* w = std::get_if<open_watch>(&one)) watches.push_back(*w);
      if (auto* r = std::get_if<core::send_txn_reply>(&one)) txns.push_back(r->reply);
      if (auto* r = std::get_if<core::send_ack>(&one)) acks.push_back(r->reply);
      if (auto* r = std::get_if<core::send_watch_started>(&one)) started.push_back(*r);
      if (auto* r = std::get_if<core::send_watch_events>(&one)) events.push_back(r->events);
      if (auto* r = std::get_if<core::advance_progress>(&one)) progress.push_back(*r);
      if (std::holds_alternative<give_up>(one)) gave_up = true;
      if (std::holds_alternative<core::report>(one)) ++reports;
    }
  }
  void tick(std::uint64_t ms) { feed(core::clock_ticked{s.now_ms + ms}); }
  void fail(const call& c, fault how = fault::unsent) { feed(answered{c.id, how, "failed to connect", {}}); }
  void tell_newest(const call& c, std::uint64_t revision) {
    REQUIRE(std::holds_alternative<newest_revision>(c.what));
    ack a;
    a.revision = revision;
    feed(answered{c.id, fault::none, {}, a});
  }
  /// The beginning: the store is at this revision, the watch is open.
  void begin(std::uint64_t revision) {
    tell_newest(calls.back(), revision);
    feed(watch_opened{watches.back().serial});
  }
  void come(std::vector<store::event> what) { feed(events_came{watches.back().serial, std::move(what)}); }
  void create(std::string key, std::string value, std::int64_t lease_id = 0) {
    txn t;
    t.id = ++last_id;
    t.compares.push_back({key, 0});
    t.ops.push_back({op_kind::put, std::move(key), bytes(std::move(value)), lease_id});
    feed(core::txn_requested{1, std::move(t)});
  }
  void done(const call& c, std::uint64_t revision) {
    txn_reply r;
    r.succeeded = true;
    r.revision = revision;
    feed(answered{c.id, fault::none, {}, r});
  }
  void sync(std::uint64_t id) { feed(core::sync_requested{1, id}); }
  void watch(std::uint64_t id, std::uint64_t from, std::string key = "/a", std::string end = "/b") {
    store::watch w;
    w.id = id;
    w.key = std::move(key);
    w.range_end = std::move(end);
    w.start_revision = from;
    feed(core::watch_requested{1, std::move(w)});
  }

  state s;
  std::vector<call> calls;
  std::vector<open_watch> watches;
  std::vector<txn_reply> txns;
  std::vector<ack> acks;
  std::vector<core::send_watch_started> started;
  std::vector<watch_events> events;
  std::vector<core::advance_progress> progress;
  bool gave_up = false;
  int reports = 0;
  std::uint64_t last_id = 100;
};

TEST_CASE("etcd: it begins with a quorum read, on any member that answers, however long that takes") {
  world w;
  REQUIRE(w.calls.size() == 1);
  CHECK(w.calls[0].endpoint == 0);
  w.fail(w.calls[0]);
  w.fail(w.calls[1], fault::unclear);
  REQUIRE(w.calls.size() == 3);  // each member at once
  CHECK(w.calls[1].endpoint == 1);
  CHECK(w.calls[2].endpoint == 2);
  w.fail(w.calls[2]);
  CHECK(w.calls.size() == 3);  // then slower
  w.tick(100);
  REQUIRE(w.calls.size() == 4);
  CHECK(w.calls[3].endpoint == 0);
  for (int i = 0; i < 50; ++i) {
    w.fail(w.calls.back());
    w.tick(1'000);
  }
  CHECK(w.calls.size() > 50);
  CHECK(w.watches.empty());
  w.begin(40);
  REQUIRE(w.watches.size() == 1);
  CHECK(w.watches[0].start_revision == 41);
}

TEST_CASE("etcd: a refusal does not end the beginning") {
  world w;
  for (int i = 0; i < 7; ++i) {
    const auto before = w.calls.size();
    w.feed(answered{w.calls.back().id, fault::refused, "etcdserver: no leader", {}});
    w.tick(1'000);
    REQUIRE(w.calls.size() > before);
    CHECK(w.calls.back().endpoint == static_cast<std::uint32_t>(i + 1) % 3);
  }
  CHECK(w.reports > 0);
  w.begin(40);
  REQUIRE(w.watches.size() == 1);
  CHECK(w.watches[0].start_revision == 41);
}

TEST_CASE("etcd: a request goes to the next member when one fails, and ends when its time is up") {
  world w;
  w.begin(10);
  range r;
  r.id = 5;
  r.key = "/a";
  w.feed(core::range_requested{1, r});
  const auto first = w.calls.back();
  w.fail(first);
  CHECK(w.calls.back().endpoint == 1);
  CHECK(w.calls.back().id == first.id);
  // The next request does not try the dead one first.
  w.sync(6);
  CHECK(w.calls.back().endpoint == 1);
  const auto sent = w.calls.size();
  w.tick(30'000);
  CHECK(w.calls.size() == sent);
  REQUIRE(w.acks.size() == 1);
  CHECK(w.acks[0].error.why == reason::server_timeout);
}

TEST_CASE("etcd: a sync is answered by a quorum read made after it came, when the watch has come as far") {
  world w;
  w.begin(10);
  w.sync(1);
  const auto first = w.calls.back();
  w.sync(2);  // came while the read was under way, which may be older
  w.sync(3);
  CHECK(w.calls.back().id == first.id);
  w.tell_newest(first, 12);
  const auto second = w.calls.back();
  CHECK(second.id != first.id);
  CHECK(w.acks.empty());
  w.come({put_event("/a/x", "1", 11)});
  CHECK(w.acks.empty());
  w.come({put_event("/z", "1", 12)});
  REQUIRE(w.acks.size() == 1);
  CHECK(w.acks[0].id == 1);
  w.tell_newest(second, 12);
  REQUIRE(w.acks.size() == 3);
  CHECK(w.acks[1].id == 2);
  CHECK(w.acks[2].id == 3);
}

TEST_CASE("etcd: progress is told before the events, of the whole store and of each range") {
  world w;
  w.begin(10);
  w.watch(1, 11);
  w.watch(2, 11, "/c", "/d");
  w.come({put_event("/a/x", "1", 11), put_event("/a/y", "1", 12), put_event("/other", "1", 13)});
  REQUIRE(w.progress.size() == 1);
  CHECK(w.progress[0].revision == 13);
  REQUIRE(w.progress[0].changed.size() == 1);
  CHECK(w.progress[0].changed[0].id == 1);
  CHECK(w.progress[0].changed[0].revision == 12);
  REQUIRE(w.events.size() == 1);
  CHECK(w.events[0].revision == 13);
  CHECK(w.events[0].events.size() == 2);
}

TEST_CASE("etcd: a watch that begins in the past gets what the window has, and gone where it does not reach") {
  world w;
  w.watch(1, 9);  // came before the position was known
  w.begin(10);
  REQUIRE(w.started.size() == 1);
  CHECK(w.started[0].reply.error.why == reason::gone);
  CHECK(w.started[0].reply.compacted_revision == 10);
  w.come({put_event("/a/x", "1", 11), put_event("/c", "1", 12), put_event("/a/y", "1", 13)});
  w.watch(2, 12);
  REQUIRE(w.started.size() == 2);
  CHECK(w.started[1].reply.error.ok());
  CHECK(w.started[1].reply.revision == 13);
  CHECK(w.started[1].range_revision == 13);
  REQUIRE(w.events.size() == 1);
  REQUIRE(w.events[0].events.size() == 1);
  CHECK(w.events[0].events[0].current.key == "/a/y");
  // The window holds eight events; what it lost cannot be watched any more.
  for (std::uint64_t revision = 14; revision < 24; ++revision) w.come({put_event("/a/z", "1", revision)});
  w.watch(3, 13);
  CHECK(w.started.back().reply.error.why == reason::gone);
  w.watch(4, 17);
  CHECK(w.started.back().reply.error.ok());
}

TEST_CASE("etcd: the watch resumes at the next member, without gaps and repeats") {
  world w;
  w.begin(10);
  w.watch(1, 11);
  w.come({put_event("/a/x", "1", 11)});
  const auto old = w.watches.back();
  w.feed(watch_ended{old.serial, 0, "Socket closed"});
  REQUIRE(w.watches.size() == 2);
  CHECK(w.watches[1].start_revision == 12);
  CHECK(w.watches[1].endpoint != old.endpoint);
  // A late word of the old stream counts no more.
  w.feed(events_came{old.serial, {put_event("/a/x", "9", 99)}});
  w.feed(watch_ended{old.serial, 0, "again"});
  CHECK(w.watches.size() == 2);
  w.come({put_event("/a/x", "1", 11), put_event("/a/x", "2", 12)});
  REQUIRE(w.events.size() == 2);
  REQUIRE(w.events[1].events.size() == 1);
  CHECK(w.events[1].events[0].current.mod_revision == 12);
  // All members fail: slower and slower, but for ever.
  for (int i = 0; i < 40; ++i) {
    w.feed(watch_ended{w.watches.back().serial, 0, "refused"});
    w.tick(1'000);
  }
  CHECK(w.watches.size() > 30);
  CHECK_FALSE(w.gave_up);
  // What is compacted cannot be had: everybody has to look anew.
  w.feed(watch_ended{w.watches.back().serial, 13, "compacted"});
  CHECK(w.gave_up);
}

TEST_CASE("etcd: a watch that stays behind quorum reads, or does not open, is opened elsewhere") {
  world w;
  w.begin(10);
  w.sync(1);
  w.tell_newest(w.calls.back(), 12);
  w.tick(500);
  CHECK(w.watches.size() == 1);
  w.tick(600);
  REQUIRE(w.watches.size() == 2);
  CHECK(w.watches[1].endpoint != w.watches[0].endpoint);
  w.tick(3'000);
  CHECK(w.watches.size() == 3);
  w.come({put_event("/a", "1", 12)});
  CHECK(w.acks.size() == 1);
}

TEST_CASE("etcd: a watch that makes progress is not opened again, however far behind it is") {
  world w;
  w.begin(10);
  w.sync(1);
  w.tell_newest(w.calls.back(), 1'000);
  for (std::uint64_t revision = 11; revision < 21; ++revision) {
    w.tick(900);
    w.come({put_event("/a", "1", revision)});
  }
  CHECK(w.watches.size() == 1);
  CHECK(w.acks.empty());
}

TEST_CASE("etcd: a member has more and more time for the first events, counted from when the watch is open") {
  world w;
  w.begin(10);
  w.sync(1);
  w.tell_newest(w.calls.back(), 1'000);
  for (const std::uint64_t patience : {1'000, 2'000, 4'000}) {
    const auto before = w.watches.size();
    w.tick(patience - 100);
    CHECK(w.watches.size() == before);
    w.tick(100);
    REQUIRE(w.watches.size() == before + 1);
    w.tick(900);  // it takes its time to open
    w.feed(watch_opened{w.watches.back().serial});
  }
  w.come({put_event("/a", "1", 11)});
  const auto before = w.watches.size();
  w.tick(1'000);
  CHECK(w.watches.size() == before + 1);
}

TEST_CASE("etcd: a transaction whose member died is told as done when its event came") {
  world w;
  w.begin(10);
  w.create("/a/x", "mine");
  const auto sent = w.calls.back();
  w.fail(sent, fault::unclear);
  CHECK(w.calls.back().id != sent.id);  // a quorum read, not the transaction again
  w.tell_newest(w.calls.back(), 12);
  CHECK(w.txns.empty());
  w.come({put_event("/a/x", "mine", 11), put_event("/q", "1", 12)});
  REQUIRE(w.txns.size() == 1);
  CHECK(w.txns[0].succeeded);
  CHECK(w.txns[0].revision == 11);
}

TEST_CASE("etcd: a transaction that its member never carried out is sent again, also when another one made the key") {
  world w;
  w.begin(10);
  w.create("/a/x", "mine");
  const auto sent = w.calls.back();
  w.fail(sent, fault::unclear);
  w.tell_newest(w.calls.back(), 11);
  w.come({put_event("/a/x", "theirs", 11)});
  REQUIRE(w.calls.back().id == sent.id);
  REQUIRE(std::holds_alternative<txn>(w.calls.back().what));
  CHECK(w.calls.back().endpoint == 1);
  w.done(w.calls.back(), 12);
  REQUIRE(w.txns.size() == 1);
  CHECK(w.txns[0].revision == 12);
}

TEST_CASE(
    "etcd: a transaction whose first attempt was carried out late is told as done, though the second was denied") {
  world w;
  w.begin(10);
  w.create("/a/x", "mine");
  const auto sent = w.calls.back();
  w.fail(sent, fault::unclear);
  w.tell_newest(w.calls.back(), 10);  // not there yet
  REQUIRE(w.calls.back().id == sent.id);
  txn_reply denied;
  denied.revision = 11;
  denied.found.push_back(put_event("/a/x", "mine", 11).current);
  const auto deny = [&](txn_reply reply) { w.feed(answered{sent.id, fault::none, {}, std::move(reply)}); };
  SUBCASE("it was ours") {
    deny(denied);
    CHECK(w.txns.empty());
    w.tell_newest(w.calls.back(), 11);
    w.come({put_event("/a/x", "mine", 11)});
    REQUIRE(w.txns.size() == 1);
    CHECK(w.txns[0].succeeded);
    CHECK(w.txns[0].revision == 11);
  }
  SUBCASE("it was another one's") {
    deny(denied);
    w.tell_newest(w.calls.back(), 11);
    w.come({put_event("/a/x", "theirs", 11)});
    REQUIRE(w.txns.size() == 1);
    CHECK_FALSE(w.txns[0].succeeded);
    CHECK(w.txns[0].found.size() == 1);
  }
  CHECK(w.s.calls.empty());
}

TEST_CASE("etcd: a change that another one made with the same bytes is not taken for our own") {
  world w;
  w.begin(10);
  txn t;
  t.id = 7;
  t.compares.push_back({"/a/x", 9});
  t.ops.push_back({op_kind::put, "/a/x", bytes("same"), 0});
  w.feed(core::txn_requested{1, t});
  const auto sent = w.calls.back();
  w.fail(sent, fault::unclear);
  w.tell_newest(w.calls.back(), 12);
  w.come({put_event("/a/x", "other", 11, 9), put_event("/a/x", "same", 12, 11)});
  CHECK(w.txns.empty());
  CHECK(w.calls.back().id == sent.id);
}

TEST_CASE("etcd: an applied transaction is found behind later changes with the same bytes") {
  world w;
  w.begin(10);
  txn t;
  t.id = 7;
  t.compares.push_back({"/a/x", 9});
  t.ops.push_back({op_kind::put, "/a/x", bytes("same"), 0});
  w.feed(core::txn_requested{1, t});
  w.fail(w.calls.back(), fault::unclear);
  w.tell_newest(w.calls.back(), 13);
  w.come({put_event("/a/x", "same", 11, 9), put_event("/a/x", "other", 12, 11), put_event("/a/x", "same", 13, 12)});
  REQUIRE(w.txns.size() == 1);
  CHECK(w.txns[0].succeeded);
  CHECK(w.txns[0].revision == 11);
}

TEST_CASE("etcd: what cannot be found out is said to be unknown") {
  world w;
  w.begin(10);
  w.create("/a/x", "mine");
  w.fail(w.calls.back(), fault::unclear);
  const auto read = w.calls.back();
  std::vector<store::event> many;
  for (std::uint64_t revision = 11; revision < 30; ++revision) many.push_back(put_event("/b", "1", revision));
  w.come(std::move(many));  // more than the window holds
  w.tell_newest(read, 29);
  REQUIRE(w.txns.size() == 1);
  CHECK(w.txns[0].error.why == reason::server_timeout);
}

TEST_CASE("etcd: a transaction waits for the grant of its lease, and a grant done before is no error") {
  world w;
  w.begin(10);
  lease l;
  l.id = 1;
  l.lease_id = 77;
  l.ttl_seconds = 60;
  w.feed(core::lease_requested{1, l, w.s.now_ms});
  const auto grant = w.calls.back();
  w.create("/a/event", "v", 77);
  CHECK(w.calls.back().id == grant.id);
  w.fail(grant, fault::unclear);
  CHECK(w.calls.back().id == grant.id);
  w.feed(answered{grant.id, fault::refused, "etcdserver: lease already exists", {}});
  REQUIRE(w.acks.size() == 1);
  CHECK(w.acks[0].error.ok());
  CHECK(w.acks[0].ttl_seconds == 60);
  CHECK(std::holds_alternative<txn>(w.calls.back().what));
}

TEST_CASE("etcd: its words become reasons") {
  const std::pair<const char*, reason> words[] = {
      {"etcdserver: mvcc: required revision has been compacted", reason::gone},
      {"etcdserver: mvcc: required revision is a future revision", reason::bad_request},
      {"etcdserver: requested lease not found", reason::not_found},
      {"etcdserver: request is too large", reason::request_entity_too_large},
      {"etcdserver: mvcc: database space exceeded", reason::internal_error},
  };
  for (const auto& [text, why] : words) {
    world w;
    w.begin(10);
    w.create("/a", "v");
    w.feed(answered{w.calls.back().id, fault::refused, text, {}});
    REQUIRE(w.txns.size() == 1);
    CHECK(w.txns[0].error.why == why);
    CHECK(w.txns[0].error.message.find(text) != std::string::npos);
  }
}

TEST_CASE("etcd: of all processes one compacts each interval, to where the store was one interval before") {
  world w;
  w.begin(10);
  w.tick(1);
  const auto before = w.calls.size();
  w.tick(300'000);
  REQUIRE(w.calls.size() > before);
  // Another one was here: its revision of the shared key is learnt.
  auto last_txn = [&] {
    return *std::find_if(w.calls.rbegin(), w.calls.rend(),
                         [](const call& c) { return std::holds_alternative<txn>(c.what); });
  };
  CHECK(std::get<txn>(last_txn().what).compares[0].key == "compact_rev_key");
  CHECK(std::get<txn>(last_txn().what).compares[0].mod_revision == 0);
  txn_reply lost;
  lost.revision = 50;
  lost.found.push_back({"compact_rev_key", 5, 49, 3, 0, bytes("20")});
  w.feed(answered{last_txn().id, fault::none, {}, lost});
  CHECK(std::holds_alternative<txn>(w.calls.back().what));  // nothing is compacted
  w.tick(300'000);
  CHECK(std::get<txn>(last_txn().what).compares[0].mod_revision == 49);
  CHECK(std::get<txn>(last_txn().what).ops[0].value.view() == "50");
  w.done(last_txn(), 90);
  REQUIRE(std::holds_alternative<compact>(w.calls.back().what));
  CHECK(std::get<compact>(w.calls.back().what).revision == 50);
}

TEST_CASE("etcd: who is gone hears no more") {
  world w;
  w.begin(10);
  w.watch(1, 11);
  w.sync(2);
  w.feed(core::client_lost{1});
  w.tell_newest(w.calls.back(), 11);
  w.come({put_event("/a/x", "1", 11)});
  CHECK(w.events.empty());
}

}  // namespace
}  // namespace troupe::store::etcd
