// The HTTP/1.1 parser: what it takes, what it refuses, and that arrival in pieces changes nothing.
#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "actors/api_server/gateway/h1_parser.hpp"

using namespace troupe;
using namespace troupe::gateway;

namespace {

struct parsed {
  int code = 0;  // of the failure; 0: complete or still waiting
  bool complete = false;
  std::size_t used = 0;
  http_request request;
};

/// Feeds the text cut at the given places.
parsed parse(const std::string& text, const std::vector<std::size_t>& cuts, const limits& bounds) {
  h1_parser parser(bounds);
  parsed out;
  std::size_t from = 0;
  auto feed = [&](std::size_t to) {
    while (from < to && !parser.complete() && !parser.failed()) {
      auto used = parser.feed(std::string_view(text).substr(from, to - from));
      from += used;
      out.used += used;
    }
  };
  for (auto cut : cuts) feed(cut);
  feed(text.size());
  out.complete = parser.complete();
  out.code = parser.failed() ? parser.failure().code : 0;
  out.request = std::move(parser.request());
  return out;
}

parsed parse(const std::string& text) { return parse(text, {}, limits()); }

std::string with_headers(const std::string& headers) { return "POST /x HTTP/1.1\r\nHost: h\r\n" + headers; }

struct table_row {
  const char* what;
  std::string text;
  int code;  // 0: complete
};

std::vector<table_row> table() {
  std::vector<table_row> rows{
      {"plain", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 0},
      {"one empty line first", "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 0},
      {"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"sized body", with_headers("Content-Length: 3\r\n\r\nabc"), 0},
      {"empty body", with_headers("Content-Length: 0\r\n\r\n"), 0},
      {"chunked body", with_headers("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), 0},
      {"chunk extension", with_headers("Transfer-Encoding: chunked\r\n\r\n3;a=b;c\r\nabc\r\n0;z\r\n\r\n"), 0},
      {"trailers", with_headers("Transfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\nX-A: b\r\n\r\n"), 0},
      {"absolute form", "GET http://h/x HTTP/1.1\r\nHost: h\r\n\r\n", 0},
      {"asterisk", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 0},
      {"1.0 without host", "GET / HTTP/1.0\r\n\r\n", 0},
      {"bytes above ASCII in a value", "GET / HTTP/1.1\r\nHost: h\r\nX: \xc3\xa4\r\n\r\n", 0},
      // Smuggling.
      {"conflicting lengths", with_headers("Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), 400},
      {"repeated length", with_headers("Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"), 400},
      {"length list", with_headers("Content-Length: 3, 3\r\n\r\nabc"), 400},
      {"signed length", with_headers("Content-Length: +3\r\n\r\nabc"), 400},
      {"hex length", with_headers("Content-Length: 0x3\r\n\r\nabc"), 400},
      {"empty length", with_headers("Content-Length:\r\n\r\n"), 400},
      {"huge length", with_headers("Content-Length: 99999999999999999999\r\n\r\n"), 400},
      {"length and chunked", with_headers("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400},
      {"chunked and length", with_headers("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"), 400},
      {"chunked twice", with_headers("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400},
      {"identity, chunked", with_headers("Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n"), 501},
      {"xchunked", with_headers("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), 501},
      {"chunked in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"space before colon", with_headers("Content-Length : 3\r\n\r\nabc"), 400},
      {"tab before colon", with_headers("Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"), 400},
      {"folded header", with_headers("X: a\r\n b\r\n\r\n"), 400},
      {"folded first header", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400},
      {"bare LF in request line", "GET / HTTP/1.1\nHost: h\r\n\r\n", 400},
      {"bare LF in header", "GET / HTTP/1.1\r\nHost: h\n\r\n", 400},
      {"bare LF at the end", "GET / HTTP/1.1\r\nHost: h\r\n\n", 400},
      {"bare CR in value", with_headers("X: a\rContent-Length: 5\r\n\r\n"), 400},
      {"NUL in value", with_headers(std::string("X: a\0b\r\n\r\n", 10)), 400},
      {"NUL in name", with_headers(std::string("X\0: a\r\n\r\n", 9)), 400},
      {"no colon", with_headers("nothing\r\n\r\n"), 400},
      {"empty name", with_headers(": a\r\n\r\n"), 400},
      {"two hosts", "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400},
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"chunk size missing", with_headers("Transfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n"), 400},
      {"chunk size with sign", with_headers("Transfer-Encoding: chunked\r\n\r\n-1\r\n"), 400},
      {"chunk size with 0x", with_headers("Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n"), 400},
      {"chunk size too wide", with_headers("Transfer-Encoding: chunked\r\n\r\n00000000000000003\r\nabc\r\n"), 400},
      {"chunk longer than it says", with_headers("Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n"), 400},
      {"chunk line with bare LF", with_headers("Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n"), 400},
      {"bad trailer", with_headers("Transfer-Encoding: chunked\r\n\r\n0\r\nbad trailer\r\n\r\n"), 400},
      // Request lines.
      {"two spaces", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"space in target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"no version", "GET /\r\nHost: h\r\n\r\n", 400},
      {"version 2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"lower case version", "GET / http/1.1\r\nHost: h\r\n\r\n", 400},
      {"bad method", "G(T / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"relative target", "GET x HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"unknown expectation", with_headers("Expect: more\r\n\r\n"), 417},
      // Bounds.
      {"long target", "GET /" + std::string(70'000, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
      {"long header", with_headers("X: " + std::string(70'000, 'a') + "\r\n\r\n"), 431},
      {"body over the bound", with_headers("Content-Length: 3145729\r\n\r\n"), 413},
      {"chunk over the bound", with_headers("Transfer-Encoding: chunked\r\n\r\n300001\r\n"), 413},
      {"chunk of 2^64-1", with_headers("Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nffffffffffffffff\r\n"), 413},
      {"long chunk extension", with_headers("Transfer-Encoding: chunked\r\n\r\n1;" + std::string(300, 'x') + "\r\n"),
       400},
  };
  std::string many;
  for (int i = 0; i < 300; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
  rows.push_back({"many headers", with_headers(many + "\r\n"), 431});
  std::string extensions;
  for (int i = 0; i < 2000; ++i) extensions += "1;" + std::string(200, 'x') + "\r\na\r\n";
  rows.push_back({"extensions without end", with_headers("Transfer-Encoding: chunked\r\n\r\n" + extensions), 431});
  return rows;
}

}  // namespace

TEST_CASE("h1_parser: table") {
  for (const auto& row : table()) {
    CAPTURE(row.what);
    auto got = parse(row.text);
    CHECK(got.code == row.code);
    CHECK(got.complete == (row.code == 0));
  }
}

TEST_CASE("h1_parser: byte by byte and in random pieces gives the same") {
  std::mt19937_64 random(7);
  for (const auto& row : table()) {
    CAPTURE(row.what);
    auto whole = parse(row.text);
    std::vector<std::size_t> every(row.text.size());
    for (std::size_t i = 0; i < every.size(); ++i) every[i] = i;
    std::vector<std::vector<std::size_t>> ways{every};
    for (int way = 0; way < 20; ++way) {
      std::vector<std::size_t> cuts;
      for (std::size_t at = 0; at < row.text.size(); at += 1 + random() % 40) cuts.push_back(at);
      ways.push_back(cuts);
    }
    for (const auto& cuts : ways) {
      auto got = parse(row.text, cuts, limits());
      CHECK(got.code == whole.code);
      CHECK(got.complete == whole.complete);
      CHECK(got.request.body == whole.request.body);
      CHECK(got.request.call.target == whole.request.call.target);
      if (whole.complete) CHECK(got.used == whole.used);
    }
  }
}

TEST_CASE("h1_parser: mutated requests never crash and never stall") {
  std::mt19937_64 random(11);
  auto rows = table();
  for (int round = 0; round < 5000; ++round) {
    auto text = rows[random() % 40].text;
    for (int change = 0; change < 3; ++change) {
      auto at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 4);
          break;
        default:
          text.insert(at, 1, "\r\n :;0a"[random() % 7]);
      }
      if (text.empty()) text = "G";
    }
    auto got = parse(text);
    // What is complete obeyed its own framing.
    if (got.complete && got.request.content_length) CHECK(got.request.body.size() == *got.request.content_length);
    if (!got.complete && got.code == 0) CHECK(got.used == text.size());
  }
}

TEST_CASE("h1_parser: fields of a request") {
  auto got = parse(
      "PATCH /api/v1/pods/x?fieldManager=a HTTP/1.1\r\nhOST: h\r\nACCEPT: application/json\r\nAccept: text/plain\r\n"
      "User-Agent: kubectl/v1\r\nContent-Type:  application/merge-patch+json \r\nAuthorization: Bearer t\r\n"
      "Impersonate-User: jane\r\nImpersonate-Group: a\r\nImpersonate-Group: b\r\nAccept-Encoding: deflate, "
      "gzip;q=0.5\r\n"
      "Cookie: no\r\nX-Remote-User: root\r\nAudit-ID: abc\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n{}GET /");
  REQUIRE(got.complete);
  const auto& call = got.request.call;
  CHECK(call.verb == api::method::patch);
  CHECK(call.target == "/api/v1/pods/x?fieldManager=a");
  CHECK(call.accept == "application/json, text/plain");
  CHECK(call.user_agent == "kubectl/v1");
  CHECK(call.content_type == "application/merge-patch+json");
  CHECK(got.request.body == "{}");
  CHECK(got.request.expects_continue);
  CHECK(got.request.accepts_gzip);
  CHECK(got.request.audit_id == "abc");
  std::vector<std::pair<std::string, std::string>> passed{{"authorization", "Bearer t"},
                                                          {"impersonate-user", "jane"},
                                                          {"impersonate-group", "a"},
                                                          {"impersonate-group", "b"},
                                                          {"accept-encoding", "deflate, gzip;q=0.5"}};
  CHECK(call.headers == passed);
}

TEST_CASE("h1_parser: keep-alive") {
  auto keeps = [](const std::string& version, const std::string& header) {
    return parse("GET / " + version + "\r\nHost: h\r\n" + header + "\r\n").request.keep_alive;
  };
  CHECK(keeps("HTTP/1.1", ""));
  CHECK_FALSE(keeps("HTTP/1.1", "Connection: Close\r\n"));
  CHECK_FALSE(keeps("HTTP/1.1", "Connection: upgrade, close\r\n"));
  CHECK_FALSE(keeps("HTTP/1.0", ""));
  CHECK(keeps("HTTP/1.0", "Connection: keep-alive\r\n"));
}

TEST_CASE("h1_parser: pipelined requests come out one by one") {
  limits bounds;
  h1_parser parser(bounds);
  std::string text =
      "GET /a HTTP/1.1\r\nHost: h\r\n\r\nPOST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nxGET /c "
      "HTTP/1.1\r\nHost: h\r\n\r\n";
  std::string_view rest = text;
  std::vector<std::string> targets;
  while (!rest.empty()) {
    rest.remove_prefix(parser.feed(rest));
    REQUIRE(parser.complete());
    targets.push_back(parser.request().call.target);
    parser.reset();
  }
  CHECK(targets == std::vector<std::string>{"/a", "/b", "/c"});
}

TEST_CASE("h1_parser: a chunked body of usual chunks is not bounded by the header limit") {
  std::string body, text = with_headers("Transfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 20'000; ++i) {
    text += "10;x\r\n0123456789abcdef\r\n";
    body += "0123456789abcdef";
  }
  auto got = parse(text + "0\r\n\r\n");
  REQUIRE(got.complete);
  CHECK(got.request.body == body);
}
