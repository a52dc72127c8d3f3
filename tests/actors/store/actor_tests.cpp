// The store as an actor: answers, watches, shared progress, clients that die, crashes under supervision.
#include <doctest/doctest.h>

#include <thread>

#include "actors/store/memory_backend.hpp"
#include "runtime/stable_ref.hpp"
#include "runtime/supervisor.hpp"
#include "tests/actors/store/fixture.hpp"

using namespace troupe;
using namespace troupe::store;
using namespace troupe::store::testing;

namespace {

options embedded(const directory& d) {
  options how;
  how.data_dir = d.path;
  return how;
}

/// Stops the actor and waits until it is gone.
void stop(caf::actor_system& system, store_actor& target) {
  caf::scoped_actor self{system};
  self->monitor(target);
  self->send_exit(target, caf::exit_reason::user_shutdown);
  self->receive([](const caf::down_msg&) {});
  target = nullptr;
}

}  // namespace

TEST_CASE("put, get, compare, watch over either backend, and again after a restart") {
  directory d;
  for (const auto& how : {embedded(d), in_memory()}) {
    real_system s;
    auto target = spawn(s.system, how);
    {
      client c{s.system, target};
      auto started = c.follow("/a/", "/a0");
      CHECK(c.write({{"/a/1", 0}}, {put_op("/a/1", "one")}).revision == 2);
      CHECK_FALSE(c.write({{"/a/1", 0}}, {put_op("/a/1", "two")}).succeeded);
      CHECK(c.put("/b/1", "elsewhere").revision == 3);
      CHECK(c.put("/a/2", "two").revision == 4);
      c.until([&] { return c.seen[started.id] == 4; });
      CHECK(c.events[started.id].size() == 2);
      REQUIRE(started.shared);
      CHECK(started.shared->range_revision == 4);
      CHECK(started.shared->revision == 4);
    }
    stop(s.system, target);
    target = spawn(s.system, how);
    client c{s.system, target};
    CHECK(c.get("/a/", "/a0").kvs.at(1).value.view() == "two");
    CHECK(c.put("/a/3", "x").revision == 5);
    stop(s.system, target);
  }
}

TEST_CASE("progress is ahead of the acknowledgement, whoever asks") {
  directory d;
  real_system s;
  auto target = spawn(s.system, embedded(d));
  client watching{s.system, target};
  auto started = watching.follow("/a/", "/a0");
  client writing{s.system, target};
  for (int i = 0; i < 200; ++i) {
    const auto reply = writing.put(i % 2 == 0 ? "/a/x" : "/b/x", std::to_string(i));
    CHECK(started.shared->revision >= reply.revision);
    CHECK(started.shared->range_revision >= (i % 2 == 0 ? reply.revision : reply.revision - 1));
  }
  watching.until([&] { return watching.events[started.id].size() == 100; });
  stop(s.system, target);
}

TEST_CASE("many writers, one key each and one in common: every acknowledged change is told once, in order") {
  directory d;
  real_system s;
  auto target = spawn(s.system, embedded(d));
  client watching{s.system, target};
  auto started = watching.follow("/", "0");
  client writing{s.system, target};
  constexpr int writers = 16;
  constexpr int rounds = 100;
  for (int i = 0; i < writers * rounds; ++i) {
    txn t;
    t.ops = {put_op("/w/" + std::to_string(i % writers), std::to_string(i)), put_op("/common", std::to_string(i))};
    writing.send(std::move(t));
  }
  writing.until([&] { return writing.txns.size() == writers * rounds; });
  watching.until([&] { return watching.events[started.id].size() == 2 * writers * rounds; });
  const auto& events = watching.events[started.id];
  for (std::size_t i = 0; i < events.size(); ++i) {
    REQUIRE(events[i].current.mod_revision == 2 + i / 2);
    if (i % 2 == 1 && i > 1) REQUIRE(events[i].previous.value.view() == std::to_string(i / 2 - 1));
  }
  stop(s.system, target);
}

TEST_CASE("a watcher that dies is forgotten; a cancelled watch is silent") {
  real_system s;
  auto target = spawn(s.system, in_memory());
  {
    client gone{s.system, target};
    gone.follow("/", "0");
  }
  client c{s.system, target};
  auto started = c.follow("/", "0");
  c.cancel(started.id);
  c.put("/a", "1");
  auto second = c.follow("/", "0", 2);
  c.until([&] { return c.seen[second.id] == 2; });
  CHECK(c.events.count(started.id) == 0);
  stop(s.system, target);
}

TEST_CASE("a store that crashes comes back with everything that was acknowledged") {
  directory d;
  real_system s;
  s.config.allow_crash = true;
  auto reference = runtime::stable_ref<store_actor>::make(s.system, "root/store");
  std::vector<runtime::child_spec> children;
  children.push_back(runtime::child<store_actor>(
      "store", [how = embedded(d)](caf::actor_system& system) { return spawn(system, how); }, reference));
  auto root = runtime::spawn_supervisor(s.system, "root", std::move(children));
  {
    client c{s.system, reference.handle()};
    std::uint64_t newest = 0;
    for (int i = 0; i < 5; ++i) {
      newest = c.put("/k", std::to_string(i)).revision;
      c.self()->send(caf::actor_cast<caf::actor>(root), supervision::crash{"root/store"});
      // Requests that fall into the gap are the client's to repeat: it asks until the next incarnation answers.
      std::uint64_t before = reference.incarnation();
      while (reference.incarnation() == before || !reference.up()) std::this_thread::yield();
      CHECK(c.get("/k").kvs.at(0).value.view() == std::to_string(i));
    }
    CHECK(c.put("/k", "last").revision == newest + 1);
  }
  CHECK(runtime::stop_supervisor(s.system, root));
}

TEST_CASE("a second store on the same directory is refused while the first one runs") {
  directory d;
  real_system s;
  auto target = spawn(s.system, embedded(d));
  auto second = try_spawn(s.system, embedded(d));
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().message.find("is in use by process " + std::to_string(::getpid())) != std::string::npos);
  stop(s.system, target);
  auto third = try_spawn(s.system, embedded(d));
  REQUIRE(third.ok());
  stop(s.system, *third);
}
