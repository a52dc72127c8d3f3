// What the link carries: requests, watches, logs; and what its loss does.
#include "tests/actors/link/helpers.hpp"

using namespace troupe;
using namespace troupe::link;
using namespace troupe::link::testing;

TEST_CASE("a node asks as its certificate says, whoever it says it is") {
  fixture world;
  auto by = world.add_caller(world.add_node("worker-1"));
  calls made;
  world.tell(by, [&](runtime::api_session& session) {
    auto asked = runtime::get("/object");
    asked.headers = {{"authorization", "Bearer stolen"}, {"impersonate-user", "kubernetes-admin"}};
    session.call(std::move(asked), made.note());
  });
  REQUIRE(eventually([&] { return made.count() == 1; }));
  CHECK(made.last().error.ok());
  REQUIRE(made.last().object);
  CHECK(made.last().object->name == "m");
  auto asked = world.seen->all().at(0);
  CHECK(asked.user->name == "system:node:worker-1");
  CHECK(asked.user->groups == std::vector<std::string>{"system:nodes", "system:authenticated"});
  CHECK(asked.headers.empty());
}

TEST_CASE("a watch's events come in order, those before its answer too; its end reaches the api_server") {
  fixture world;
  auto by = world.add_caller(world.add_node());
  watched seen;
  std::atomic<std::uint64_t> handle{0};
  world.tell(by, [&](runtime::api_session& session) { handle = session.watch("/m?watch=true", seen.handlers()); });
  REQUIRE(eventually([&] { return seen.count() == 1; }));
  for (int i = 0; i < 5; ++i) world.publish_event(i == 3 ? 3'000'000 : 100);
  REQUIRE(eventually([&] { return seen.count() == 6; }));
  for (std::size_t i = 0; i < 6; ++i) CHECK(seen.events[i].object->revision == i + 1);
  CHECK(seen.events[4].object->json.size() > 3'000'000);
  world.tell(by, [&](runtime::api_session& session) { session.stop_watch(handle); });
  CHECK(eventually([&] { return world.seen->stops() == 1; }));
}

TEST_CASE("what was in flight fails at once when the link is lost, and later calls take the next link") {
  fixture world;
  auto by = world.add_caller(world.add_node());
  await_link(world, by);
  calls write, read;
  watched seen;
  world.tell(by, [&](runtime::api_session& session) {
    session.watch("/m?watch=true", seen.handlers());
    session.call(runtime::post("/never", "{}"), write.note());
  });
  REQUIRE(eventually([&] { return world.seen->unanswered == 1 && seen.count() == 1; }));
  auto begun = std::chrono::steady_clock::now();
  world.crash("root/link");
  REQUIRE(eventually([&] { return write.count() == 1 && seen.closed == 1; }));
  CHECK(std::chrono::steady_clock::now() - begun < 2s);  // the call's deadline is 30 s
  CHECK(write.last().error.why == reason::service_unavailable);
  world.tell(by, [&](runtime::api_session& session) { session.call(runtime::get("/again"), read.note()); });
  REQUIRE(eventually([&] { return read.count() == 1; }));
  CHECK(read.last().error.ok());
  // Its watch ended with its session.
  CHECK(eventually([&] { return world.seen->stops() == 1; }));
}

TEST_CASE("a restarted api_server ends the link, so that nodes know what was lost") {
  fixture world;
  auto by = world.add_caller(world.add_node());
  await_link(world, by);
  calls write;
  world.tell(by, [&](runtime::api_session& session) { session.call(runtime::post("/never", "{}"), write.note()); });
  REQUIRE(eventually([&] { return world.seen->unanswered == 1; }));
  world.crash("root/api");
  REQUIRE(eventually([&] { return write.count() == 1; }));
  CHECK(write.last().error.why == reason::service_unavailable);
  calls read;
  world.tell(by, [&](runtime::api_session& session) { session.call(runtime::get("/again"), read.note()); });
  CHECK(eventually([&] { return read.count() == 1; }));
}

TEST_CASE("a session that crashes costs its own link only") {
  fixture world;
  auto one = world.add_caller(world.add_node("worker-1"));
  auto two = world.add_caller(world.add_node("worker-2"));
  watched first, second;
  world.tell(one, [&](runtime::api_session& session) { session.watch("/m?watch=true", first.handlers()); });
  world.tell(two, [&](runtime::api_session& session) { session.watch("/m?watch=true", second.handlers()); });
  REQUIRE(eventually([&] { return first.count() >= 1 && second.count() >= 1; }));
  world.crash("root/link/worker-1");
  REQUIRE(eventually([&] { return first.closed == 1; }));
  auto before = second.count();
  world.publish_event(10);
  REQUIRE(eventually([&] { return second.count() > before; }));
  CHECK(second.closed == 0);
}

TEST_CASE("a component that ends takes its watches with it") {
  fixture world;
  auto by = world.add_caller(world.add_node());
  watched seen;
  world.tell(by, [&](runtime::api_session& session) { session.watch("/m?watch=true", seen.handlers()); });
  REQUIRE(eventually([&] { return seen.count() == 1; }));
  caf::anon_send_exit(by, caf::exit_reason::user_shutdown);
  CHECK(eventually([&] { return world.seen->stops() == 1; }));
}

TEST_CASE("logs are read over the link, chunk by chunk, and end when it is lost") {
  fixture world;
  auto stops = std::make_shared<std::atomic<int>>(0);
  auto kubelet = world.system().spawn<logging_kubelet>(stops);
  world.add_node("worker-1", node_certificate("worker-1"),
                 runtime::stable_ref<kubelet::kubelet_actor>::fixed(caf::actor_cast<kubelet::kubelet_actor>(kubelet)));
  REQUIRE(eventually([&] { return world.kubelet_of("worker-1").has_value(); }));
  auto whole = std::make_shared<reading>();
  auto first = world.system().spawn<log_reader>(whole);
  caf::anon_send(first, begin_reading{*world.kubelet_of("worker-1"), false});
  REQUIRE(eventually([&] { return whole->ended.load(); }));
  CHECK(whole->text == "line 1\nline 2\nline 3\n");
  CHECK(whole->error.empty());

  auto followed = std::make_shared<reading>();
  auto second = world.system().spawn<log_reader>(followed);
  caf::anon_send(second, begin_reading{*world.kubelet_of("worker-1"), true});
  REQUIRE(eventually([&] {
    std::lock_guard guard(followed->mutex);
    return followed->text == "line 1\nline 2\n";
  }));
  CHECK(stops->load() == 0);

  // A source that dies says nothing more: its reader is told.
  auto mortal = world.system().spawn<logging_kubelet>(std::make_shared<std::atomic<int>>());
  world.add_node("worker-2", node_certificate("worker-2"),
                 runtime::stable_ref<kubelet::kubelet_actor>::fixed(caf::actor_cast<kubelet::kubelet_actor>(mortal)));
  REQUIRE(eventually([&] { return world.kubelet_of("worker-2").has_value(); }));
  auto cut = std::make_shared<reading>();
  auto third = world.system().spawn<log_reader>(cut);
  caf::anon_send(third, begin_reading{*world.kubelet_of("worker-2"), true});
  REQUIRE(eventually([&] {
    std::lock_guard guard(cut->mutex);
    return cut->text == "line 1\nline 2\n";
  }));
  caf::anon_send_exit(mortal, caf::exit_reason::kill);
  REQUIRE(eventually([&] { return cut->ended.load(); }));
  CHECK(cut->error == "the node's end of the log is gone");
  caf::anon_send_exit(third, caf::exit_reason::user_shutdown);

  world.crash("root/link");
  REQUIRE(eventually([&] { return followed->ended.load(); }));
  CHECK(followed->error == "the link to node worker-1 was lost");
  CHECK(eventually([&] { return stops->load() == 1; }));
  caf::anon_send_exit(first, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(second, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(kubelet, caf::exit_reason::user_shutdown);
}

TEST_CASE("an idle link is kept") {
  fixture world;
  auto by = world.add_caller(world.add_node());
  watched seen;
  world.tell(by, [&](runtime::api_session& session) { session.watch("/m?watch=true", seen.handlers()); });
  REQUIRE(eventually([&] { return seen.count() == 1; }));
  std::this_thread::sleep_for(2500ms);  // beyond the silence that ends a link
  CHECK(seen.closed == 0);
}

TEST_CASE("a node dials past a server that does not answer (4)") {
  fixture world;
  auto server = runtime::stable_ref<api::api_server_actor>::make(world.system(), "node/server");
  auto mine = node_certificate("worker-1");
  credentials with{mine.certificate, mine.private_key, certificates::get().authority.certificate};
  dialer_options how;
  how.bounds = fixture::quick();
  // TEST-NET-1 (RFC 5737) swallows or refuses, by the machine's routes; the name resolves to nothing.
  how.servers = {"192.0.2.1:1", "no.such.host.invalid:1", "127.0.0.1:" + std::to_string(world.port())};
  how.nodes.push_back({"worker-1", [with]() -> result<credentials> { return with; }, server, {}});
  auto dialer = spawn_dialer(world.system(), how);
  auto by = world.add_caller(server);
  calls made;
  world.tell(by, [&](runtime::api_session& session) { session.call(runtime::get("/x"), made.note()); });
  CHECK(eventually([&] { return made.count() == 1; }));
  CHECK(made.last().error.ok());
  caf::anon_send_exit(dialer, caf::exit_reason::user_shutdown);
}

TEST_CASE("a certificate that goes missing costs tries, not the process (3)") {
  fixture world;
  auto server = runtime::stable_ref<api::api_server_actor>::make(world.system(), "node/server");
  auto mine = node_certificate("worker-1");
  credentials with{mine.certificate, mine.private_key, certificates::get().authority.certificate};
  auto there = std::make_shared<std::atomic<bool>>(false);
  dialer_options how;
  how.bounds = fixture::quick();
  how.servers = {"127.0.0.1:" + std::to_string(world.port())};
  auto proof = [with, there]() -> result<credentials> {
    if (!*there) return make_status(reason::not_found, "cannot read worker-1.crt: No such file or directory");
    return with;
  };
  how.nodes.push_back({"worker-1", proof, server, {}});
  auto dialer = spawn_dialer(world.system(), how);
  CHECK(eventually([] { return log_text().find("cannot read worker-1.crt") != std::string::npos; }));
  *there = true;
  CHECK(eventually([&] { return world.kubelet_of("worker-1").has_value(); }));
  caf::anon_send_exit(dialer, caf::exit_reason::user_shutdown);
}

TEST_CASE("a node that does not read what it watches loses the watch, not its link") {
  limits bounds = fixture::quick();
  bounds.silence = 20s;  // the peer says nothing, and it is not for that that its link ends
  bounds.feed_bytes = 1 << 20;
  bounds.watch_bytes = 4 << 20;
  fixture world(bounds);
  raw_peer peer(world.port());
  REQUIRE(peer.enter());
  peer.ask(1, "/m?watch=true");
  std::uint64_t revision = 0;
  bool closed = false;
  /// Takes what comes next; the revisions of a watch's events have no gap.
  auto take = [&] {
    auto next = peer.read();
    REQUIRE(next);
    api::watch_delivery delivery;
    if (next->kind != frame_kind::watch_delivery) return next->kind;
    REQUIRE(decode(next->payload, delivery));
    for (const auto& batch : delivery.batches) {
      for (const auto& event : *batch.events) CHECK(event.revision == ++revision);
      closed = closed || batch.closed;
    }
    return next->kind;
  };
  CHECK(take() == frame_kind::response);
  CHECK(take() == frame_kind::watch_delivery);
  for (int i = 0; i < 40; ++i) world.publish_event(1 << 20);
  REQUIRE(eventually([&] { return world.refused("slow_watch") == 1; }));
  CHECK(eventually([&] { return world.seen->stops() == 1; }));
  while (!closed) REQUIRE(take() == frame_kind::watch_delivery);
  CHECK(revision < 41);
  peer.ask(2, "/m?watch=true");
  CHECK(take() == frame_kind::response);
  CHECK(world.refused("slow_reader") == 0);
}
