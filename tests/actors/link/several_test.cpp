// Several links of one node: to several control planes, and to one while its certificate is renewed.
#include <algorithm>
#include <ctime>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/actors/link/helpers.hpp"

using namespace troupe;
using namespace troupe::link;
using namespace troupe::link::testing;

namespace {

bool has_link(fixture& at, const std::string& node = "worker-1") {
  return eventually([&] { return at.kubelet_of(node).has_value(); });
}

/// Reads once; whether it went well.
bool reads(fixture& world, const caller_actor& by, const std::string& target) {
  calls made;
  world.tell(by, [&](runtime::api_session& session) { session.call(runtime::get(target), made.note()); });
  return eventually([&] { return made.count() == 1; }) && made.last().error.ok();
}

bool asked(fixture& of, const std::string& target) {
  auto all = of.seen->all();
  return std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.target == target; });
}

runtime::stable_ref<kubelet::kubelet_actor> logging(fixture& world, std::shared_ptr<std::atomic<int>> stops) {
  return runtime::stable_ref<kubelet::kubelet_actor>::fixed(
      caf::actor_cast<kubelet::kubelet_actor>(world.system().spawn<logging_kubelet>(std::move(stops))));
}

void stop(const runtime::stable_ref<kubelet::kubelet_actor>& kubelet) {
  caf::anon_send_exit(kubelet.handle(), caf::exit_reason::user_shutdown);
  caf::anon_send_exit(caf::actor_cast<caf::actor>(kubelet.handle()), caf::exit_reason::user_shutdown);
}

}  // namespace

TEST_CASE("a node has a link to each control plane; another one carries its requests when theirs ends") {
  fixture one, two;
  changing_proof proof("worker-1");
  auto by = one.add_caller(one.add_node(proof.node({one.port(), two.port()})));
  REQUIRE(has_link(one));
  REQUIRE(has_link(two));
  CHECK(reads(one, by, "/before"));
  auto& first = asked(one, "/before") ? one : two;
  auto& second = &first == &one ? two : one;
  CHECK_FALSE(asked(second, "/before"));

  watched seen;
  calls write;
  one.tell(by, [&](runtime::api_session& session) {
    session.watch("/m?watch=true", seen.handlers());
    session.call(runtime::post("/never", "{}"), write.note());
  });
  REQUIRE(eventually([&] { return first.seen->unanswered == 1 && seen.count() == 1; }));
  auto before = *first.kubelet_of("worker-1");
  first.crash("root/link");
  REQUIRE(eventually([&] { return write.count() == 1 && seen.closed == 1; }));
  CHECK(write.last().error.why == reason::service_unavailable);
  CHECK(reads(one, by, "/after"));
  CHECK(asked(second, "/after"));

  // The first one is back, and nothing moves.
  REQUIRE(eventually([&] {
    auto now = first.kubelet_of("worker-1");
    return now && *now != before;
  }));
  CHECK(reads(one, by, "/later on"));
  CHECK(asked(second, "/later on"));
  CHECK_FALSE(asked(first, "/later on"));
}

TEST_CASE("servers that do not answer hold no other link up, however many nodes dial them") {
  fixture world;
  const int deaf = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);  // accepts, and says nothing
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof where;
  REQUIRE(::bind(deaf, reinterpret_cast<sockaddr*>(&where), size) == 0);
  REQUIRE(::listen(deaf, 64) == 0);
  REQUIRE(::getsockname(deaf, reinterpret_cast<sockaddr*>(&where), &size) == 0);
  dialer_options how;
  how.bounds = fixture::quick();
  how.bounds.handshake = 30s;
  how.bounds.dialing = 2;
  how.servers = {"127.0.0.1:" + std::to_string(ntohs(where.sin_port)), "127.0.0.1:" + std::to_string(world.port())};
  for (int i = 0; i < 8; ++i) {
    auto name = "worker-" + std::to_string(i);
    auto proof = [with = credentials_of(node_certificate(name))] { return with; };
    how.nodes.push_back(
        {name, proof, runtime::stable_ref<api::api_server_actor>::make(world.system(), "node/" + name), {}});
  }
  auto dialer = spawn_dialer(world.system(), how);
  for (int i = 0; i < 8; ++i) CHECK(has_link(world, "worker-" + std::to_string(i)));
  caf::anon_send_exit(dialer, caf::exit_reason::user_shutdown);
  ::close(deaf);
}

TEST_CASE("logs are read by way of every control plane") {
  fixture one, two;
  changing_proof proof("worker-1");
  auto kubelet = logging(one, std::make_shared<std::atomic<int>>(0));
  one.add_node(proof.node({one.port(), two.port()}, kubelet));
  for (auto* plane : {&one, &two}) {
    REQUIRE(has_link(*plane));
    auto whole = std::make_shared<reading>();
    auto reader = plane->system().spawn<log_reader>(whole);
    caf::anon_send(reader, begin_reading{*plane->kubelet_of("worker-1"), false});
    REQUIRE(eventually([&] { return whole->ended.load(); }));
    CHECK(whole->text == "line 1\nline 2\nline 3\n");
    caf::anon_send_exit(reader, caf::exit_reason::user_shutdown);
  }
  stop(kubelet);
}

TEST_CASE("a renewed certificate costs no request, and no log that is followed") {
  fixture world;
  changing_proof proof("worker-1");
  auto stops = std::make_shared<std::atomic<int>>(0);
  auto kubelet = logging(world, stops);
  auto by = world.add_caller(world.add_node(proof.node({world.port()}, kubelet)));
  await_link(world, by);
  REQUIRE(has_link(world));
  auto before = *world.kubelet_of("worker-1");
  auto followed = std::make_shared<reading>();
  auto reader = world.system().spawn<log_reader>(followed);
  caf::anon_send(reader, begin_reading{before, true});
  watched seen;
  calls write;
  world.tell(by, [&](runtime::api_session& session) {
    session.watch("/m?watch=true", seen.handlers());
    session.call(runtime::post("/later", "{}"), write.note());
  });
  REQUIRE(eventually([&] {
    std::lock_guard guard(followed->mutex);
    return world.seen->held == 1 && seen.count() == 1 && followed->text == "line 1\nline 2\n";
  }));

  proof.replace(node_certificate("worker-1"));
  REQUIRE(eventually([&] { return *world.kubelet_of("worker-1") != before; }));
  // The watch is over, not lost: whoever has it opens it again where it was.
  REQUIRE(eventually([&] { return seen.closed == 1; }));
  CHECK(seen.why().ok());
  CHECK(eventually([&] { return world.seen->stops() == 1; }));
  CHECK(write.count() == 0);
  CHECK(reads(world, by, "/by the new one"));
  world.answer_what_is_held();
  REQUIRE(eventually([&] { return write.count() == 1; }));
  CHECK(write.last().error.ok());

  // The old link is there for its log, beyond the time after which it would have been closed.
  std::this_thread::sleep_for(1500ms);
  CHECK_FALSE(followed->ended);
  CHECK(stops->load() == 0);
  caf::anon_send_exit(reader, caf::exit_reason::user_shutdown);
  CHECK(reads(world, by, "/at the end"));
  stop(kubelet);
}

TEST_CASE("an old link closes when nothing is left on it, and one that is lost before answers its callers") {
  fixture world;
  changing_proof proof("worker-1");
  auto by = world.add_caller(world.add_node(proof.node({world.port()})));
  await_link(world, by);
  proof.replace(node_certificate("worker-1"));
  CHECK(eventually([] { return log_text().find("reason=goodbye \"a newer link of this node") != std::string::npos; }));
  CHECK(reads(world, by, "/still"));

  calls write;
  world.tell(by, [&](runtime::api_session& session) { session.call(runtime::post("/later", "{}"), write.note()); });
  REQUIRE(eventually([&] { return world.seen->held == 1; }));
  auto before = *world.kubelet_of("worker-1");
  proof.replace(node_certificate("worker-1"));
  REQUIRE(eventually([&] { return *world.kubelet_of("worker-1") != before; }));
  CHECK(reads(world, by, "/by the new one"));
  caf::anon_send_exit(caf::actor_cast<caf::actor>(before), caf::exit_reason::kill);
  REQUIRE(eventually([&] { return write.count() == 1; }));
  CHECK(write.last().error.why == reason::timeout);  // nobody knows whether it was done
  CHECK(reads(world, by, "/and on"));
}

TEST_CASE("a certificate that is refused costs tries, and the open link goes on") {
  fixture world;
  changing_proof proof("worker-1");
  auto by = world.add_caller(world.add_node(proof.node({world.port()})));
  await_link(world, by);
  watched seen;
  world.tell(by, [&](runtime::api_session& session) { session.watch("/m?watch=true", seen.handlers()); });
  REQUIRE(eventually([&] { return seen.count() == 1; }));
  proof.replace(node_certificate("worker-1", {}, true));
  CHECK(eventually([&] { return world.refused("unknown_authority") >= 2; }));
  CHECK(reads(world, by, "/still"));
  CHECK(seen.closed == 0);
  CHECK(log_text().find("link.not_renewed") != std::string::npos);
  proof.replace(node_certificate("worker-1"));
  CHECK(eventually([&] { return seen.closed == 1; }));
}

TEST_CASE("new connections are shown a renewed serving certificate, open links go on") {
  fixture world;
  auto by = world.add_caller(world.add_node());
  watched seen;
  world.tell(by, [&](runtime::api_session& session) { session.watch("/m?watch=true", seen.handlers()); });
  REQUIRE(eventually([&] { return seen.count() == 1; }));
  auto serial = [&] {
    raw_peer peer(world.port());
    auto proof = node_certificate("worker-2");
    REQUIRE(peer.handshake(&proof));
    return peer.shown();
  };
  auto before = serial();
  CHECK(serial() == before);
  pki::subject serving;
  serving.common_name = "kube-apiserver";
  serving.names = {"127.0.0.1"};
  serving.server = true;
  serving.not_before = static_cast<std::int64_t>(std::time(nullptr));
  world.show(*pki::issue(certificates::get().authority, serving));
  CHECK(serial() != before);
  world.publish_event(10);
  CHECK(eventually([&] { return seen.count() == 2; }));
  CHECK(seen.closed == 0);
}
