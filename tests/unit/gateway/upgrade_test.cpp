// Upgrades and what is spoken after them, against a container's end that is played by the test.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "actors/api_server/gateway/h1_parser.hpp"
#include "actors/api_server/gateway/upgraded.hpp"
#include "runtime/wire/spdy.hpp"

namespace upgrade_tests {

using namespace troupe;
using namespace troupe::gateway;
using stream::channel;

namespace {

constexpr std::uint64_t session = 5ull << stream::connection_bits;

/// Writes down what goes to the container's end.
struct container_end : stream_port {
  std::string log;
  std::uint64_t credit = 0;
  void pass(stream::chunk&& what) override {
    log += std::to_string(what.id - session) + "/" + std::to_string(static_cast<int>(what.on)) + ":" +
           std::string(what.data.view()) + (what.end ? " end;" : ";");
  }
  void pass(const stream::credit& what) override { credit += what.bytes; }
  void pass(const stream::connect& what) override {
    log += "connect " + std::to_string(what.id - session) + " to " + std::to_string(what.port) + ";";
  }
  void pass(const stream::close& what) override { log += "close " + std::to_string(what.id - session) + ";"; }
};

std::string frame(unsigned first, std::string_view payload) {
  std::string out(1, static_cast<char>(first));
  auto size = payload.size();
  if (size < 126) {
    out += static_cast<char>(0x80 | size);
  } else {
    out += static_cast<char>(0xfe);
    out += static_cast<char>(size >> 8 & 0xff);
    out += static_cast<char>(size & 0xff);
  }
  std::string key = "\x37\xfa\x21\x3d";
  out += key;
  for (std::size_t i = 0; i < size; ++i) out += static_cast<char>(payload[i] ^ key[i % 4]);
  return out;
}
std::string message(std::string_view payload) { return frame(0x82, payload); }

/// The payloads of a server's frames; "close N" for a close frame, "pong" for a pong.
std::vector<std::string> payloads(std::string_view wire) {
  std::vector<std::string> out;
  while (!wire.empty()) {
    auto opcode = wire[0] & 0x0f;
    std::size_t size = static_cast<unsigned char>(wire[1]), at = 2;
    if (size == 126) {
      size = static_cast<std::size_t>(static_cast<unsigned char>(wire[2])) << 8 | static_cast<unsigned char>(wire[3]);
      at = 4;
    }
    auto payload = wire.substr(at, size);
    if (opcode == 8)
      out.push_back("close " + std::to_string(static_cast<unsigned char>(payload[0]) << 8 |
                                              static_cast<unsigned char>(payload[1])));
    else
      out.emplace_back(opcode == 10 ? "pong" + std::string(payload) : std::string(payload));
    wire.remove_prefix(at + size);
  }
  return out;
}

std::string all_of(upgraded& from) {
  std::string out;
  for (std::string piece; from.fill(piece, 1 << 30), !piece.empty(); piece.clear()) out += piece;
  return out;
}

stream::chunk chunk(channel on, std::string text, std::uint64_t id = session) {
  return {id, on, shared_bytes(std::move(text)), false};
}

http_request parsed(const std::string& text) {
  static const limits bounds;
  h1_parser parser(bounds);
  parser.feed(text);
  REQUIRE(parser.complete());
  return std::move(parser.request());
}

std::string websocket(const std::string& target, const std::string& protocols) {
  return "GET " + target +
         " HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: " +
         protocols + "\r\n\r\n";
}
std::string spdy(const std::string& target, const std::string& protocols) {
  return "POST " + target + " HTTP/1.1\r\nHost: h\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\n" + protocols +
         "Content-Length: 0\r\n\r\n";
}

/// Frames in this order: what makes them shares the state of their compression.
std::string joined(std::initializer_list<std::string> frames) {
  std::string out;
  for (auto& one : frames) out += one;
  return out;
}

constexpr const char* exec_target = "/api/v1/namespaces/n/pods/p/exec?command=sh&stdin=true&stdout=true&stderr=true";
constexpr const char* forward_target = "/api/v1/namespaces/n/pods/p/portforward";

upgrade_choice channels(const char* version) {
  return {dialect::channels, std::string(version) + ".channel.k8s.io", "accept"};
}

/// What a SPDY client hears.
struct spdy_client : wire::spdy_sink {
  wire::spdy_encoder encoder;
  wire::spdy_decoder decoder{*this};
  std::string log;
  void on_stream(std::uint32_t, const wire::spdy_headers&, bool) override { log += "stream;"; }
  void on_reply(std::uint32_t id, bool) override { log += "reply " + std::to_string(id) + ";"; }
  void on_data(std::uint32_t id, std::string_view piece, bool fin) override {
    log += std::to_string(id) + ":" + std::string(piece) + (fin ? " fin;" : ";");
  }
  void on_reset(std::uint32_t id) override { log += "reset " + std::to_string(id) + ";"; }
  void on_ping(std::uint32_t id) override { log += "ping " + std::to_string(id) + ";"; }
  void on_goaway() override { log += "goaway;"; }

  std::string stream(std::uint32_t id, const wire::spdy_headers& headers) {
    std::string out;
    encoder.stream(out, id, headers);
    return out;
  }
  std::string data(std::uint32_t id, std::string_view bytes, bool fin = false) {
    std::string out;
    encoder.data(out, id, bytes, fin);
    return out;
  }
  std::string hear(std::string_view wire) {
    log.clear();
    CHECK(decoder.feed(wire));
    return log;
  }
};

}  // namespace

TEST_CASE("upgrade: kubectl's offers are taken in the client's order, what is not known is not") {
  auto chosen = choose_upgrade(parsed(websocket(exec_target, "v5.channel.k8s.io, v4.channel.k8s.io")));
  CHECK(chosen.speaks == dialect::channels);
  CHECK(chosen.protocol == "v5.channel.k8s.io");
  CHECK(chosen.closes_channels());
  CHECK(upgrade_head(chosen) ==
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n");
  chosen = choose_upgrade(parsed(websocket(exec_target, "channel.k8s.io,v4.channel.k8s.io")));
  CHECK(chosen.protocol == "v4.channel.k8s.io");
  CHECK_FALSE(chosen.closes_channels());
  CHECK(choose_upgrade(parsed(websocket(exec_target, "v9.channel.k8s.io"))).speaks == dialect::none);
  CHECK(choose_upgrade(parsed(websocket(forward_target, "SPDY/3.1+portforward.k8s.io"))).speaks == dialect::tunnel);
  CHECK(choose_upgrade(parsed(websocket(forward_target, "v4.channel.k8s.io"))).speaks == dialect::forwarded_channels);
  CHECK(choose_upgrade(parsed(websocket("/api/v1/pods", "v5.channel.k8s.io"))).speaks == dialect::none);
  // Go's client sends one header a protocol.
  chosen = choose_upgrade(parsed(spdy(exec_target,
                                      "X-Stream-Protocol-Version: v4.channel.k8s.io\r\nX-Stream-Protocol-Version: "
                                      "v3.channel.k8s.io\r\n")));
  CHECK(chosen.speaks == dialect::spdy_exec);
  CHECK(upgrade_head(chosen).find("Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n") !=
        std::string::npos);
  CHECK(choose_upgrade(parsed(spdy(forward_target, "X-Stream-Protocol-Version: portforward.k8s.io\r\n"))).speaks ==
        dialect::spdy_forward);
}

TEST_CASE("upgrade: what is no sound handshake is none") {
  auto none = [](std::string text, const std::string& from, const std::string& to) {
    auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    CHECK(choose_upgrade(parsed(text.replace(at, from.size(), to))).speaks == dialect::none);
  };
  auto good = websocket(exec_target, "v5.channel.k8s.io");
  none(good, "Connection: Upgrade\r\n", "");
  none(good, "Version: 13", "Version: 8");
  none(good, "dGhlIHNhbXBsZSBub25jZQ==", "short");
  none(good, "GET ", "POST ");
  none(good, "HTTP/1.1", "HTTP/1.0");
  none(good, "Upgrade: websocket", "Upgrade: h2c");
}

TEST_CASE("channels: both directions, and credit for what has left") {
  container_end far;
  {
    upgraded near(channels("v5"), exec_target, session, far);
    near.receive(message(std::string("\0hello", 6)) + message("\x04{\"Width\":80}"));
    CHECK(far.log == "0/0:hello;0/4:{\"Width\":80};");
    far.log.clear();
    near.receive(message("\xff" + std::string(1, '\0')));
    near.receive(message(std::string("\0late", 5)));
    CHECK(far.log == "0/0: end;");
    near.speaker().on_chunk(chunk(channel::output, "out"));
    near.speaker().on_chunk(chunk(channel::errors, "err"));
    CHECK(far.credit == 0);
    near.speaker().on_chunk(chunk(channel::outcome, "{\"status\":\"Success\"}"));
    near.speaker().on_closed({session, {}});
    CHECK_FALSE(near.finished());
    CHECK(payloads(all_of(near)) ==
          std::vector<std::string>{"\1out", "\2err", "\3{\"status\":\"Success\"}", "close 1000"});
    CHECK(far.credit == 6 + 20);
    CHECK(near.finished());
    far.log.clear();
  }
  CHECK(far.log == "close 0;");
}

TEST_CASE("channels: each message goes out by itself") {
  container_end far;
  upgraded near(channels("v4"), exec_target, session, far);
  all_of(near);
  near.speaker().on_chunk(chunk(channel::output, "one"));
  near.speaker().on_chunk(chunk(channel::errors, "two"));
  for (auto* text : {"\1one", "\2two"}) {
    std::string wire = "head";
    near.fill(wire, 1 << 14);
    CHECK(wire == "head");
    wire.clear();
    near.fill(wire, 1 << 14);
    CHECK(payloads(wire) == std::vector<std::string>{text});
  }
}

TEST_CASE("channels: v4 knows no end of a channel, and no client writes to others than stdin") {
  container_end far;
  upgraded near(channels("v4"), exec_target, session, far);
  near.receive(message("\xff" + std::string(1, '\0')) + message("\1x") + message("\2x") + message("\3x") +
               message("\7x"));
  near.receive(message("") + message(std::string(1, '\0')));
  CHECK(far.log.empty());
  CHECK_FALSE(near.finished());
}

TEST_CASE("channels: one message in many frames and pieces") {
  container_end far;
  upgraded near(channels("v5"), exec_target, session, far);
  auto wire = frame(0x02, std::string("\0a", 2)) + frame(0x89, "ping") + frame(0x00, "b") + frame(0x80, "c") +
              frame(0x81, std::string("\0text", 5));
  for (char c : wire) near.receive({&c, 1});
  CHECK(far.log == "0/0:a;0/0:b;0/0:c;0/0:t;0/0:e;0/0:x;0/0:t;");
  CHECK(payloads(all_of(near)) == std::vector<std::string>{"pongping"});
}

TEST_CASE("channels: a container that does not read stops its client, who is told that the connection lives") {
  container_end far;
  upgraded near(channels("v5"), exec_target, session, far);
  CHECK(near.wants_input());
  std::string block(60000, 'x');
  block[0] = '\0';
  for (int i = 0; i < 3; ++i) near.receive(message(block));
  CHECK_FALSE(near.wants_input());
  near.tick(1'000'000);
  near.tick(7'000'000);
  CHECK(payloads(all_of(near)) == std::vector<std::string>{"pong"});
  near.speaker().on_credit({session, 60000});
  CHECK(near.wants_input());
  near.tick(20'000'000);
  CHECK(all_of(near).empty());
}

TEST_CASE("channels: a stream that breaks ends with a Status") {
  container_end far;
  upgraded near(channels("v5"), exec_target, session, far);
  near.speaker().on_closed({session, {container::fault::unavailable, "the runtime went away"}});
  auto said = payloads(all_of(near));
  REQUIRE(said.size() == 2);
  CHECK(said[0].find("\3{") == 0);
  CHECK(said[0].find("\"status\":\"Failure\"") != std::string::npos);
  CHECK(said[0].find("the runtime went away") != std::string::npos);
  CHECK(said[1] == "close 1000");
}

TEST_CASE("channels: hostile frames end the connection with their code") {
  for (const auto& [wire, code] :
       {std::pair{std::string("\x82\x01x"), "close 1002"}, std::pair{frame(0xc2, "x"), "close 1002"},
        std::pair{frame(0x80, "x"), "close 1002"},
        std::pair{std::string("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14), "close 1009"}}) {
    container_end far;
    upgraded near(channels("v5"), exec_target, session, far);
    near.receive(wire);
    near.receive(message(std::string("\0after", 6)));
    CHECK(payloads(all_of(near)) == std::vector<std::string>{code});
    CHECK(near.finished());
    CHECK(far.log.empty());
  }
}

TEST_CASE("channels: a flood of pings does not pile up answers") {
  container_end far;
  upgraded near(channels("v5"), exec_target, session, far);
  int sent = 0;
  for (; sent < 100'000 && near.wants_input(); ++sent) near.receive(frame(0x89, std::string(125, 'p')));
  CHECK(sent < 3000);
  all_of(near);
  CHECK(near.wants_input());
}

TEST_CASE("spdy: exec by its streams; what comes before they are there waits for them") {
  container_end far;
  upgraded near({dialect::spdy_exec, "v4.channel.k8s.io", ""}, exec_target, session, far);
  spdy_client client;
  near.speaker().on_chunk(chunk(channel::output, "early"));
  near.receive(joined({client.stream(1, {{"streamtype", "error"}}), client.stream(3, {{"streamtype", "stdin"}})}));
  CHECK(client.hear(all_of(near)) == "reply 1;reply 3;");
  near.receive(client.data(3, "in") + client.data(3, "", true));
  CHECK(far.log == "0/0:in;0/0: end;");
  near.speaker().on_chunk(chunk(channel::outcome, "{}"));
  near.speaker().on_closed({session, {}});
  CHECK_FALSE(near.finished());
  near.receive(joined({client.stream(5, {{"streamtype", "stdout"}}), client.stream(7, {{"streamtype", "stderr"}})}));
  CHECK(client.hear(all_of(near)) == "1:{};reply 5;5:early;reply 7;5: fin;7: fin;1: fin;");
  CHECK(near.finished());
  CHECK(far.credit == 7);
}

TEST_CASE("spdy: streams nobody knows are refused, and clients that make none are given up") {
  container_end far;
  upgraded near({dialect::spdy_exec, "v4.channel.k8s.io", ""}, exec_target, session, far);
  spdy_client client;
  near.receive(joined({client.stream(1, {{"streamtype", "bogus"}}), client.stream(3, {{"streamtype", "error"}}),
                       client.stream(5, {{"streamtype", "error"}})}));
  CHECK(client.hear(all_of(near)) == "reset 1;reply 3;reset 5;");
  near.tick(1'000'000);
  CHECK_FALSE(near.finished());
  near.tick(40'000'000);
  CHECK(near.finished());
}

TEST_CASE("tunnel: kubectl's port-forward, two connections at once") {
  container_end far;
  upgraded near({dialect::tunnel, "SPDY/3.1+portforward.k8s.io", "accept"}, forward_target, session, far);
  spdy_client client;
  auto pair_of = [&](std::uint32_t id, const std::string& port, const std::string& request) {
    return joined({client.stream(id, {{"streamtype", "error"}, {"port", port}, {"requestid", request}}),
                   client.data(id, "", true),
                   client.stream(id + 2, {{"streamtype", "data"}, {"port", port}, {"requestid", request}})});
  };
  auto heard = [&] {
    std::string wire;
    for (auto& one : payloads(all_of(near))) wire += one;
    return client.hear(wire);
  };
  // Frames do not keep to messages.
  auto wire = pair_of(1, "80", "0");
  near.receive(message(wire.substr(0, 30)) + message(wire.substr(30)));
  CHECK(heard() == "reply 1;reply 3;");
  near.receive(message(pair_of(5, "81", "1") + client.data(3, "GET /") + client.data(7, "x")));
  CHECK(far.log == "connect 1 to 80;connect 2 to 81;1/0:GET /;2/0:x;");
  CHECK(heard() == "reply 5;reply 7;");
  near.speaker().on_chunk(chunk(channel::output, "200 OK", session + 1));
  near.speaker().on_closed({session + 1, {}});
  near.speaker().on_closed({session + 2, {container::fault::unavailable, "connection refused"}});
  CHECK(heard() == "3:200 OK;3: fin;1: fin;5:connection refused;7: fin;5: fin;");
  std::string ping;
  client.encoder.ping(ping, 9);
  near.receive(message(ping));
  CHECK(heard() == "ping 9;");
  far.log.clear();
  near.receive(message(client.data(3, "too late") + client.data(99, "nobody")));
  CHECK(far.log.empty());
  CHECK_FALSE(near.finished());
}

TEST_CASE("tunnel: a reset ends its connection, a half-closed one goes on") {
  container_end far;
  upgraded near({dialect::spdy_forward, "portforward.k8s.io", ""}, forward_target, session, far);
  spdy_client client;
  wire::spdy_headers error{{"streamtype", "error"}, {"port", "80"}, {"requestid", "7"}};
  wire::spdy_headers data{{"streamtype", "data"}, {"port", "80"}, {"requestid", "7"}};
  near.receive(joined({client.stream(1, error), client.stream(3, data), client.data(3, "all", true)}));
  CHECK(far.log == "connect 1 to 80;1/0:all end;");
  near.speaker().on_chunk(chunk(channel::output, "answer", session + 1));
  CHECK(client.hear(all_of(near)) == "reply 1;reply 3;3:answer;");
  std::string reset;
  client.encoder.reset(reset, 3, wire::spdy_reset::cancel);
  far.log.clear();
  near.receive(reset);
  CHECK(far.log == "close 1;");
  CHECK(client.hear(all_of(near)) == "1: fin;");
}

TEST_CASE("tunnel: why a connection ended is told also after the client has reset it") {
  container_end far;
  upgraded near({dialect::spdy_forward, "portforward.k8s.io", ""}, forward_target, session, far);
  spdy_client client;
  wire::spdy_headers error{{"streamtype", "error"}, {"port", "81"}, {"requestid", "7"}};
  wire::spdy_headers data{{"streamtype", "data"}, {"port", "81"}, {"requestid", "7"}};
  near.receive(joined({client.stream(1, error), client.stream(3, data)}));
  near.speaker().on_chunk({session + 1, channel::output, {}, true});
  CHECK(client.hear(all_of(near)) == "reply 1;reply 3;3: fin;");
  std::string reset;
  client.encoder.reset(reset, 3, wire::spdy_reset::cancel);
  near.receive(reset);
  CHECK(far.log == "connect 1 to 81;1/0: end;");
  near.speaker().on_chunk(chunk(channel::outcome, "connection refused", session + 1));
  near.speaker().on_closed({session + 1, {}});
  CHECK(client.hear(all_of(near)) == "1:connection refused;1: fin;");
}

TEST_CASE("tunnel: bad streams are reset, too many refused, lonely ones dropped in time") {
  container_end far;
  upgraded near({dialect::spdy_forward, "portforward.k8s.io", ""}, forward_target, session, far);
  spdy_client client;
  near.receive(joined({client.stream(1, {{"streamtype", "data"}, {"port", "0"}, {"requestid", "1"}}),
                       client.stream(3, {{"streamtype", "data"}, {"port", "65536"}, {"requestid", "1"}}),
                       client.stream(5, {{"streamtype", "data"}, {"port", "80x"}, {"requestid", "1"}}),
                       client.stream(7, {{"streamtype", "data"}, {"port", "80"}}),
                       client.stream(9, {{"streamtype", "stdin"}, {"port", "80"}, {"requestid", "1"}})}));
  CHECK(client.hear(all_of(near)) == "reset 1;reset 3;reset 5;reset 7;reset 9;");
  std::uint32_t id = 11;
  for (int i = 0; i < 200; ++i, id += 2)
    near.receive(client.stream(id, {{"streamtype", "error"}, {"port", "80"}, {"requestid", std::to_string(i)}}));
  auto log = client.hear(all_of(near));
  CHECK(log.find("reset " + std::to_string(11 + 2 * 127) + ";") == std::string::npos);
  CHECK(log.find("reset " + std::to_string(11 + 2 * 128) + ";") != std::string::npos);
  near.tick(1'000'000);
  near.tick(40'000'000);
  near.receive(client.stream(id, {{"streamtype", "error"}, {"port", "80"}, {"requestid", "again"}}));
  CHECK(client.hear(all_of(near)).find("reply " + std::to_string(id) + ";") != std::string::npos);
  CHECK(far.log.empty());
  near.receive("\xff\xff\xff garbage that is no SPDY");
  CHECK(near.finished());
}

TEST_CASE("forwarded channels: as Python's client does it") {
  container_end far;
  upgraded near({dialect::forwarded_channels, "v4.channel.k8s.io", "accept"}, "/p/portforward?ports=80&ports=8080",
                session, far);
  CHECK(far.log == "connect 1 to 80;connect 2 to 8080;");
  using namespace std::string_literals;
  CHECK(payloads(all_of(near)) == std::vector<std::string>{"\0P\0"s, "\1P\0"s, "\2\x90\x1f"s, "\3\x90\x1f"s});
  far.log.clear();
  near.receive(message("\0to 80"s) + message("\2to 8080"s) + message("\1x"s) + message("\x09x"s));
  CHECK(far.log == "1/0:to 80;2/0:to 8080;");
  near.speaker().on_chunk(chunk(channel::output, "from 8080", session + 2));
  near.speaker().on_closed({session + 2, {}});
  near.speaker().on_closed({session + 1, {container::fault::unavailable, "refused"}});
  CHECK(payloads(all_of(near)) == std::vector<std::string>{"\2from 8080"s, "\1refused"s, "close 1000"});
}

}  // namespace upgrade_tests
