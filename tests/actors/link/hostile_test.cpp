// What comes to the open port from outside: refused in time, with a reason that is logged and counted, at no cost. The
// defects of CAF's own network that these stand against are numbered as in docs/cluster.md.
#include <doctest/doctest.h>

#include <ctime>
#include <fstream>

#include <sys/resource.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "tests/actors/link/fixture.hpp"

using namespace troupe;
using namespace troupe::link;
using namespace troupe::link::testing;

namespace {

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  auto of = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return of(used.ru_utime) + of(used.ru_stime);
}

std::int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

/// The port still serves a node.
bool serves(fixture& world) {
  raw_peer peer(world.port());
  auto proof = node_certificate("probe");
  if (!peer.handshake(&proof)) return false;
  peer.greet();
  api::request asked;
  asked.id = 1;
  asked.target = "/probe";
  peer.write(encode_frame(frame_kind::request, to_msgpack(asked)));
  auto answer = peer.read();
  return answer && answer->kind == frame_kind::response;
}

bool logged(const std::string& text) {
  return eventually([&] { return log_text().find(text) != std::string::npos; });
}

}  // namespace

TEST_CASE("garbage instead of a ClientHello (1)") {
  fixture world;
  auto before = resident_bytes();
  for (int i = 0; i < 50; ++i) {
    raw_peer peer(world.port());
    // As CAF's header begins: a handshake that announces 4 GiB of payload.
    peer.write_plain(std::string("\x01\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x03", 16) +
                     std::string(4096, '\xff'));
    CHECK(peer.closed_within(2s));
  }
  CHECK(world.refused("not_tls") + world.refused("tls") == 50);
  CHECK(resident_bytes() - before < 16 << 20);
  CHECK(logged("link.refused"));
  CHECK(serves(world));
}

TEST_CASE("clients that say nothing cost no CPU and are gone at the deadline (2)") {
  limits bounds = fixture::quick();
  bounds.handshake = 1000ms;
  fixture world(bounds);
  REQUIRE(serves(world));
  std::vector<std::unique_ptr<raw_peer>> silent;
  for (int i = 0; i < 30; ++i) silent.push_back(std::make_unique<raw_peer>(world.port()));
  std::this_thread::sleep_for(100ms);
  auto before = cpu_seconds();
  std::this_thread::sleep_for(600ms);
  CHECK(cpu_seconds() - before < 0.1);  // CAF spun: 0.6 s
  for (auto& one : silent) CHECK(one->closed_within(3s));
  CHECK(eventually([&] { return world.refused("no_client_hello") == 30; }));
  CHECK(logged("reason=no_client_hello"));
  CHECK(serves(world));
}

TEST_CASE("a handshake a byte at a time is cut at the deadline") {
  fixture world;
  raw_peer peer(world.port());
  // The beginning of a record with a ClientHello of 512 bytes.
  std::string begin("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 200 && !peer.closed_within(20ms); ++i)
    peer.write_plain(i < 11 ? std::string(1, begin[static_cast<std::size_t>(i)]) : std::string(1, '\0'));
  CHECK(std::chrono::steady_clock::now() - begun < 3s);
  CHECK(eventually([&] { return world.refused("handshake_timeout") == 1; }));
  CHECK(logged("no whole handshake within the deadline"));
}

TEST_CASE("a good certificate and no hello is cut at the deadline") {
  fixture world;
  raw_peer peer(world.port());
  auto proof = node_certificate("worker-1");
  REQUIRE(peer.handshake(&proof));
  CHECK(peer.closed_within(3s));
  CHECK(eventually([&] { return world.refused("handshake_timeout") == 1; }));
}

TEST_CASE("certificates that are not a node's of this cluster (6)") {
  struct row {
    const char* name;
    pki::key_pair proof;
    const char* reason;
  };
  auto now = static_cast<std::int64_t>(std::time(nullptr));
  auto adapted = [](const std::function<void(pki::subject&)>& adapt) { return node_certificate("worker-1", adapt); };
  const row rows[] = {
      {"another authority", node_certificate("worker-1", {}, true), "unknown_authority"},
      {"expired", adapted([&](auto& who) { who.not_before = now - 7200, who.valid_seconds = 3600; }),
       "certificate_expired"},
      {"not valid yet", adapted([&](auto& who) { who.not_before = now + 7200; }), "certificate_expired"},
      {"for servers only", adapted([](auto& who) { who.client = false, who.server = true; }), "wrong_usage"},
      {"an administrator", adapted([](auto& who) {
         who.common_name = "kubernetes-admin";
         who.organizations = {"system:masters"};
       }),
       "wrong_role"},
      {"no component that has links",
       adapted([](auto& who) { who.common_name = "system:kube-x", who.organizations = {}; }), "wrong_role"},
      {"a node that would be a component", adapted([](auto& who) { who.common_name = "system:kube-scheduler"; }),
       "wrong_role"},
      {"a component and more", adapted([](auto& who) {
         who.common_name = "system:kube-controller-manager";
         who.organizations = {"system:masters"};
       }),
       "wrong_role"},
      {"a node and more", adapted([](auto& who) { who.organizations.push_back("system:masters"); }), "wrong_role"},
      {"no name", adapted([](auto& who) { who.common_name = "system:node:"; }), "wrong_role"},
  };
  for (const auto& one : rows) {
    CAPTURE(one.name);
    fixture world;
    raw_peer peer(world.port());
    peer.handshake(&one.proof);
    CHECK(peer.closed_within(2s));
    CHECK(eventually([&] { return world.refused(one.reason) == 1; }));
    CHECK(logged(std::string("reason=") + one.reason));
    CHECK(world.seen->all().empty());
  }
  fixture world;
  raw_peer nobody(world.port());
  nobody.handshake(nullptr);
  CHECK(nobody.closed_within(2s));
  CHECK(eventually([&] { return world.refused("no_certificate") == 1; }));
  auto proof = node_certificate("worker-1");
  raw_peer old(world.port());
  CHECK(!old.handshake(&proof, TLS1_2_VERSION));
  CHECK(eventually([&] { return world.refused("tls") == 1; }));
  CHECK(serves(world));
}

TEST_CASE("a node refuses a control plane that is none") {
  // The same authority, the right name and a certificate for servers: of a node that would play the control plane.
  const auto& all = certificates::get();
  limits bounds = fixture::quick();
  auto serving = node_certificate("evil", [](auto& who) {
    who.server = true;
    who.names = {"127.0.0.1"};
  });
  auto misnamed = node_certificate("evil", [](auto& who) {
    who.common_name = "kube-apiserver";
    who.server = true;
    who.names = {"10.9.9.9"};
  });
  fixture world;
  for (const auto& [proof, reason] : {std::pair{serving, "wrong_role"}, std::pair{misnamed, "wrong_name"}}) {
    auto port =
        link_port::open("127.0.0.1", 0, {proof.certificate, proof.private_key, all.authority.certificate}, bounds);
    REQUIRE(port);
    auto silent = runtime::stable_ref<api::api_server_actor>::make(world.system(), "silent");
    auto listener = spawn_listener(world.system(), {*port, silent});
    dialer_options how;
    how.bounds = bounds;
    how.servers = {"127.0.0.1:" + std::to_string((*port)->port())};
    auto mine = node_certificate("worker-1");
    credentials with{mine.certificate, mine.private_key, all.authority.certificate};
    auto server = runtime::stable_ref<api::api_server_actor>::make(world.system(), "server");
    how.nodes.push_back({"worker-1", [with]() -> result<credentials> { return with; }, server, {}});
    auto dialer = spawn_dialer(world.system(), how);
    CHECK(logged(std::string("node=worker-1 reason=") + reason));
    caf::anon_send_exit(dialer, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(listener, caf::exit_reason::user_shutdown);
  }
}

TEST_CASE("frames that a node may not send end its link and reach no actor (7)") {
  struct row {
    const char* name;
    std::string bytes;
    const char* reason;
  };
  api::request forged;
  forged.id = 1;
  forged.target = "/x";
  api::request odd = forged;
  odd.level = static_cast<urgency>(200);
  const row rows[] = {
      {"an urgency that does not exist", encode_frame(frame_kind::request, to_msgpack(odd)), "bad_frame"},
      {"a second hello", encode_frame(frame_kind::hello, to_msgpack(hello{})), "bad_frame"},
      {"what only a control plane sends", encode_frame(frame_kind::read_log, to_msgpack(kubelet::read_pod_log{})),
       "bad_frame"},
      {"an unknown kind", encode_frame(static_cast<frame_kind>(99), "x"), "bad_frame"},
      // CAF's routed messages, named receivers, monitors and heartbeats have numbers of their own in its header's first
      // byte; whatever they are, here they are a size.
      {"CAF's header", std::string("\x04\x00\x00\x00\x00\x00\x00\x10", 8) + std::string(40, '\0'), "bad_frame"},
      {"too large", std::string("\x7f\xff\xff\xff\x0a", 5), "frame_too_large"},
      {"a request that is none", encode_frame(frame_kind::request, "nonsense"), "bad_frame"},
      {"a request that claims to be huge", encode_frame(frame_kind::request, std::string("\xdd\xff\xff\xff\xff", 5)),
       "bad_frame"},
  };
  for (const auto& one : rows) {
    CAPTURE(one.name);
    fixture world;
    raw_peer peer(world.port());
    auto proof = node_certificate("worker-1");
    REQUIRE(peer.handshake(&proof));
    peer.greet();
    peer.write(one.bytes);
    CHECK(peer.closed_within(2s));
    CHECK(eventually([&] { return world.refused(one.reason) == 1; }));
    CHECK(world.seen->all().empty());
    CHECK(serves(world));
  }
}

TEST_CASE("a node that claims to be somebody else is taken for what its certificate says (7)") {
  fixture world;
  raw_peer peer(world.port());
  REQUIRE(peer.enter());
  api::request asked;
  asked.id = 1;
  asked.target = "/x";
  asked.user = runtime::component_user("kubernetes-admin", {"system:masters"});
  asked.headers = {{"authorization", "Bearer stolen"}, {"impersonate-user", "kubernetes-admin"}};
  asked.auth_error = "x";
  asked.level = urgency::serving;
  peer.write(encode_frame(frame_kind::request, to_msgpack(asked)));
  REQUIRE(peer.read());
  auto seen = world.seen->all().at(0);
  CHECK(seen.user->name == "system:node:worker-1");
  CHECK(seen.user->groups == std::vector<std::string>{"system:nodes", "system:authenticated"});
  CHECK(seen.headers.empty());
  CHECK(seen.auth_error.empty());
  CHECK(seen.level == urgency::deciding);
  CHECK(world.refused("forged_user") == 1);
}

TEST_CASE("what nobody asked a node for is dropped and counted; its own requests go on (7)") {
  fixture world;
  raw_peer peer(world.port());
  REQUIRE(peer.enter());
  for (std::uint64_t id : {0, 1, 12345})
    peer.write(encode_frame(frame_kind::log_chunk, to_msgpack(container::log_chunk{id, {}, true, {}})));
  peer.write(encode_frame(frame_kind::watch_stop, to_msgpack(api::watch_stop{1})));
  peer.ask(5, "/x");
  auto answer = peer.read();
  REQUIRE(answer);
  CHECK(answer->kind == frame_kind::response);
  CHECK(world.refused("not_asked") == 3);
  CHECK(world.seen->stops() == 0);
}

TEST_CASE("a node that asks without end is told 429, and its watches are counted") {
  limits bounds = fixture::quick();
  bounds.requests_in_flight = 20;
  bounds.watches = 5;
  fixture world(bounds);
  raw_peer peer(world.port());
  REQUIRE(peer.enter());
  for (std::uint64_t id = 1; id <= 30; ++id) {
    peer.ask(id, "/never");
  }
  for (int i = 0; i < 10; ++i) {
    auto next = peer.read();
    REQUIRE(next);
    api::response answer;
    REQUIRE(decode(next->payload, answer));
    CHECK(answer.error.why == reason::too_many_requests);
  }
  CHECK(eventually([&] { return world.seen->unanswered == 20; }));
}

TEST_CASE("a node's watches are counted, however it writes them") {
  limits bounds = fixture::quick();
  bounds.watches = 5;
  fixture world(bounds);
  raw_peer peer(world.port());
  REQUIRE(peer.enter());
  for (std::uint64_t id = 1; id <= 12; ++id) {
    peer.ask(id, id % 2 == 0 ? "/x?watch=1" : "/x?%77atch=1");
  }
  int opened = 0, refused = 0;
  while (opened + refused < 12) {
    auto next = peer.read();
    REQUIRE(next);
    if (next->kind != frame_kind::response) continue;
    api::response answer;
    REQUIRE(decode(next->payload, answer));
    if (answer.error.ok()) ++opened;
    if (answer.error.why == reason::too_many_requests) ++refused;
    if (!answer.error.ok()) CHECK(answer.watch_id == 0);
  }
  CHECK(opened == 5);
  CHECK(refused == 7);
  CHECK(eventually([&] { return world.seen->stops() == 7; }));
  // One that ends makes room.
  peer.write(encode_frame(frame_kind::watch_stop, to_msgpack(api::watch_stop{1})));
  api::request again;
  again.id = 99;
  again.target = "/x?%77atch=1";
  peer.write(encode_frame(frame_kind::request, to_msgpack(again)));
  api::response answer;
  while (answer.id != 99) {
    auto next = peer.read();
    REQUIRE(next);
    if (next->kind == frame_kind::response) REQUIRE(decode(next->payload, answer));
  }
  CHECK(answer.error.ok());
}

TEST_CASE("bodies of a node's unanswered requests are bounded, each and together") {
  fixture world;
  raw_peer peer(world.port());
  REQUIRE(peer.enter());
  auto send = [&](std::uint64_t id, std::size_t bytes, const char* target) {
    api::request asked;
    asked.id = id;
    asked.verb = api::method::post;
    asked.target = target;
    asked.body = shared_bytes(std::string(bytes, 'x'));
    peer.write(encode_frame(frame_kind::request, to_msgpack(asked)));
  };
  auto code_of_next = [&] {
    auto next = peer.read();
    api::response answer;
    return next && decode(next->payload, answer) ? answer.error.code : -1;
  };
  const std::size_t most = 3 << 20;
  send(1, most + 1, "/never");
  CHECK(code_of_next() == 413);
  for (std::uint64_t id = 2; id < 7; ++id) send(id, most, "/never");  // 15 MiB
  send(7, most, "/never");
  CHECK(code_of_next() == 429);
  CHECK(world.seen->unanswered == 5);
  // Small ones have room, and what is answered counts no more.
  for (std::uint64_t id = 10; id < 40; ++id) {
    send(id, 1 << 20, "/x");
    CHECK(code_of_next() == 0);
  }
  CHECK(world.refused("request_too_large") == 1);
  CHECK(world.refused("too_many_requests") == 1);
}

TEST_CASE("large payloads that never end hold what came and no more (1)") {
  fixture world;
  auto proof = node_certificate("worker-1");
  std::vector<std::unique_ptr<raw_peer>> peers;
  REQUIRE(serves(world));
  auto before = resident_bytes();
  for (int i = 0; i < 40; ++i) {
    auto own = node_certificate("worker-" + std::to_string(i));
    auto& peer = *peers.emplace_back(std::make_unique<raw_peer>(world.port()));
    REQUIRE(peer.handshake(&own));
    peer.greet();
    peer.write(std::string("\x00\x3f\xff\xff\x0a", 5) + std::string(1000, 'x'));  // announces 4 MiB
  }
  std::this_thread::sleep_for(100ms);
  // Two TLS ends each in this process; 40 times 4 MiB would be 160 MiB.
  CHECK(resident_bytes() - before < 24 << 20);
}

TEST_CASE("a flood of connections leaves room for nodes from elsewhere, and ends") {
  limits bounds = fixture::quick();
  bounds.unproven = 20;
  bounds.unproven_of_address = 10;
  bounds.handshake = 600ms;
  fixture world(bounds);
  std::vector<std::unique_ptr<raw_peer>> flood;
  for (int i = 0; i < 60; ++i) flood.push_back(std::make_unique<raw_peer>(world.port()));
  CHECK(eventually([&] { return world.refused("too_many") >= 50; }));
  CHECK(eventually([&] { return world.refused("no_client_hello") == 10; }));
  CHECK(serves(world));
}

TEST_CASE("a node has a few links at most: a newer one costs it the oldest") {
  fixture world;
  auto proof = node_certificate("worker-1");
  std::vector<std::unique_ptr<raw_peer>> links;
  for (std::size_t i = 0; i < limits{}.links_of_node + 1; ++i) {
    auto& peer = *links.emplace_back(std::make_unique<raw_peer>(world.port()));
    REQUIRE(peer.handshake(&proof));
    peer.greet();
  }
  auto last = links.front()->read();
  REQUIRE(last);
  CHECK(last->kind == frame_kind::goodbye);
  CHECK(links.front()->closed_within(2s));
  links[1]->ask(1, "/x");
  auto answer = links[1]->read();
  REQUIRE(answer);
  CHECK(answer->kind == frame_kind::response);
  CHECK(world.kubelet_of("worker-1").has_value());
  // The newest is asked; when it goes, the next one is, and nobody when all have gone.
  auto newest = world.kubelet_of("worker-1");
  links.pop_back();
  CHECK(eventually([&] { return world.kubelet_of("worker-1") != newest; }));
  CHECK(world.kubelet_of("worker-1").has_value());
  links.clear();
  CHECK(eventually([&] { return !world.kubelet_of("worker-1").has_value(); }));
}

TEST_CASE("a link ends when its certificate does") {
  limits bounds = fixture::quick();
  bounds.silence = 20s;  // the peer says nothing, and it is not for that that its link ends
  fixture world(bounds);
  auto now = static_cast<std::int64_t>(std::time(nullptr));
  auto proof = node_certificate("worker-1", [&](auto& who) {
    who.not_before = now - 3597;
    who.valid_seconds = 3600;
  });
  raw_peer peer(world.port());
  REQUIRE(peer.handshake(&proof));
  peer.greet();
  CHECK(peer.closed_within(8s));
  CHECK(eventually([&] { return world.refused("certificate_expired") == 1; }));
}
