// Watches through the gateway.
#include <doctest/doctest.h>

#include <sys/socket.h>

#include "tests/actors/gateway/fixture.hpp"
#include "tests/bench/client/watcher.hpp"

using namespace troupe;
using namespace troupe::gateway::testing;
using troupe::bench::client;
using troupe::gateway::limits;

namespace {

constexpr const char* watch_pods = "GET /api/v1/pods?watch=1 HTTP/1.1\r\nHost: h\r\n\r\n";

void post(client& c, const std::string& path) {
  bench::request what;
  what.method = "POST";
  what.path = path;
  CHECK(c.call(what).code == 200);
}

}  // namespace

TEST_CASE("gateway: a watch streams events as lines; an error event ends it, and the connection goes on") {
  fixture f;
  client watching(f.target()), other(f.target());
  watching.send(watch_pods);
  REQUIRE(eventually([&] { return f.counts().watches_open == 1; }));
  post(other, "/publish/3/10");
  for (int i = 0; i < 3; ++i)
    CHECK(watching.receive_line() ==
          "{\"type\":\"ADDED\",\"object\":{\"n\":" + std::to_string(i) + ",\"x\":\"xxxxxxxxxx\"}}\n");
  post(other, "/end/410");
  auto error = watching.receive_line();
  CHECK(error.find("{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\"") == 0);
  CHECK(error.find("\"reason\":\"Expired\"") != std::string::npos);
  CHECK(watching.receive_line().empty());
  CHECK(f.counts().watches_open == 0);
  CHECK(f.seen->stops == 0);  // it ended by itself
  CHECK(watching.get("/x").code == 200);
}

TEST_CASE("gateway: a client that goes stops its watch") {
  fixture f;
  for (bool h2 : {false, true}) {
    CAPTURE(h2);
    auto before = f.seen->stops.load();
    {
      bench::watcher watching(f.target(), "/api/v1/pods?watch=1", 5, h2, 5);
      REQUIRE(eventually([&] { return f.counts().watches_open == 5; }));
    }
    CHECK(eventually([&] { return f.seen->stops == before + 5; }));
    CHECK(f.counts().watches_open == 0);
  }
}

TEST_CASE("gateway: a client that goes before its watch is accepted leaves nothing behind") {
  fixture f;
  for (int i = 0; i < 20; ++i) {
    client c(f.target());
    c.send(watch_pods);
  }
  CHECK(eventually([&] { return f.counts().connections_open == 0 && f.seen->stops == f.seen->watches; }));
  CHECK(f.counts().watches_open == 0);
}

TEST_CASE("gateway: 100 watchers get every event, both protocols") {
  fixture f;
  client other(f.target());
  for (bool h2 : {false, true}) {
    CAPTURE(h2);
    bench::watcher watching(f.target(), "/api/v1/pods?watch=1", 100, h2, 25);
    REQUIRE(eventually([&] { return f.counts().watches_open == 100; }));
    post(other, "/publish/200/2000");
    CHECK(eventually([&] { return watching.events() >= 20'000; }));
    CHECK(watching.events() == 20'000);
    CHECK(watching.ended() == 0);
    post(other, "/end/0");
    CHECK(eventually([&] { return watching.ended() == 100; }));
  }
}

TEST_CASE("gateway: a reader that does not keep up is cut off, others are not") {
  limits bounds;
  bounds.watch_backlog_bytes = 1 << 20;
  fixture f(bounds, 1);
  client slow(f.target()), other(f.target());
  int small = 4096;
  setsockopt(slow.socket(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  slow.send(watch_pods);
  bench::watcher watching(f.target(), "/api/v1/pods?watch=1", 1);
  REQUIRE(eventually([&] { return f.counts().watches_open == 2; }));
  // The first events end the time in which nothing counts; then more than sockets and bound can hold.
  std::uint64_t sent = 0;
  for (int round = 0; round < 400 && f.counts().watches_cut == 0; ++round) {
    post(other, "/publish/10/10000");
    sent += 10;
    REQUIRE(eventually([&] { return watching.events() >= sent; }));
  }
  CHECK(f.counts().watches_cut == 1);
  CHECK(eventually([&] { return f.seen->stops >= 1; }));
  CHECK(watching.ended() == 0);
}

TEST_CASE("gateway: tables are written by the renderer") {
  fixture f({}, 1, [](std::string& out, const gateway::watch_head& head, const api::watch_event& event) {
    out += head.first ? "first " : "then ";
    out += std::to_string(event.revision) + "\n";
  });
  client watching(f.target()), other(f.target());
  watching.send("GET /api/v1/pods?watch=1&table HTTP/1.1\r\nHost: h\r\n\r\n");
  REQUIRE(eventually([&] { return f.counts().watches_open == 1; }));
  post(other, "/publish/2/1");
  CHECK(watching.receive_line() == "first 1\n");
  CHECK(watching.receive_line() == "then 2\n");
}

TEST_CASE("gateway: watches end when the api_server is restarted") {
  fixture f;
  client watching(f.target());
  watching.send(watch_pods);
  REQUIRE(eventually([&] { return f.counts().watches_open == 1; }));
  f.crash("root/api");
  CHECK(watching.receive_line().empty());
  CHECK(watching.get("/x").code == 200);
}

TEST_CASE("gateway: a followed log is passed on as it comes") {
  fixture f;
  client watching(f.target()), other(f.target());
  watching.send("GET /api/v1/namespaces/a/pods/b/log?watch=follow HTTP/1.1\r\nHost: h\r\n\r\n");
  REQUIRE(eventually([&] { return f.counts().watches_open == 1; }));
  post(other, "/publish/2/3");
  CHECK(watching.receive_line() == "lll\n");
  CHECK(watching.receive_line() == "lll\n");
  post(other, "/end/410");
  CHECK(watching.receive_line().empty());
}
