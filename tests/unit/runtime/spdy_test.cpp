// SPDY/3.1 frames, good and hostile.
#include "runtime/wire/spdy.hpp"

#include <doctest/doctest.h>

#include <functional>

namespace spdy_tests {

using namespace troupe::wire;

namespace {

struct heard : spdy_sink {
  std::string log;
  std::string data;
  void on_stream(std::uint32_t id, const spdy_headers& headers, bool fin) override {
    log += "stream " + std::to_string(id);
    for (auto& [name, value] : headers) log += " " + name + "=" + value;
    log += fin ? " fin;" : ";";
  }
  void on_reply(std::uint32_t id, bool fin) override { log += "reply " + std::to_string(id) + (fin ? " fin;" : ";"); }
  void on_data(std::uint32_t id, std::string_view piece, bool fin) override {
    if (data.empty() && !piece.empty()) log += "data " + std::to_string(id) + ";";
    data += piece;
    if (fin) log += "fin " + std::to_string(id) + ";";
  }
  void on_reset(std::uint32_t id) override { log += "reset " + std::to_string(id) + ";"; }
  void on_ping(std::uint32_t id) override { log += "ping " + std::to_string(id) + ";"; }
  void on_goaway() override { log += "goaway;"; }
};

void check_both(const std::string& bytes, const std::function<void(heard&, bool fine)>& judge) {
  for (bool single : {false, true}) {
    CAPTURE(single);
    heard h;
    spdy_decoder decoder(h);
    bool fine = true;
    if (single)
      for (char c : bytes) fine = decoder.feed({&c, 1});
    else
      fine = decoder.feed(bytes);
    judge(h, fine);
  }
}

std::string bytes(std::initializer_list<int> all) {
  std::string out;
  for (int one : all) out += static_cast<char>(one);
  return out;
}

std::string control(int type, const std::string& body, int flags = 0, int version = 3) {
  auto size = static_cast<int>(body.size());
  return bytes({0x80, version, 0, type, flags, size >> 16 & 0xff, size >> 8 & 0xff, size & 0xff}) + body;
}

}  // namespace

TEST_CASE("spdy: what one end writes the other reads") {
  spdy_encoder out;
  std::string wire;
  out.stream(wire, 1, {{"streamtype", "error"}, {"port", "80"}, {"requestid", "0"}});
  out.stream(wire, 3, {{"streamtype", "data"}, {"port", "80"}, {"requestid", "0"}});
  out.reply(wire, 1);
  out.data(wire, 3, "hello", false);
  out.data(wire, 3, "", true);
  out.reset(wire, 3, spdy_reset::cancel);
  out.ping(wire, 7);
  out.goaway(wire, 3);
  check_both(wire, [](heard& h, bool fine) {
    CHECK(fine);
    CHECK(h.data == "hello");
    CHECK(h.log ==
          "stream 1 streamtype=error port=80 requestid=0;stream 3 streamtype=data port=80 requestid=0;reply 1;"
          "data 3;fin 3;reset 3;ping 7;goaway;");
  });
}

TEST_CASE("spdy: a header block as Go's implementation writes it") {
  // SYN_STREAM 1 with Streamtype: error, made by compress/zlib of Go with the dictionary of the SPDY/3 draft.
  spdy_encoder out;
  std::string wire;
  out.stream(wire, 1, {{"streamtype", "error"}});
  // The dictionary's identifier is part of the zlib stream's head (RFC 1950): Adler-32 of its 1,423 bytes.
  CHECK(wire.substr(18, 6) == bytes({0x78, 0xf9, 0xe3, 0xc6, 0xa7, 0xc2}));
}

TEST_CASE("spdy: frames of no interest are passed over") {
  auto settings = control(4, bytes({0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 1, 0}));
  auto window = control(9, bytes({0, 0, 0, 1, 0, 0, 16, 0}));
  auto unknown = control(77, "whatever");
  auto empty_data = bytes({0, 0, 0, 5, 1, 0, 0, 0});
  check_both(settings + window + unknown + empty_data, [](heard& h, bool fine) {
    CHECK(fine);
    CHECK(h.log == "fin 5;");
  });
}

TEST_CASE("spdy: what breaks the protocol or its bounds ends the connection") {
  auto refused = [](const std::string& wire) {
    check_both(wire, [](heard& h, bool fine) {
      CHECK_FALSE(fine);
      CHECK(h.log.empty());
    });
  };
  refused(bytes({0, 0, 0, 0, 0, 0, 0, 1, 'x'}));               // data of stream 0
  refused(control(6, bytes({0, 0, 0, 1}), 0, 2));              // another version
  refused(control(6, "x"));                                    // a ping without an id
  refused(control(1, bytes({0, 0, 0, 1, 0, 0})));              // a stream cut short
  refused(control(1, bytes({0, 0, 0, 0, 0, 0, 0, 0, 0, 0})));  // stream 0
  refused(control(1, bytes({0, 0, 0, 1, 0, 0, 0, 0, 0, 0}) + "not zlib at all"));
  refused(bytes({0x80, 3, 0, 1, 0, 0x7f, 0xff, 0xff}));  // a control frame of 8 MiB
}

TEST_CASE("spdy: a header block that grows without end is refused") {
  spdy_encoder out;
  std::string wire;
  out.stream(wire, 1, {{"streamtype", std::string(1 << 20, 'a')}});
  CHECK(wire.size() < 4096);  // a bomb
  check_both(wire, [](heard& h, bool fine) {
    CHECK_FALSE(fine);
    CHECK(h.log.empty());
  });
  std::string many;
  spdy_headers headers;
  for (int i = 0; i < 100; ++i) headers.emplace_back("n" + std::to_string(i), "v");
  spdy_encoder another;
  another.stream(many, 1, headers);
  check_both(many, [](heard&, bool fine) { CHECK_FALSE(fine); });
}

TEST_CASE("spdy: random bytes never do more than fail") {
  std::uint64_t state = 88172645463325252ull;
  auto next = [&] {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
  };
  for (int round = 0; round < 2000; ++round) {
    spdy_encoder out;
    std::string wire;
    out.stream(wire, 1, {{"streamtype", "data"}, {"port", "8080"}});
    out.data(wire, 1, "some data of a stream", false);
    for (int i = 0; i < 3; ++i) wire[next() % wire.size()] = static_cast<char>(next());
    heard h;
    spdy_decoder decoder(h);
    decoder.feed(wire);
    CHECK(h.data.size() <= wire.size());
  }
}

}  // namespace spdy_tests
