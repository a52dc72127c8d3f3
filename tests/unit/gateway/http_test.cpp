// Dates, long-running requests, bodies on their way out, watch lines.
#include <doctest/doctest.h>

#include <random>
#include <string>

#include <zlib.h>

#include "actors/api_server/gateway/body_stream.hpp"
#include "actors/api_server/gateway/http.hpp"
#include "actors/api_server/gateway/watch_feed.hpp"
#include "messages/schema/schema.hpp"

using namespace troupe;
using namespace troupe::gateway;

namespace {

std::string unzip(const std::string& packed) {
  z_stream z{};
  REQUIRE(inflateInit2(&z, 15 + 16) == Z_OK);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  z.avail_in = static_cast<uInt>(packed.size());
  std::string plain;
  std::string buffer(65536, '\0');
  int outcome = Z_OK;
  while (outcome == Z_OK) {
    z.next_out = reinterpret_cast<Bytef*>(buffer.data());
    z.avail_out = static_cast<uInt>(buffer.size());
    outcome = inflate(&z, Z_NO_FLUSH);
    plain.append(buffer, 0, buffer.size() - z.avail_out);
  }
  CHECK(outcome == Z_STREAM_END);
  inflateEnd(&z);
  return plain;
}

object_ptr make_test_object(const std::string& json) {
  auto made = std::make_shared<object>();
  made->json = shared_bytes(json);
  return made;
}

api::watch_event added(const std::string& json) { return {api::event_type::added, make_test_object(json), 5, false}; }

std::string read_all(body_stream& body) {
  std::string out;
  while (auto size = body.available(1000)) body.read(out, std::min<std::size_t>(size, 1000));
  return out;
}

}  // namespace

TEST_CASE("http_date: known dates") {
  CHECK(http_date(784111777'000) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(http_date(1709164800'999) == "Thu, 29 Feb 2024 00:00:00 GMT");
  CHECK(http_date(4107542399'000) == "Sun, 28 Feb 2100 23:59:59 GMT");
  CHECK(http_date(4107542400'000) == "Mon, 01 Mar 2100 00:00:00 GMT");
}

TEST_CASE("is_long_running: watches, logs, exec and proxies") {
  auto judge = [](const char* target, api::method verb = api::method::get) {
    api::request call;
    call.verb = verb;
    call.target = target;
    return is_long_running(call);
  };
  CHECK(judge("/api/v1/pods?watch=true"));
  CHECK(judge("/api/v1/pods?limit=5&watch=1"));
  CHECK(judge("/api/v1/pods?watch"));
  CHECK(judge("/api/v1/watch/pods"));
  CHECK(judge("/api/v1/namespaces/a/pods/b/log?follow=true"));
  CHECK(judge("/api/v1/namespaces/a/pods/b/exec", api::method::post));
  CHECK_FALSE(judge("/api/v1/pods?watch=false"));
  CHECK_FALSE(judge("/api/v1/pods?xwatch=true"));
  CHECK_FALSE(judge("/api/v1/namespaces/a/pods?watch=true", api::method::post));
  CHECK_FALSE(judge("/api/v1/namespaces/a/configmaps/watch"));
}

TEST_CASE("body_stream: pieces come out whole, in any portions") {
  std::mt19937_64 random(3);
  for (int round = 0; round < 50; ++round) {
    body_stream body;
    std::string expected, got;
    for (int i = 0; i < 200; ++i) {
      std::string text(random() % 50, static_cast<char>('a' + i % 26));
      shared_bytes bytes("..." + text + "...");
      body.append(piece(bytes, 3, text.size()));
      expected += text;
      auto size = std::min<std::size_t>(random() % 60, body.size());
      body.read(got, size);
    }
    body.end();
    CHECK_FALSE((body.finished() && got.size() < expected.size()));
    body.read(got, body.size());
    CHECK(body.finished());
    CHECK(got == expected);
  }
}

TEST_CASE("gzip_source: what is packed in slices unpacks to the same") {
  for (std::size_t parts : {0, 1, 2, 700}) {
    std::vector<piece> pieces;
    std::string plain;
    for (std::size_t i = 0; i < parts; ++i) {
      std::string text = "{\"item\":" + std::to_string(i * 7919) + std::string(i * 13 % 900, 'x') + "}";
      plain += text;
      pieces.emplace_back(shared_bytes(text));
    }
    body_stream body;
    body.set_source(std::make_unique<gzip_source>(std::move(pieces)));
    auto packed = read_all(body);
    CHECK(body.finished());
    CHECK(unzip(packed) == plain);
  }
}

TEST_CASE("watch lines: events, bookmarks and errors as Kubernetes writes them") {
  std::string out;
  auto pods = resource_of("/api/v1/namespaces/default/pods?watch=1");
  append_event(out, pods, added("{\"kind\":\"Pod\"}"));
  CHECK(out == "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\"}}\n");
  out.clear();
  append_event(out, schema::no_index, {api::event_type::bookmark, nullptr, 77, true});
  CHECK(out ==
        "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"77\","
        "\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n");
  out.clear();
  append_error_event(out, make_status(reason::expired, "too old resource version: 1 (2)"));
  CHECK(out.starts_with("{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\""));
  CHECK(out.find("\"code\":410") != std::string::npos);
}

TEST_CASE("watch bookmarks: an empty object of the kind with its revision") {
  auto pods = resource_of("/api/v1/pods");
  REQUIRE(pods != schema::no_index);
  CHECK(resource_of("/api/v1/watch/namespaces/x/pods") == pods);
  CHECK(resource_of("/api/v1/namespaces/x/pods/y") == pods);
  CHECK(resource_of("/healthz") == schema::no_index);
  std::string out;
  append_event(out, pods, {api::event_type::bookmark, nullptr, 123, false});
  CHECK(out ==
        "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{"
        "\"resourceVersion\":\"123\"},\"spec\":{\"containers\":null},\"status\":{}}}\n");
  out.clear();
  auto deployments = resource_of("/apis/apps/v1/namespaces/x/deployments?watch=1");
  REQUIRE(deployments != schema::no_index);
  append_event(out, deployments, {api::event_type::bookmark, nullptr, 9, true});
  CHECK(out.find("\"kind\":\"Deployment\",\"apiVersion\":\"apps/v1\"") != std::string::npos);
  CHECK(out.find("\"k8s.io/initial-events-end\":\"true\"") != std::string::npos);
}

TEST_CASE("framed_batch: readers share parts; a last reader drops what is behind it") {
  auto events = std::make_shared<std::vector<api::watch_event>>();
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    std::string json = "{\"n\":" + std::to_string(i) + ",\"x\":\"" + std::string(3000, 'x') + "\"}";
    events->push_back(added(json));
    expected += "{\"type\":\"ADDED\",\"object\":" + json + "}\n";
  }
  auto batch = std::make_shared<framed_batch>(events, schema::no_index);
  CHECK(batch->bytes() > expected.size() - 10'000);
  body_stream first, second;
  for (auto* body : {&first, &second}) {
    auto source = std::make_unique<watch_source>(watch_head{}, nullptr);
    source->push(batch);
    source->finish({});
    body->set_source(std::move(source));
  }
  CHECK(batch->part(0, false).pointer() == batch->part(0, false).pointer());
  CHECK(read_all(first) == expected);
  batch.reset();
  CHECK(read_all(second) == expected);
  CHECK(first.finished());
}

TEST_CASE("watch_source: only events after the initial ones are backlog") {
  auto batch_of = [](bool end) {
    auto events = std::make_shared<std::vector<api::watch_event>>();
    events->push_back(added(std::string(1000, 'x')));
    if (end) events->push_back({api::event_type::bookmark, nullptr, 3, true});
    auto batch = std::make_shared<framed_batch>(events, schema::no_index);
    return batch;
  };
  watch_source source({}, nullptr);
  source.push(batch_of(false));
  CHECK(source.backlog() == 0);
  source.push(batch_of(true));
  CHECK(source.backlog() == 0);
  source.push(batch_of(false));
  CHECK(source.backlog() > 1000);
  body_stream body;
  for (int i = 0; i < 10; ++i) source.refill(body);
  CHECK(source.backlog() == 0);
}

TEST_CASE("watch_source: a renderer writes what is not plain JSON, column definitions with the first event") {
  event_renderer renderer = [](std::string& out, const watch_head& head, const api::watch_event&) {
    out += head.first ? "F\n" : "n\n";
  };
  watch_head head;
  head.format = api::watch_format::table;
  watch_source source(head, &renderer);
  auto events = std::make_shared<std::vector<api::watch_event>>(3, added("{}"));
  source.push_rendered(events, 0);
  source.push_rendered(events, 0);
  source.finish({});
  body_stream body;
  for (int i = 0; i < 5; ++i) source.refill(body);
  std::string out;
  body.read(out, body.size());
  CHECK(out == "F\nn\nn\nn\nn\nn\n");
  CHECK(body.finished());
}
