// Links of components in processes of their own: as whom they ask, and what they cannot send.
#include <doctest/doctest.h>

#include <atomic>
#include <set>
#include <string>

#include "tests/actors/link/fixture.hpp"

using namespace troupe;
using namespace troupe::link;
using namespace troupe::link::testing;

namespace component_links {

constexpr const char* scheduler = "system:kube-scheduler";
constexpr const char* manager = "system:kube-controller-manager";

/// The answer to a request that says it is of that user.
api::response ask_as(raw_peer& peer, std::uint64_t id, const api::user_ptr& user) {
  api::request asked;
  asked.id = id;
  asked.target = "/x";
  asked.user = user;
  asked.headers = {{"impersonate-user", "kubernetes-admin"}};
  peer.write(encode_frame(frame_kind::request, to_msgpack(asked)));
  auto next = peer.read();
  REQUIRE(next);
  api::response answer;
  REQUIRE(decode(next->payload, answer));
  return answer;
}

TEST_CASE("component links: a scheduler asks as itself, and as nobody else") {
  fixture world;
  raw_peer peer(world.port());
  REQUIRE(peer.enter(component_certificate(scheduler)));
  CHECK(ask_as(peer, 1, nullptr).error.ok());
  CHECK(ask_as(peer, 2, runtime::component_user(scheduler, {"system:masters"})).error.ok());
  for (const auto& seen : world.seen->all()) {
    CHECK(seen.user->name == scheduler);
    CHECK(seen.user->groups == std::vector<std::string>{"system:authenticated"});
    CHECK(seen.headers.empty());
    CHECK(seen.level == urgency::deciding);
  }
  for (const auto& other : {runtime::component_user("kubernetes-admin", {"system:masters"}),
                            runtime::component_user(manager), runtime::component_user("system:node:worker-1"),
                            runtime::service_account_user("kube-system", "deployment-controller")}) {
    auto answer = ask_as(peer, 3, other);
    CHECK(answer.error.why == reason::forbidden);
    CHECK(answer.error.message == "the link of system:kube-scheduler cannot ask as \"" + other->name + "\"");
  }
  CHECK(world.refused("forged_user") == 4);
  CHECK(world.seen->all().size() == 2);
  CHECK(ask_as(peer, 4, nullptr).error.ok());  // its own requests go on
}

TEST_CASE("component links: a controller manager asks as itself and its controllers' accounts") {
  fixture world;
  raw_peer peer(world.port());
  REQUIRE(peer.enter(component_certificate(manager)));
  CHECK(ask_as(peer, 1, runtime::component_user(manager)).error.ok());
  CHECK(ask_as(peer, 2, runtime::component_user("system:serviceaccount:kube-system:deployment-controller")).error.ok());
  auto seen = world.seen->all();
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].user->name == manager);
  CHECK(seen[1].user->name == "system:serviceaccount:kube-system:deployment-controller");
  CHECK(seen[1].user->groups == std::vector<std::string>{"system:serviceaccounts", "system:serviceaccounts:kube-system",
                                                         "system:authenticated"});
  for (const char* other : {"system:serviceaccount:kube-system:attachdetach-controller",
                            "system:serviceaccount:default:deployment-controller", scheduler})
    CHECK(ask_as(peer, 3, runtime::component_user(other)).error.why == reason::forbidden);
  CHECK(world.refused("forged_user") == 3);
}

TEST_CASE("component links: frames of logs and streams end the link; it is nobody's kubelet") {
  struct row {
    frame_kind kind;
    std::string payload;
  };
  const row rows[] = {{frame_kind::log_chunk, to_msgpack(container::log_chunk{1, {}, true, {}})},
                      {frame_kind::stream_opened, to_msgpack(stream::opened{})},
                      {frame_kind::stream_output, to_msgpack(stream::chunk{})},
                      {frame_kind::input_credit, to_msgpack(stream::credit{})},
                      {frame_kind::stream_closed, to_msgpack(stream::closed{})}};
  fixture world;
  std::uint64_t count = 0;
  for (const auto& one : rows) {
    CAPTURE(kind_name(one.kind));
    raw_peer peer(world.port());
    REQUIRE(peer.enter(component_certificate(scheduler)));
    CHECK(ask_as(peer, 1, nullptr).error.ok());
    CHECK(!world.kubelet_of(scheduler));
    peer.write(encode_frame(one.kind, one.payload));
    CHECK(peer.closed_within(2s));
    ++count;
    CHECK(eventually([&] { return world.refused("bad_frame") == count; }));
  }
}

TEST_CASE("component links: two processes may be one component; one that runs here already is not wanted") {
  fixture world(fixture::quick(), {manager});
  raw_peer first(world.port()), second(world.port());
  REQUIRE(first.enter(component_certificate(scheduler)));
  CHECK(ask_as(first, 1, nullptr).error.ok());
  REQUIRE(second.enter(component_certificate(scheduler)));
  CHECK(ask_as(second, 1, nullptr).error.ok());
  CHECK(ask_as(first, 2, nullptr).error.ok());
  raw_peer refused(world.port());
  auto proof = component_certificate(manager);
  REQUIRE(refused.handshake(&proof));
  auto last = refused.read();
  REQUIRE(last);
  CHECK(last->kind == frame_kind::goodbye);
  CHECK(refused.closed_within(2s));
  CHECK(eventually([&] { return world.refused("not_wanted") == 1; }));
}

TEST_CASE("component links: its end passes on as whom each request is made") {
  fixture world;
  auto server = world.add_component(manager);
  auto account = runtime::service_account_user("kube-system", "replicaset-controller");
  std::atomic<int> answers{0};
  for (const auto& user : {runtime::component_user(manager), account})
    world.tell(world.add_caller(server, user), [&](runtime::api_session& session) {
      session.call(runtime::get("/object"),
                   [&](const api::response& answer) { answers += answer.error.ok() ? 1 : 100; });
    });
  REQUIRE(eventually([&] { return answers == 2; }));
  std::set<std::string> names;
  for (const auto& one : world.seen->all()) names.insert(one.user->name);
  CHECK(names == std::set<std::string>{manager, account->name});
}

}  // namespace component_links
