// The driver's core: order of requests, rounds of looking, what subscribers hear.
#include <doctest/doctest.h>

#include "actors/container_runtime/cri/core.hpp"

using namespace troupe;
using namespace troupe::cri;

namespace {

template <class Effect>
std::vector<Effect> all(const effects& out) {
  std::vector<Effect> found;
  for (auto& one : out)
    if (auto* match = std::get_if<Effect>(&one)) found.push_back(*match);
  return found;
}

std::vector<std::uint64_t> begun(const effects& out) {
  std::vector<std::uint64_t> tokens;
  for (auto& one : all<begin>(out)) tokens.push_back(one.token);
  return tokens;
}

using tokens = std::vector<std::uint64_t>;

/// A driver whose first look has found one running container in one sandbox.
struct world {
  driver_state s;
  std::int64_t now = 1000;

  effects feed(event e) {
    std::visit([&](auto& x) { x.now_ms = now; }, e);
    return step(s, e);
  }
  effects look(brief_list found) { return feed(looked{0, {}, std::move(found)}); }
  effects see_container(const std::string& id, container::container_state state) {
    container_seen e{0, id, {}, {}};
    e.status.id = id;
    e.status.pod_uid = "uid";
    e.status.state = state;
    return feed(e);
  }
  effects see_sandbox(const std::string& id) {
    sandbox_seen e{0, id, {}, {}};
    e.status.id = id;
    e.status.uid = "uid";
    return feed(e);
  }
  void settle() {
    REQUIRE(all<cri::look>(feed(clock_due{})).size() == 1);
    look({{{"box", "box", "uid", 0}}, {{"c", "box", "uid", 1}}});
    see_sandbox("box");
    see_container("c", container::container_state::running);
  }
  /// The next regular look.
  void later() {
    now += 1000;
    REQUIRE(all<cri::look>(feed(clock_due{})).size() == 1);
  }
};

}  // namespace

TEST_CASE("requests about one container take effect in their order, others overtake") {
  world w;
  w.settle();
  CHECK(begun(w.feed(request_came{0, 1, "c", manner::alone})) == tokens{1});
  CHECK(begun(w.feed(request_came{0, 2, "c", manner::alone})).empty());
  CHECK(begun(w.feed(request_came{0, 3, "d", manner::alone})) == tokens{3});
  CHECK(begun(w.feed(request_came{0, 4, "", manner::alone})) == tokens{4});
  CHECK(begun(w.feed(request_ended{0, 1, false})) == tokens{2});
}

TEST_CASE("a command in a container delays nobody, a shorter stop overtakes a longer one") {
  world w;
  w.settle();
  CHECK(begun(w.feed(request_came{0, 1, "c", manner::reading})) == tokens{1});
  CHECK(begun(w.feed(request_came{0, 2, "c", manner::stopping})) == tokens{2});
  CHECK(begun(w.feed(request_came{0, 3, "c", manner::stopping})) == tokens{3});
  CHECK(begun(w.feed(request_came{0, 4, "c", manner::alone})).empty());    // a removal waits for both stops
  CHECK(begun(w.feed(request_came{0, 5, "c", manner::reading})).empty());  // and what comes behind it for the removal
  CHECK(begun(w.feed(request_ended{0, 3, true})).empty());
  CHECK(begun(w.feed(request_ended{0, 2, true})) == tokens{4});
  CHECK(begun(w.feed(request_ended{0, 4, true})) == tokens{5});
  w.feed(request_ended{0, 5, false});
  w.feed(request_ended{0, 1, false});
  CHECK(w.s.queues.empty());
  CHECK(w.s.keys.empty());
}

TEST_CASE("the first look is no news, a change is inspected and told") {
  world w;
  w.settle();
  CHECK(picture(w.s, "uid").containers.size() == 1);
  CHECK(picture(w.s, "uid").containers[0].sandbox_id == "box");
  CHECK(picture(w.s, "other").containers.empty());

  w.later();
  auto out = w.look({{{"box", "box", "uid", 0}}, {{"c", "box", "uid", 2}}});
  auto asked = all<inspect>(out);
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].id == "c");
  auto told = all<publish>(w.see_container("c", container::container_state::exited));
  REQUIRE(told.size() == 1);
  CHECK(told[0].pod_uid == "uid");
  REQUIRE(told[0].what.containers.size() == 1);
  CHECK(told[0].what.containers[0].state == container::container_state::exited);
  CHECK(told[0].what.sandboxes.empty());

  w.later();
  CHECK(all<publish>(w.look({{{"box", "box", "uid", 0}}, {{"c", "box", "uid", 2}}})).empty());
}

TEST_CASE("what is not listed any more is gone") {
  world w;
  w.settle();
  w.later();
  auto told = all<publish>(w.look({}));
  REQUIRE(told.size() == 1);
  CHECK(told[0].what.gone == std::vector<std::string>{"box", "c"});
  CHECK(picture(w.s, "").sandboxes.empty());
}

TEST_CASE("a request that changed something is followed by a look at once") {
  world w;
  w.settle();
  w.feed(request_came{0, 1, "c", manner::alone});
  CHECK(all<cri::look>(w.feed(request_ended{0, 1, true})).size() == 1);
  // One that ends during a round leads to another soon.
  w.feed(request_came{0, 2, "c", manner::alone});
  CHECK(all<cri::look>(w.feed(request_ended{0, 2, true})).empty());
  auto out = w.look({{{"box", "box", "uid", 0}}, {{"c", "box", "uid", 1}}});
  REQUIRE(all<wake>(out).size() == 1);
  CHECK(all<wake>(out)[0].at_ms <= w.now + 50);
}

TEST_CASE("a list is answered from a look that began after it was asked for") {
  world w;
  REQUIRE(all<cri::look>(w.feed(clock_due{})).size() == 1);
  CHECK(all<give_list>(w.feed(list_wanted{0, 7})).empty());
  auto out = w.look({});
  CHECK(all<give_list>(out).empty());  // that look was under way already
  CHECK(all<cri::look>(out).size() == 1);
  auto given = all<give_list>(w.look({}));
  REQUIRE(given.size() == 1);
  CHECK(given[0].token == 7);
  CHECK(given[0].error.ok());
}

TEST_CASE("a runtime that was away and came back: everybody is told") {
  world w;
  w.settle();
  w.later();
  w.feed(list_wanted{0, 9});
  auto down = w.feed(looked{0, {container::fault::unavailable, "connection refused"}, {}});
  CHECK(all<publish_lost>(down).empty());
  // The list that waited for the next look fails with it.
  auto given = all<give_list>(w.feed(looked{0, {container::fault::unavailable, "connection refused"}, {}}));
  if (given.empty()) {
    w.now += 250;
    w.feed(clock_due{});
    given = all<give_list>(w.feed(looked{0, {container::fault::unavailable, "connection refused"}, {}}));
  }
  REQUIRE(given.size() == 1);
  CHECK(given[0].error.code == container::fault::unavailable);
  w.now += 250;
  CHECK(all<cri::look>(w.feed(clock_due{})).size() == 1);
  auto back = w.look({{{"box", "box", "uid", 0}}, {{"c", "box", "uid", 1}}});
  CHECK(all<publish_lost>(back).size() == 1);
  CHECK(all<publish>(back).empty());
}

TEST_CASE("what vanished before it could be inspected is looked for again, other failures fail the round") {
  world w;
  w.settle();
  w.later();
  w.look({{{"box", "box", "uid", 0}}, {{"c", "box", "uid", 1}, {"d", "box", "uid", 1}}});
  auto out = w.feed(container_seen{0, "d", {container::fault::not_found, "gone"}, {}});
  CHECK_FALSE(w.s.away);
  REQUIRE(all<wake>(out).size() == 1);
  CHECK(all<wake>(out)[0].at_ms <= w.now + 50);
  CHECK(picture(w.s, "uid").containers.size() == 1);

  w.now += 50;
  REQUIRE(all<cri::look>(w.feed(clock_due{})).size() == 1);
  w.look({{{"box", "box", "uid", 0}}, {{"c", "box", "uid", 2}}});
  w.feed(container_seen{0, "c", {container::fault::unavailable, "away"}, {}});
  CHECK(w.s.away);
}
