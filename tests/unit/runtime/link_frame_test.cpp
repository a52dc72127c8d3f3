// The link's framing, wire forms and judgement of peers: no sockets.
#include <doctest/doctest.h>

#include <set>
#include <string>

#include "messages/schema/schema.hpp"
#include "runtime/link/backoff.hpp"
#include "runtime/link/identity.hpp"
#include "runtime/link/wire.hpp"

using namespace troupe;
using namespace troupe::link;

namespace {

object_ptr config_map(const std::string& metadata_rest, const std::string& data, std::uint64_t revision = 7) {
  auto resource = schema::find_resource("", "v1", "configmaps");
  auto json = R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{)" + metadata_rest + R"(},"data":)" + data + "}";
  auto made = make_object(resource, json, revision, 3);
  REQUIRE(made);
  return *made;
}

frame_reader open_reader(side here, std::size_t cap) {
  frame_reader reader(here, cap);
  reader.open();
  return reader;
}

}  // namespace

TEST_CASE("frames come out as they went in, however the bytes are cut") {
  std::string bytes = encode_frame(frame_kind::request, "first") + encode_frame(frame_kind::ping, "") +
                      encode_frame(frame_kind::watch_stop, std::string(70'000, 'x'));
  for (std::size_t cut : {std::size_t{1}, std::size_t{3}, std::size_t{4096}, bytes.size()}) {
    auto reader = open_reader(side::control_plane, 100'000);
    std::vector<frame> out;
    for (std::size_t at = 0; at < bytes.size(); at += cut) {
      reader.add(std::string_view(bytes).substr(at, cut));
      for (;;) {
        auto next = reader.next();
        REQUIRE(next);
        if (!*next) break;
        out.push_back(std::move(**next));
      }
    }
    REQUIRE(out.size() == 3);
    CHECK(out[0].kind == frame_kind::request);
    CHECK(out[0].payload == "first");
    CHECK(out[1].kind == frame_kind::ping);
    CHECK(out[2].payload.size() == 70'000);
    CHECK(reader.held() == 0);
  }
}

TEST_CASE("a frame that is too large is refused by its header, before its payload comes") {
  auto reader = open_reader(side::control_plane, 1000);
  auto huge = encode_frame(frame_kind::request, std::string(1001, 'x'));
  reader.add(std::string_view(huge).substr(0, frame_header_bytes));
  auto next = reader.next();
  REQUIRE(!next);
  CHECK(next.error().message == "request frame of 1001 bytes exceeds 1000");
}

TEST_CASE("the largest size a header can name makes the reader hold nothing") {
  auto reader = open_reader(side::control_plane, 1000);
  reader.add(std::string_view("\xff\xff\xff\xff\x0a", 5));
  CHECK(!reader.next());
  CHECK(reader.held() == 5);
}

TEST_CASE("each end takes only the kinds that are meant for it") {
  for (auto kind :
       {frame_kind::response, frame_kind::watch_delivery, frame_kind::read_log, frame_kind::log_more,
        frame_kind::open_stream, frame_kind::stream_input, frame_kind::output_credit, frame_kind::stream_close}) {
    CHECK(!may_receive(side::control_plane, kind));
    CHECK(may_receive(side::node, kind));
  }
  for (auto kind : {frame_kind::request, frame_kind::watch_stop, frame_kind::log_chunk, frame_kind::stream_opened,
                    frame_kind::stream_output, frame_kind::input_credit, frame_kind::stream_closed}) {
    CHECK(may_receive(side::control_plane, kind));
    CHECK(!may_receive(side::node, kind));
  }
  // All other bytes there are: BASP's headers, whatever its version, among them.
  for (int byte = 0; byte < 256; ++byte) {
    auto kind = static_cast<frame_kind>(byte);
    if (!kind_name(kind).empty()) continue;
    CHECK(!may_receive(side::control_plane, kind));
    CHECK(!may_receive(side::node, kind));
  }
}

TEST_CASE("before the greeting only a small hello is read") {
  frame_reader early(side::control_plane, 1 << 20);
  early.add(encode_frame(frame_kind::request, "x"));
  auto next = early.next();
  REQUIRE(!next);
  CHECK(next.error().message == "frame not allowed here: request");

  frame_reader large(side::control_plane, 1 << 20);
  large.add(encode_frame(frame_kind::hello, std::string(5000, 'x')));
  CHECK(!large.next());

  frame_reader twice(side::control_plane, 1 << 20);
  twice.add(encode_frame(frame_kind::hello, "x") + encode_frame(frame_kind::hello, "x"));
  CHECK(twice.next());
  twice.open();
  CHECK(!twice.next());
}

TEST_CASE("only a node's certificate opens a link, and names one node") {
  auto name = [](std::string common_name, std::vector<std::string> groups) {
    auto node = node_of({std::move(common_name), std::move(groups), 0});
    return node ? *node : std::string();
  };
  CHECK(name("system:node:worker-1", {"system:nodes"}) == "worker-1");
  CHECK(name("system:node:a.b-c.example", {"system:nodes"}) == "a.b-c.example");
  CHECK(name("kubernetes-admin", {"system:masters"}).empty());
  CHECK(name("system:node:worker-1", {}).empty());
  CHECK(name("system:node:worker-1", {"system:masters"}).empty());
  CHECK(name("system:node:worker-1", {"system:nodes", "system:masters"}).empty());
  CHECK(name("system:kube-scheduler", {"system:nodes"}).empty());
  CHECK(name("kube-apiserver", {}).empty());
  for (const char* bad : {"", "-a", "a-", "a..b", ".a", "A", "a/b", "a:b", "a b", "a.-b", "a-.b"})
    CHECK_MESSAGE(name(std::string("system:node:") + bad, {"system:nodes"}).empty(), bad);
}

TEST_CASE("a node takes nobody but the control plane for it") {
  CHECK(judge_control_plane({"kube-apiserver", {}, 0}).ok());
  CHECK(!judge_control_plane({"system:node:other", {"system:nodes"}, 0}).ok());
}

TEST_CASE("bytes that claim more than they hold are refused before they are decoded") {
  api::request asked;
  std::string claims("\xdd\xff\xff\xff\xff", 5);  // an array of four thousand million elements
  CHECK(!decode(claims, asked));
  CHECK(!decode(std::string("\xdf\xff\xff\xff\xff", 5), asked));  // a map
  CHECK(!decode(std::string("\xc6\xff\xff\xff\xff", 5), asked));  // bytes
  CHECK(!decode(std::string(100'000, '\x91'), asked));            // depth
  CHECK(!decode(std::string(1 << 20, '\x90'), asked));            // many values behind each other
  CHECK(!decode(std::string(), asked));
  std::string many("\xdd\x00\x10\x00\x00", 5);
  CHECK(!within(many + std::string(1 << 20, '\x01'), {20'000, 12}));  // many values in one
}

TEST_CASE("a request survives the wire") {
  api::request asked;
  asked.id = 9;
  asked.verb = api::method::patch;
  asked.target = "/api/v1/nodes/a/status";
  asked.content_type = "application/merge-patch+json";
  asked.body = shared_bytes(std::string(100'000, 'b'));
  api::request read;
  REQUIRE(decode(to_msgpack(asked), read));
  CHECK(read.id == 9);
  CHECK(read.verb == api::method::patch);
  CHECK(read.target == asked.target);
  CHECK(read.body == asked.body);
  CHECK(!read.user);
}

TEST_CASE("an answer's object survives the wire, its body too") {
  for (bool same : {true, false}) {
    auto made = config_map(R"("name":"a","namespace":"n","uid":"u","labels":{"k":"v"})",
                           R"({"x":"\"resourceVersion\":\"9\""})");
    api::response answer;
    answer.id = 4;
    answer.object = made;
    answer.revision = 7;
    answer.body.emplace_back(same ? made->json : shared_bytes(std::string("{}")));
    api::response read;
    REQUIRE(decode(encode(answer), read));
    REQUIRE(read.object);
    CHECK(read.object->json == made->json);
    CHECK(read.object->resource == made->resource);
    CHECK(read.object->revision == 7);
    CHECK(read.object->created == 3);
    CHECK(read.object->name == "a");
    CHECK(read.object->uid == "u");
    REQUIRE(read.object->label("k"));
    REQUIRE(read.body.size() == 1);
    CHECK(read.body[0].view() == answer.body[0].view());
    CHECK(read.error.ok());
  }
  api::response failed;
  failed.error = not_found("", "pods", "x");
  failed.code = failed.error.code;
  api::response read;
  REQUIRE(decode(encode(failed), read));
  CHECK(read.error.message == "pods \"x\" not found");
  CHECK(!read.object);
}

TEST_CASE("resourceVersion is the object's, wherever it stands in metadata") {
  for (const char* metadata : {R"("name":"a")", R"("name":"a","labels":{"x":"y"})", R"("labels":{"x":"y"})", ""}) {
    auto made = config_map(metadata, "{}");
    api::response answer;
    answer.object = made;
    api::response read;
    REQUIRE(decode(encode(answer), read));
    CHECK(read.object->json == made->json);
  }
}

TEST_CASE("a large delivery is cut into slices that keep the order of events") {
  auto events = std::make_shared<std::vector<api::watch_event>>();
  for (std::uint64_t i = 1; i <= 50; ++i)
    events->push_back(
        {api::event_type::added,
         config_map("\"name\":\"m" + std::to_string(i) + "\"", "{\"k\":\"" + std::string(5000, 'x') + "\"}", i), i,
         false});
  events->push_back({api::event_type::bookmark, nullptr, 51, true});
  api::watch_delivery delivery;
  api::watch_batch batch;
  batch.watch_id = 5;
  batch.events = events;
  batch.closed = true;
  delivery.batches.push_back(batch);
  auto slices = encode(delivery, 20'000);
  CHECK(slices.size() > 10);
  std::uint64_t last = 0;
  bool closed = false;
  for (const auto& slice : slices) {
    CHECK(slice.size() < 30'000);
    CHECK(!closed);
    api::watch_delivery read;
    REQUIRE(decode(slice, read));
    for (const auto& one : read.batches) {
      CHECK(one.watch_id == 5);
      for (const auto& event : *one.events) {
        CHECK(event.revision == last + 1);
        last = event.revision;
      }
      closed = one.closed;
    }
  }
  CHECK(last == 51);
  CHECK(closed);
}

TEST_CASE("the wait before dialing again doubles to its cap and is spread") {
  CHECK(backoff_ms(1, 200, 5000, 0) == 100);
  CHECK(backoff_ms(1, 200, 5000, 100) == 200);
  CHECK(backoff_ms(3, 200, 5000, 0) == 400);
  std::set<std::uint64_t> seen;
  for (std::uint64_t random = 0; random < 10'000; random += 7) {
    auto wait = backoff_ms(50, 200, 5000, random);
    CHECK(wait >= 2500);
    CHECK(wait <= 5000);
    seen.insert(wait);
  }
  CHECK(seen.size() > 1000);
}
