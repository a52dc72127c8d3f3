// Connections: what bad and slow clients get, crashes and stops of the gateway itself.
#include <doctest/doctest.h>

#include <sys/socket.h>
#include <unistd.h>

#include "tests/actors/gateway/fixture.hpp"
#include "tests/bench/client/load.hpp"

using namespace troupe;
using namespace troupe::gateway::testing;
using troupe::bench::client;
using troupe::gateway::limits;

namespace {

/// Everything the server sends until it closes.
std::string read_plain(int socket) {
  std::string all;
  char buffer[4096];
  for (;;) {
    auto size = ::recv(socket, buffer, sizeof buffer, 0);
    if (size <= 0) return all;
    all.append(buffer, static_cast<std::size_t>(size));
  }
}

}  // namespace

TEST_CASE("gateway: plain HTTP on the TLS port gets Go's answer") {
  fixture f;
  int socket = bench::connect_plain(f.target(""));
  std::string text = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  ::send(socket, text.data(), text.size(), 0);
  CHECK(read_plain(socket) == "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
  ::close(socket);
}

TEST_CASE("gateway: malformed requests get 400 and the connection ends") {
  fixture f;
  for (std::string text : {"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                           "GET / HTTP/1.1\nHost: h\n\n", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: a\r\n\r\n"}) {
    CAPTURE(text);
    client c(f.target());
    c.send(text + "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
    auto answer = c.receive();
    CHECK(answer.code == 400);
    CHECK(answer.header("Connection") == "close");
    CHECK(c.receive_some().empty());
  }
  CHECK(f.seen->requests.empty());
  CHECK(f.counts().protocol_errors == 3);
}

TEST_CASE("gateway: slow clients are not waited for") {
  limits bounds;
  bounds.handshake = bounds.header_read = bounds.body_read = std::chrono::milliseconds(60);
  fixture f(bounds);
  SUBCASE("no handshake") {
    int socket = bench::connect_plain(f.target(""));
    CHECK(read_plain(socket).empty());
    ::close(socket);
    CHECK(f.counts().handshake_errors == 1);
  }
  SUBCASE("half a header") {
    client c(f.target());
    c.send("GET / HTTP/1.1\r\nHo");
    CHECK(c.receive().code == 408);
    CHECK(c.receive_some().empty());
  }
  SUBCASE("half a body") {
    client c(f.target());
    c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
    CHECK(c.receive().code == 408);
  }
  SUBCASE("an idle connection after its first request") {
    limits idle;
    idle.idle = std::chrono::milliseconds(60);
    fixture g(idle);
    client c(g.target());
    CHECK(c.get("/x").code == 200);
    CHECK(c.receive_some().empty());
  }
  CHECK(eventually([&] { return f.counts().connections_open == 0; }));
}

TEST_CASE("gateway: pipelined requests are answered in order") {
  fixture f;
  client c(f.target());
  std::string text;
  for (int i = 0; i < 50; ++i) text += "GET /size/" + std::to_string(i * 1000) + " HTTP/1.1\r\nHost: h\r\n\r\n";
  c.send(text);
  for (std::size_t i = 0; i < 50; ++i) CHECK(c.receive().body.size() == i * 1000);
}

TEST_CASE("gateway: Expect: 100-continue, chunked bodies, Connection: close") {
  fixture f;
  client c(f.target());
  c.send("POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
  CHECK(c.receive_some() == "HTTP/1.1 100 Continue\r\n\r\n");
  c.send("3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n");
  CHECK(c.receive().code == 200);
  CHECK(f.seen->last().body.view() == "abcde");
  c.send("GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  CHECK(c.receive().header("Connection") == "close");
  CHECK(c.receive_some().empty());
}

TEST_CASE("gateway: connections over the bound are closed") {
  limits bounds;
  bounds.connections = 3;
  fixture f(bounds, 1);
  client a(f.target()), b(f.target()), c(f.target());
  CHECK_THROWS(client(f.target()));
  CHECK(f.counts().refused == 1);
  CHECK(a.get("/x").code == 200);
}

TEST_CASE("gateway: a crashed loop comes back on the same port; the other one goes on") {
  fixture f;
  auto where = f.target();
  client a(where), b(where);
  CHECK(a.get("/x").code == 200);
  CHECK(b.get("/x").code == 200);
  f.crash("root/gateway-0");
  CHECK(eventually([&] { return f.counts().connections_open == 1; }));
  CHECK(a.get("/x").code == 200);  // one of them had to connect again
  CHECK(b.get("/x").code == 200);
  f.crash("root/gateway-1");
  CHECK(a.get("/x").code == 200);
  CHECK(b.get("/x").code == 200);
}

TEST_CASE("gateway: a stop answers what is open, ends watches in order and closes idle connections") {
  fixture f;
  client idle(f.target()), watching(f.target());
  CHECK(idle.get("/x").code == 200);
  watching.send("GET /api/v1/pods?watch=1 HTTP/1.1\r\nHost: h\r\n\r\n");
  REQUIRE(eventually([&] { return f.counts().watches_open == 1; }));
  CHECK(f.stop());
  CHECK(watching.receive_line().empty());
  CHECK(idle.receive_some().empty());
  CHECK(f.seen->stops == 1);
}

TEST_CASE("gateway: a flood of cancelled HTTP/2 streams ends the connection") {
  fixture f;
  // nghttp2's own client cannot be made to do it; the frames are written by hand.
  bench::tls_client tls(f.target(), true);
  SSL* raw = tls.connect();
  auto frame = [](std::uint8_t type, std::uint8_t flags, std::uint32_t stream, const std::string& payload) {
    std::string bytes;
    for (int shift : {16, 8, 0}) bytes += static_cast<char>(payload.size() >> shift);
    bytes += static_cast<char>(type);
    bytes += static_cast<char>(flags);
    for (int shift : {24, 16, 8, 0}) bytes += static_cast<char>(stream >> shift);
    return bytes + payload;
  };
  std::string all = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, "");
  // :method GET, :scheme https, :path /, :authority h
  std::string head = "\x82\x87\x84\x01\x01h";
  for (std::uint32_t id = 1; id < 6000; id += 2)
    all += frame(1, 5, id, head) + frame(3, 0, id, std::string("\0\0\0\x08", 4));
  std::string_view rest = all;
  while (!rest.empty()) {
    int size = SSL_write(raw, rest.data(), static_cast<int>(rest.size()));
    if (size <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(size));
  }
  char buffer[16384];
  while (SSL_read(raw, buffer, sizeof buffer) > 0) {
  }
  bench::tls_client::close(raw);
  CHECK(eventually([&] { return f.counts().connections_open == 0; }));
  CHECK(f.counts().requests.load() < 2000);
}
