// Requests and answers over real TLS: both protocols, identities, bounds.
#include <doctest/doctest.h>

#include <set>

#include <zlib.h>

#include "tests/actors/gateway/fixture.hpp"
#include "tests/bench/client/load.hpp"

using namespace troupe;
using namespace troupe::gateway::testing;
using troupe::bench::client;
using troupe::gateway::limits;

namespace {

bench::request request_of(std::string method, std::string path, std::string body = {}, std::string headers = {}) {
  bench::request made;
  made.method = std::move(method);
  made.path = std::move(path);
  made.body = std::move(body);
  made.headers = std::move(headers);
  return made;
}

pki::subject client_certificate(std::int64_t begins, std::int64_t seconds) {
  pki::subject who;
  who.common_name = "jane";
  who.client = true;
  who.not_before = static_cast<std::int64_t>(std::time(nullptr)) + begins;
  who.valid_seconds = seconds;
  return who;
}

}  // namespace

TEST_CASE("gateway: a request with a client certificate reaches the api_server with user and groups") {
  fixture f;
  client c(f.target("jane", {"dev", "ops"}));
  auto answer = c.call(request_of("POST", "/api/v1/namespaces/default/pods?dryRun=All", "{\"kind\":\"Pod\"}",
                                  "Impersonate-User: joe\r\nAudit-ID: my-audit\r\n"));
  CHECK(answer.code == 200);
  CHECK(answer.body == "{}");
  CHECK(answer.header("Content-Type") == "application/json");
  CHECK(answer.header("Audit-Id") == "my-audit");
  CHECK(answer.header("Cache-Control") == "no-cache, private");
  CHECK(answer.header("Date").ends_with(" GMT"));
  auto call = f.seen->last();
  CHECK(call.verb == api::method::post);
  CHECK(call.target == "/api/v1/namespaces/default/pods?dryRun=All");
  CHECK(call.body.view() == "{\"kind\":\"Pod\"}");
  CHECK(call.content_type == "application/json");
  CHECK(call.user_agent == "troupe-bench/1");
  REQUIRE(call.user);
  CHECK(call.user->name == "jane");
  CHECK(call.user->groups == std::vector<std::string>{"dev", "ops"});
  CHECK(call.auth_error.empty());
  using headers = std::vector<std::pair<std::string, std::string>>;
  CHECK(call.headers == headers{{"impersonate-user", "joe"}});
  // The same connection goes on, with the same user object.
  c.get("/x");
  CHECK(f.seen->last().user == call.user);
  CHECK(f.counts().accepted == 1);
}

TEST_CASE("gateway: without a certificate nobody is authenticated") {
  fixture f;
  client c(f.target(""));
  CHECK(c.get("/x").code == 200);
  CHECK_FALSE(f.seen->last().user);
  CHECK(f.seen->last().auth_error.empty());
}

TEST_CASE("gateway: a bad certificate does not break the handshake; the request says what is wrong") {
  fixture f;
  auto error_for = [&](const bench::target& where) {
    client c(where);
    CHECK(c.get("/x").code == 200);
    CHECK_FALSE(f.seen->last().user);
    return f.seen->last().auth_error;
  };
  CHECK(error_for(f.target_of(client_certificate(-60, 3600), true)) == "x509: certificate signed by unknown authority");
  CHECK(error_for(f.target_of(client_certificate(-7200, 3600))) == "x509: certificate has expired or is not yet valid");
  CHECK(error_for(f.target_of(client_certificate(7200, 3600))) == "x509: certificate has expired or is not yet valid");
  auto server_only = client_certificate(-60, 3600);
  server_only.client = false;
  server_only.server = true;
  CHECK(error_for(f.target_of(server_only)) == "x509: certificate specifies an incompatible key usage");
}

TEST_CASE("gateway: a bad certificate comes before a body that is too large") {
  fixture f;
  client c(f.target_of(client_certificate(-60, 3600), true));
  auto answer = c.call(request_of("POST", "/x", std::string(4 << 20, 'x')));
  CHECK(answer.code == 200);  // the scripted answer: the pipeline was asked
  CHECK_FALSE(f.seen->last().auth_error.empty());
}

TEST_CASE("gateway: HEAD, answers without body, header names as Go writes them") {
  fixture f;
  client c(f.target());
  auto head = c.call(request_of("HEAD", "/size/5000"));
  CHECK(head.code == 200);
  CHECK(head.header("Content-Length") == "5000");
  auto none = c.call(request_of("GET", "/code/204"));
  CHECK(none.code == 204);
  CHECK(none.head.find("Content-Length") == std::string::npos);
  CHECK(none.head.find("X-Test: yes\r\n") != std::string::npos);
  CHECK(c.get("/code/404").code == 404);
  CHECK(f.counts().accepted == 1);
}

TEST_CASE("gateway: large answers of many pieces arrive whole") {
  fixture f;
  client c(f.target());
  for (std::size_t size : {0UL, 1UL, 16384UL, 1'000'000UL, 20'000'000UL}) {
    auto answer = c.get("/size/" + std::to_string(size));
    CHECK(answer.body.size() == size);
    CHECK(answer.body.find_first_not_of('j') == std::string::npos);
  }
}

TEST_CASE("gateway: gzip for large answers, if the client takes it") {
  fixture f;
  client c(f.target());
  auto packed = c.call(request_of("GET", "/size/300000", "", "Accept-Encoding: gzip\r\n"));
  CHECK(packed.header("Content-Encoding") == "gzip");
  CHECK(packed.header("Vary") == "Accept-Encoding");
  CHECK(packed.body.size() < 10'000);
  uLongf size = 400'000;
  std::string plain(size, '\0');
  z_stream z{};
  REQUIRE(inflateInit2(&z, 15 + 16) == Z_OK);
  z.next_in = reinterpret_cast<Bytef*>(packed.body.data());
  z.avail_in = static_cast<uInt>(packed.body.size());
  z.next_out = reinterpret_cast<Bytef*>(plain.data());
  z.avail_out = static_cast<uInt>(size);
  CHECK(inflate(&z, Z_FINISH) == Z_STREAM_END);
  CHECK(z.total_out == 300'000);
  inflateEnd(&z);
  CHECK(c.call(request_of("GET", "/size/1000", "", "Accept-Encoding: gzip\r\n")).header("Content-Encoding").empty());
  CHECK(c.get("/size/300000").header("Content-Encoding").empty());
}

TEST_CASE("gateway: a body over the limit gets 413 with a Status the client can read") {
  fixture f;
  client c(f.target());
  auto answer = c.call(request_of("POST", "/x", std::string(4 << 20, 'x')));
  CHECK(answer.code == 413);
  CHECK(answer.header("Connection") == "close");
  CHECK(answer.body.find("Request entity too large: limit is 3145728") != std::string::npos);
  CHECK(answer.body.find("\"reason\":\"RequestEntityTooLarge\"") != std::string::npos);
  CHECK(f.seen->requests.empty());
  CHECK(c.call(request_of("POST", "/x", std::string(3 << 20, 'x'))).code == 200);
}

TEST_CASE("gateway: HTTP/2 with many streams, bodies both ways") {
  fixture f;
  bench::load what;
  what.h2 = true;
  what.connections = 4;
  what.streams = 20;
  what.requests = 2000;
  what.make = [](std::uint64_t n, bench::request& r) {
    r.method = n % 2 ? "POST" : "GET";
    r.path = "/size/" + std::to_string(n % 3 * 20'000);
    if (n % 2) r.body = std::string(n % 5 * 10'000, 'b');
  };
  std::size_t bytes = 0;
  what.seen = [&](int, std::size_t body) { bytes += body; };
  auto result = bench::run(f.target(), what);
  CHECK(result.answers == 2000);
  CHECK(result.failures == 0);
  CHECK(bytes == 667 * 20'000 + 666 * 40'000);  // n % 3 == 1 and n % 3 == 2 of 2,000
  CHECK(f.counts().requests == 2000);
  CHECK(f.seen->last().user->name == "jane");
}

TEST_CASE("gateway: HTTP/2 refuses a large body and keeps the connection") {
  fixture f;
  bench::load what;
  what.h2 = true;
  what.connections = 1;
  what.requests = 5;
  std::vector<int> codes;
  what.make = [](std::uint64_t n, bench::request& r) {
    r.method = "POST";
    r.path = "/x";
    r.body = std::string(n == 1 ? 4 << 20 : 10, 'b');
  };
  what.seen = [&](int code, std::size_t) { codes.push_back(code); };
  bench::run(f.target(), what);
  CHECK(codes == std::vector<int>{200, 413, 200, 200, 200});
  CHECK(f.counts().accepted == 1);
}

TEST_CASE("gateway: 100 connections at once, shared between the loops") {
  fixture f;
  bench::load what;
  what.connections = 100;
  what.requests = 3000;
  what.make = [](std::uint64_t, bench::request& r) { r.path = "/size/4096"; };
  auto result = bench::run(f.target(), what);
  CHECK(result.answers == 3000);
  std::set<std::string> ids;
  CHECK(f.counts().read_only_in_flight == 0);
}

TEST_CASE("gateway: out of in-flight places answers 429 as kube-apiserver does; masters are always served") {
  limits bounds;
  bounds.read_only_in_flight = 2;
  bounds.drain = std::chrono::milliseconds(50);
  fixture f(bounds);
  client first(f.target()), second(f.target()), third(f.target());
  first.send("GET /never HTTP/1.1\r\nHost: h\r\n\r\n");
  second.send("GET /never HTTP/1.1\r\nHost: h\r\n\r\n");
  REQUIRE(eventually([&] { return f.seen->unanswered == 2; }));
  auto refused = third.get("/x");
  CHECK(refused.code == 429);
  CHECK(refused.header("Retry-After") == "1");
  CHECK(refused.header("Content-Type") == "text/plain; charset=utf-8");
  CHECK(refused.body == "Too many requests, please try again later.\n");
  CHECK(third.call(request_of("POST", "/x", "{}")).code == 200);  // writes have places of their own
  client master(f.target("admin", {"system:masters"}));
  CHECK(master.get("/x").code == 200);
  // A client that goes does not free its place: the api_server is still at work.
  first.disconnect();
  CHECK(third.get("/x").code == 429);
}

TEST_CASE("gateway: an api_server that does not answer gives 504; one that crashes 503 for reads") {
  limits bounds;
  bounds.response = std::chrono::milliseconds(100);
  fixture f(bounds);
  client c(f.target());
  auto late = c.get("/never");
  CHECK(late.code == 504);
  CHECK(late.body.find("\"reason\":\"Timeout\"") != std::string::npos);
  CHECK(f.counts().read_only_in_flight == 0);
}

TEST_CASE("gateway: when the api_server is restarted open requests fail at once") {
  fixture f;
  client reader(f.target()), writer(f.target());
  reader.send("GET /never HTTP/1.1\r\nHost: h\r\n\r\n");
  writer.send("DELETE /never HTTP/1.1\r\nHost: h\r\n\r\n");
  REQUIRE(eventually([&] { return f.seen->unanswered == 2; }));
  f.crash("root/api");
  auto read = reader.receive();
  CHECK(read.code == 503);
  CHECK(read.header("Retry-After") == "1");
  auto written = writer.receive();
  CHECK(written.code == 504);
  CHECK(written.header("Retry-After").empty());
  CHECK(reader.get("/x").code == 200);
}
