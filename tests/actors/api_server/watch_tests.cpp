// Watches, and what clients see when cachers, workers or the store crash.
#include <doctest/doctest.h>

#include "tests/actors/api_server/fixture.hpp"

using namespace troupe;
using namespace troupe::api;
using namespace troupe::api::testing;

namespace {

std::string seen(const cluster& c, std::uint64_t watch) {
  std::string out;
  auto found = c.box->events.find(watch);
  if (found == c.box->events.end()) return out;
  for (auto& e : found->second) {
    out += e.type == event_type::added      ? "+"
           : e.type == event_type::modified ? "~"
           : e.type == event_type::deleted  ? "-"
                                            : "b";
    if (e.object) out += e.object->name;
    if (e.initial_events_end) out += "!";
    out += " ";
  }
  return out;
}

std::string watch_target(const std::string& more) { return std::string(maps) + "?watch=true" + more; }

}  // namespace

TEST_CASE("a watch from a revision, from now, and with initial events") {
  cluster c;
  c.post(maps, config_map("a", "1"));
  auto list = c.get(maps);
  auto since = c.get(watch_target("&resourceVersion=" + std::to_string(list.revision))).watch_id;
  auto whole = c.get(watch_target("")).watch_id;
  auto marked =
      c.get(watch_target("&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"))
          .watch_id;
  REQUIRE(since != 0);
  c.post(maps, config_map("b", "1"));
  c.put(std::string(maps) + "/b", config_map("b", "2"));
  c.del(std::string(maps) + "/a");
  c.world.run_until_idle();
  CHECK(seen(c, since) == "+b ~b -a ");
  CHECK(seen(c, whole) == "+a +b ~b -a ");
  CHECK(seen(c, marked) == "+a b! +b ~b -a ");
  auto& last = c.box->events[since].back();
  CHECK(last.object->revision == last.revision);  // a deleted object carries the deletion's revision
}

TEST_CASE("selectors turn changes into added and deleted") {
  cluster c;
  auto watch = c.get(watch_target("&labelSelector=on%3Dyes")).watch_id;
  c.post(maps, config_map("a", "1"));
  c.merge(std::string(maps) + "/a", R"({"metadata":{"labels":{"on":"yes"}}})");
  c.merge(std::string(maps) + "/a", R"({"data":{"k":"2"}})");
  c.merge(std::string(maps) + "/a", R"({"metadata":{"labels":{"on":"no"}}})");
  c.del(std::string(maps) + "/a");
  c.world.run_until_idle();
  CHECK(seen(c, watch) == "+a ~a -a ");
  // The last state that matched, under the revision of the change that ended it.
  auto& gone = c.box->events[watch].back();
  CHECK(at(std::string(gone.object->json.view()), "metadata.labels.on") == "yes");
  CHECK(at(std::string(gone.object->json.view()), "metadata.resourceVersion") == std::to_string(gone.revision));
}

TEST_CASE("a watch ends by its timeout, by stop, and bookmarks come") {
  cluster c;
  auto timed = c.get(watch_target("&timeoutSeconds=5&allowWatchBookmarks=true")).watch_id;
  auto marked = c.get(watch_target("&allowWatchBookmarks=true")).watch_id;
  c.world.run_for(std::chrono::seconds(7));
  CHECK(c.box->closed.count(timed) == 1);
  CHECK(c.box->closed[timed].ok());
  CHECK(seen(c, timed) == "b ");
  c.world.run_for(std::chrono::seconds(70));
  CHECK(seen(c, marked) == "b ");
  auto* to = caf::actor_cast<caf::abstract_actor*>(c.server.handle());
  to->enqueue(c.client, caf::make_message_id(), caf::make_message(watch_stop{marked}), nullptr);
  c.world.run_until_idle();
  c.post(maps, config_map("late", "1"));
  c.world.run_until_idle();
  CHECK(seen(c, marked) == "b ");
}

TEST_CASE("a cacher that crashes closes its watches; a client resumes") {
  cluster c;
  auto watch = c.get(watch_target("")).watch_id;
  auto made = c.post(maps, config_map("a", "1"));
  c.world.run_until_idle();
  REQUIRE(c.world.crash("root/api_server/cacher-configmaps"));
  c.world.run_for(std::chrono::seconds(1));
  CHECK(c.box->closed.count(watch) == 1);
  CHECK(c.get(std::string(maps) + "/a").code == 200);
  auto next = c.get(watch_target("&resourceVersion=" + std::to_string(made.revision))).watch_id;
  c.post(maps, config_map("b", "1"));
  c.world.run_for(std::chrono::seconds(1));
  CHECK(seen(c, next) == "+b ");
}

TEST_CASE("a watch from before the window is refused with 410") {
  cluster c;
  c.post(maps, config_map("a", "1"));
  REQUIRE(c.world.crash("root/api_server/cacher-configmaps"));
  c.world.run_for(std::chrono::seconds(1));
  auto watch = c.get(watch_target("&resourceVersion=1")).watch_id;
  c.world.run_until_idle();
  REQUIRE(c.box->closed.count(watch) == 1);
  CHECK(c.box->closed[watch].code == 410);
  CHECK(c.box->closed[watch].message.find("too old resource version: 1 (") == 0);
}

TEST_CASE("the store crashes between requests and under them: nothing is lost, nobody hangs") {
  cluster c;
  auto watch = c.get(watch_target("")).watch_id;
  c.post(maps, config_map("a", "1"));
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 20; ++i) {
    if (i == 10) REQUIRE(c.world.crash("root/store"));
    ids.push_back(c.send(method::post, maps, config_map("m" + std::to_string(i), "1")));
  }
  c.world.run_for(std::chrono::seconds(60));
  for (auto id : ids) {
    REQUIRE(c.box->answers.count(id) == 1);
    CHECK(c.box->answers[id].code == 201);
  }
  c.world.run_until_idle();
  CHECK(c.box->events[watch].size() == 21);
  CHECK(at(c.get(maps), "items.20.metadata.name") != "");
}

TEST_CASE("a worker crashes: others go on, what it had is answered") {
  cluster c;
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(c.send(method::post, maps, config_map("m" + std::to_string(i), "1")));
  REQUIRE(c.world.crash("root/api_server/worker-0"));
  for (int i = 10; i < 20; ++i) ids.push_back(c.send(method::post, maps, config_map("m" + std::to_string(i), "1")));
  c.world.run_for(std::chrono::seconds(10));
  for (auto id : ids) {
    REQUIRE(c.box->answers.count(id) == 1);
    auto code = c.box->answers[id].code;
    CHECK((code == 201 || code == 503));
  }
  CHECK(c.post(maps, config_map("after", "1")).code == 201);
}

TEST_CASE("two writers on one object: optimistic locking, both patches land") {
  cluster c;
  c.post(maps, config_map("a", "1"));
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 10; ++i)
    ids.push_back(c.send(method::patch, std::string(maps) + "/a", "{\"data\":{\"p" + std::to_string(i) + "\":\"x\"}}",
                         "application/merge-patch+json"));
  c.world.run_for(std::chrono::seconds(10));
  for (auto id : ids) CHECK(c.box->answers[id].code == 200);
  auto now = c.get(std::string(maps) + "/a");
  for (int i = 0; i < 10; ++i) CHECK(at(now, "data.p" + std::to_string(i)) == "x");
}

TEST_CASE("writers who want the same bytes at the same time: one succeeds, the others hear of the conflict") {
  cluster c;
  auto made = c.post(maps, config_map("counter", "1"));
  const auto body = R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"counter","resourceVersion":")" +
                    std::to_string(made.revision) + R"("},"data":{"k":"2"}})";
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(c.send(method::put, std::string(maps) + "/counter", body));
  c.world.run_for(std::chrono::seconds(10));
  std::map<int, int> codes;
  for (auto id : ids) ++codes[c.box->answers[id].code];
  CHECK(codes == std::map<int, int>{{200, 1}, {409, 5}});
}
