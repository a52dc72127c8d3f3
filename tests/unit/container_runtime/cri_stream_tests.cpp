// The client of a runtime's streaming server, against a server that is played by the test.
#include <doctest/doctest.h>

#include <string>

#include "actors/container_runtime/cri/streams/runtime_stream.hpp"

namespace stream_tests {

using namespace troupe;
using namespace troupe::cri;
using container::stream_kind;
using stream::channel;

namespace {

struct heard final : stream_events {
  std::string log;
  void on_opened() override { log += "opened;"; }
  void on_chunk(channel on, std::string_view data, bool end) override {
    log += std::to_string(static_cast<int>(on)) + ":" + std::string(data) + (end ? " end;" : ";");
  }
  void on_closed(const container::failure& why) override {
    log += why.ok() ? "closed;" : "closed: " + why.message + ";";
  }
};

/// What a server hears.
struct server : wire::spdy_sink {
  wire::spdy_encoder encoder;
  wire::spdy_decoder decoder{*this};
  std::string log;
  void on_stream(std::uint32_t id, const wire::spdy_headers& headers, bool) override {
    log += std::to_string(id);
    for (auto& [name, value] : headers) log += " " + name + "=" + value;
    log += ";";
  }
  void on_reply(std::uint32_t, bool) override {}
  void on_data(std::uint32_t id, std::string_view piece, bool fin) override {
    log += std::to_string(id) + ":" + std::string(piece) + (fin ? " fin;" : ";");
  }
  void on_reset(std::uint32_t id) override { log += "reset " + std::to_string(id) + ";"; }
  void on_ping(std::uint32_t id) override { log += "ping " + std::to_string(id) + ";"; }
  void on_goaway() override {}

  std::string hear(runtime_stream& from) {
    log.clear();
    CHECK(decoder.feed(std::exchange(from.outgoing, {})));
    return log;
  }
  /// In this order: they share the state of the compression.
  std::string replies(std::initializer_list<std::uint32_t> ids) {
    std::string out;
    for (auto id : ids) encoder.reply(out, id);
    return out;
  }
  std::string data(std::uint32_t id, std::string_view bytes, bool fin = false) {
    std::string out;
    encoder.data(out, id, bytes, fin);
    return out;
  }
};

container::open_stream order(stream_kind kind, bool input, bool tty) {
  return {7, kind, "c", {"sh"}, input, true, true, tty, kind == stream_kind::port_forward ? 8080 : 0};
}

const stream_place place = *parse_stream_url("http://127.0.0.1:4000/exec/token");
constexpr const char* accepted = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\n\r\n";

}  // namespace

TEST_CASE("streaming URLs") {
  CHECK(place.host == "127.0.0.1");
  CHECK(place.port == 4000);
  CHECK(place.path == "/exec/token");
  CHECK(parse_stream_url("http://[::1]:80/x?y=z")->host == "::1");
  CHECK(parse_stream_url("http://10.0.0.1:80")->path == "/");
  for (auto* bad : {"https://127.0.0.1:4000/x", "http://127.0.0.1/x", "http://:80/", "http://127.0.0.1:0/",
                    "http://127.0.0.1:99999/", "http://127.0.0.1:80/a b\r\n", "unix:///x", ""})
    CHECK_FALSE(parse_stream_url(bad));
}

TEST_CASE("a command with input, from the upgrade to its outcome") {
  heard h;
  server far;
  runtime_stream near(order(stream_kind::exec, true, false), place, h);
  CHECK(near.outgoing.starts_with("POST /exec/token HTTP/1.1\r\nHost: 127.0.0.1:4000\r\nConnection: Upgrade\r\n"));
  CHECK(near.outgoing.find("X-Stream-Protocol-Version: v4.channel.k8s.io\r\n") != std::string::npos);
  near.outgoing.clear();
  // The head may come in pieces, and frames right behind it.
  near.receive("HTTP/1.1 101 Switching");
  CHECK(near.outgoing.empty());
  near.receive(" Protocols\r\nUpgrade: SPDY/3.1\r\n\r\n" + far.replies({1}));
  CHECK(far.hear(near) == "1 streamtype=error;3 streamtype=stdin;5 streamtype=stdout;7 streamtype=stderr;");
  near.receive(far.replies({3, 5}));
  CHECK(h.log.empty());
  near.receive(far.replies({7}));
  CHECK(h.log == "opened;");
  h.log.clear();
  near.send({7, channel::input, shared_bytes(std::string("hello")), false});
  near.send({7, channel::input, {}, true});
  near.send({7, channel::input, shared_bytes(std::string("late")), false});
  near.send({7, channel::resize, shared_bytes(std::string("{}")), false});  // there is no terminal
  CHECK(far.hear(near) == "3:hello;3: fin;");
  near.receive(far.data(5, "out") + far.data(7, "err") + far.data(1, "{\"status\":\"Success\"}"));
  std::string resets;
  for (std::uint32_t id : {1, 5, 7}) far.encoder.reset(resets, id, wire::spdy_reset::cancel);
  near.receive(resets);
  CHECK(h.log == "1:out;2:err;3:{\"status\":\"Success\"};3: end;1: end;2: end;closed;");
  CHECK(near.over());
}

TEST_CASE("a terminal has one output and a size") {
  heard h;
  server far;
  runtime_stream near(order(stream_kind::exec, true, true), place, h);
  near.outgoing.clear();
  near.receive(accepted);
  CHECK(far.hear(near) == "1 streamtype=error;3 streamtype=stdin;5 streamtype=stdout;7 streamtype=resize;");
  near.receive(far.replies({1, 3, 5, 7}));
  near.send({7, channel::resize, shared_bytes(std::string("{\"Width\":80}")), false});
  CHECK(far.hear(near) == "7:{\"Width\":80};");
}

TEST_CASE("a connection to a port ends when both its streams do") {
  heard h;
  server far;
  runtime_stream near(order(stream_kind::port_forward, false, false), place, h);
  CHECK(near.outgoing.find("X-Stream-Protocol-Version: portforward.k8s.io\r\n") != std::string::npos);
  near.outgoing.clear();
  near.receive(accepted);
  CHECK(far.hear(near) == "1 streamtype=error port=8080 requestid=0;3 streamtype=data port=8080 requestid=0;");
  near.receive(far.replies({1, 3}));
  near.send({7, channel::input, shared_bytes(std::string(100'000, 'x')), true});
  CHECK(far.hear(near).size() == 100'000 + 4 * 3 + 4);  // frames of at most 32 KiB
  near.receive(far.data(3, "answer") + far.data(3, "", true));
  CHECK(h.log == "opened;1:answer;1: end;");
  near.receive(far.data(1, "", true));
  CHECK(h.log == "opened;1:answer;1: end;3: end;closed;");
}

TEST_CASE("what a port says before its streams are answered for is not lost") {
  heard h;
  server far;
  runtime_stream near(order(stream_kind::port_forward, false, false), place, h);
  near.outgoing.clear();
  near.receive(accepted);
  far.hear(near);
  near.receive(far.data(3, "first") + far.replies({1}) + far.data(3, "second"));
  CHECK(h.log.empty());
  SUBCASE("more follows") {
    near.receive(far.replies({3}) + far.data(3, "third"));
    CHECK(h.log == "opened;1:first;1:second;1:third;");
  }
  SUBCASE("that was all") {
    near.receive(far.data(1, "no such port", true) + far.data(3, "", true));
    CHECK(h.log.empty());
    near.receive(far.replies({3}));
    CHECK(h.log == "opened;1:first;1:second;3:no such port;3: end;1: end;closed;");
  }
  SUBCASE("the stream is refused") {
    std::string reset;
    far.encoder.reset(reset, 3, wire::spdy_reset::refused_stream);
    near.receive(reset);
    CHECK(h.log == "closed: the container runtime refused a stream;");
  }
  SUBCASE("no answer, but ever more") {
    std::string block(1 << 20, 'x');
    near.receive(far.data(3, block));
    CHECK(h.log == "closed: the container runtime does not open the stream;");
  }
}

TEST_CASE("what goes wrong says so, once") {
  auto ends_with = [](stream_kind kind, auto play, const char* log) {
    heard h;
    server far;
    runtime_stream near(order(kind, false, false), place, h);
    near.outgoing.clear();
    play(near, far);
    CHECK(h.log == log);
    CHECK(near.over());
    near.input_ended();
    near.receive("more");
    CHECK(h.log == log);
  };
  auto opened = [](runtime_stream& near, server& far) {
    near.receive(accepted);
    far.hear(near);
    near.receive(far.replies({1, 3, 5}));
  };
  ends_with(
      stream_kind::exec, [](auto& near, auto&) { near.receive("HTTP/1.1 404 Not Found\r\n\r\nno such token"); },
      "closed: the container runtime refused the stream: no such token;");
  ends_with(
      stream_kind::exec, [](auto& near, auto&) { near.receive("HTTP/1.1 500 Oh no\r\nA: b\r\n\r\n"); },
      "closed: the container runtime refused the stream: HTTP/1.1 500 Oh no;");
  ends_with(
      stream_kind::exec, [](auto& near, auto&) { near.receive(std::string(20'000, 'x')); },
      "closed: the container runtime's answer has no end;");
  ends_with(
      stream_kind::exec, [](auto& near, auto&) { near.input_ended("Connection refused"); },
      "closed: the container runtime ended the stream: Connection refused;");
  ends_with(
      stream_kind::exec,
      [&](auto& near, auto& far) {
        opened(near, far);
        near.receive("\x80\x01\x01\x01\x01\x01\x01\x01");
      },
      "opened;closed: the container runtime broke the SPDY protocol;");
  // A command whose outcome nobody tells has not succeeded; a port's connection may just end.
  ends_with(
      stream_kind::exec,
      [&](auto& near, auto& far) {
        opened(near, far);
        near.receive(far.data(3, "half"));
        near.input_ended();
      },
      "opened;1:half;closed: the container runtime ended the stream;");
  ends_with(
      stream_kind::port_forward,
      [&](auto& near, auto& far) {
        near.receive(accepted);
        far.hear(near);
        near.receive(far.replies({1, 3}));
        near.input_ended();
      },
      "opened;closed;");
}

TEST_CASE("a server that opens streams is refused them, pings are answered") {
  heard h;
  server far;
  runtime_stream near(order(stream_kind::exec, false, false), place, h);
  near.outgoing.clear();
  near.receive(accepted);
  far.hear(near);
  std::string wire;
  far.encoder.stream(wire, 2, {{"streamtype", "push"}});
  far.encoder.ping(wire, 4);
  near.receive(wire);
  CHECK(far.hear(near) == "reset 2;ping 4;");
  CHECK(h.log.empty());
}

}  // namespace stream_tests
