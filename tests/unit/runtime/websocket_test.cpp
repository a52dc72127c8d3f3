// WebSocket frames of clients, good and hostile.
#include "runtime/wire/websocket.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <vector>

namespace websocket_tests {

using namespace troupe::wire;

namespace {

/// A client's frame; length bytes may be forced to a longer form than needed.
std::string frame(unsigned first, std::string_view payload, unsigned extended = 9, bool masked = true,
                  std::uint64_t claimed = ~0ull) {
  std::uint64_t size = claimed == ~0ull ? payload.size() : claimed;
  if (extended == 9) extended = size < 126 ? 0 : size < 65536 ? 2 : 8;
  std::string out(1, static_cast<char>(first));
  out += static_cast<char>((masked ? 0x80U : 0U) | (extended == 0 ? size : extended == 2 ? 126U : 127U));
  for (unsigned i = extended; i > 0; --i) out += static_cast<char>(size >> (8 * (i - 1)) & 0xff);
  if (!masked) return out.append(payload);
  std::string key = "\x11\x82\xf3\x04";
  out += key;
  for (std::size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ key[i % 4]);
  return out;
}

struct heard : websocket_sink {
  std::vector<std::string> messages;  // whole ones
  std::vector<std::string> controls;
  std::size_t pieces = 0, largest = 0;
  bool open = false;
  void on_message(bool text, std::string_view piece, bool begins, bool ends) override {
    CHECK(begins != open);
    if (begins) messages.emplace_back(text ? "t:" : "b:");
    open = !ends;
    messages.back() += piece;
    ++pieces;
    largest = std::max(largest, piece.size());
  }
  void on_control(ws_opcode what, std::string_view payload) override {
    controls.push_back(std::to_string(static_cast<int>(what)) + ":" + std::string(payload));
  }
};

/// The bytes at once, and byte by byte: both must tell the same.
void check_both(const std::string& bytes, const std::function<void(heard&, bool fine, ws_close why)>& judge) {
  for (bool single : {false, true}) {
    CAPTURE(single);
    heard h;
    websocket_decoder decoder(h);
    bool fine = true;
    if (single)
      for (char c : bytes) fine = fine && decoder.feed({&c, 1});
    else
      fine = decoder.feed(bytes);
    judge(h, fine, decoder.failure());
  }
}

void refused(const std::string& bytes, ws_close why) {
  check_both(bytes, [&](heard&, bool fine, ws_close got) {
    CHECK_FALSE(fine);
    CHECK(got == why);
  });
}

}  // namespace

TEST_CASE("websocket: messages of every size, unmasked") {
  for (std::size_t size : {0, 1, 125, 126, 127, 65535, 65536, 200000}) {
    CAPTURE(size);
    std::string payload(size, 'x');
    for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>(i * 7);
    check_both(frame(0x82, payload), [&](heard& h, bool fine, ws_close) {
      CHECK(fine);
      REQUIRE(h.messages.size() == 1);
      CHECK(h.messages[0] == "b:" + payload);
      CHECK_FALSE(h.open);
    });
  }
}

TEST_CASE("websocket: fragments are one message, control frames between them are heard at once") {
  auto bytes = frame(0x01, "he") + frame(0x89, "are you there") + frame(0x00, "ll") + frame(0x00, "") +
               frame(0x8a, "") + frame(0x80, "o") + frame(0x82, "next");
  check_both(bytes, [](heard& h, bool fine, ws_close) {
    CHECK(fine);
    CHECK(h.messages == std::vector<std::string>{"t:hello", "b:next"});
    CHECK(h.controls == std::vector<std::string>{"9:are you there", "10:"});
  });
}

TEST_CASE("websocket: what breaks the protocol is refused") {
  auto broken = ws_close::protocol_error;
  refused(frame(0x82, "x", 9, false), broken);                       // not masked
  refused(frame(0xc2, "x"), broken);                                 // a reserved bit
  refused(frame(0x92, "x"), broken);                                 //
  refused(frame(0x83, "x"), broken);                                 // an unknown opcode
  refused(frame(0x8b, "x"), broken);                                 //
  refused(frame(0x80, "x"), broken);                                 // nothing to continue
  refused(frame(0x02, "a") + frame(0x82, "b"), broken);              // a message within a message
  refused(frame(0x09, "x"), broken);                                 // a ping in fragments
  refused(frame(0x89, std::string(126, 'x')), broken);               // a ping too long
  refused(frame(0x82, "x", 2), broken);                              // lengths in more bytes than needed
  refused(frame(0x82, std::string(300, 'x'), 8), broken);            //
  refused(frame(0x82, "", 8, true, 1ull << 40), ws_close::too_big);  // a length nobody means
  refused(frame(0x82, "", 8, true, ~0ull - 1), ws_close::too_big);   //
  refused(frame(0x88, "", 8, true, 1ull << 40), ws_close::too_big);  //
}

TEST_CASE("websocket: nothing is heard behind a failure") {
  heard h;
  websocket_decoder decoder(h);
  CHECK_FALSE(decoder.feed(frame(0x83, "x") + frame(0x82, "y")));
  CHECK_FALSE(decoder.feed(frame(0x82, "z")));
  CHECK(h.messages.empty());
}

TEST_CASE("websocket: a large frame is handed on in the pieces it comes in") {
  heard h;
  websocket_decoder decoder(h);
  auto bytes = frame(0x82, std::string(1 << 20, 'x'));
  for (std::size_t at = 0; at < bytes.size(); at += 1000) CHECK(decoder.feed(std::string_view(bytes).substr(at, 1000)));
  CHECK(h.pieces > 1000);
  CHECK(h.largest <= 1000);
  CHECK(h.messages.at(0).size() == (1 << 20) + 2);
}

TEST_CASE("websocket: what a server sends") {
  std::string out;
  append_frame(out, ws_opcode::binary, "ab");
  CHECK(out == std::string("\x82\x02"
                           "ab"));
  out.clear();
  append_frame_head(out, ws_opcode::binary, 300);
  CHECK(out == std::string("\x82\x7e\x01\x2c"));
  out.clear();
  append_frame_head(out, ws_opcode::binary, 70000);
  CHECK(out == std::string("\x82\x7f\x00\x00\x00\x00\x00\x01\x11\x70", 10));
  out.clear();
  append_close(out, ws_close::normal);
  CHECK(out == std::string("\x88\x02\x03\xe8"));
  // RFC 6455, 1.3
  CHECK(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(is_websocket_key("dGhlIHNhbXBsZSBub25jZQ=="));
  CHECK_FALSE(is_websocket_key("dGhlIHNhbXBsZSBub25jZQ="));
  CHECK_FALSE(is_websocket_key("dGhlIHNhbXBsZSBub25jZQ\r\n"));
}

}  // namespace websocket_tests
