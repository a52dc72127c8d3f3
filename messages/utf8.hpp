// UTF-8 as Go's utf8 package judges it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace troupe::utf8 {

/// Bytes of the valid sequence at `at` (1 to 4), or 0 where there is none (stray, truncated, overlong, surrogate).
inline std::size_t sequence(const char* at, const char* end) {
  const auto* p = reinterpret_cast<const unsigned char*>(at);
  const auto left = static_cast<std::size_t>(end - at);
  auto more = [&](std::size_t i) { return (p[i] & 0xc0) == 0x80; };
  if (left == 0) return 0;
  if (p[0] < 0x80) return 1;
  if (p[0] >= 0xc2 && p[0] <= 0xdf) return left >= 2 && more(1) ? 2 : 0;
  if ((p[0] & 0xf0) == 0xe0) {
    if (left < 3 || !more(1) || !more(2)) return 0;
    if (p[0] == 0xe0 && p[1] < 0xa0) return 0;
    if (p[0] == 0xed && p[1] > 0x9f) return 0;
    return 3;
  }
  if (p[0] >= 0xf0 && p[0] <= 0xf4) {
    if (left < 4 || !more(1) || !more(2) || !more(3)) return 0;
    if (p[0] == 0xf0 && p[1] < 0x90) return 0;
    if (p[0] == 0xf4 && p[1] > 0x8f) return 0;
    return 4;
  }
  return 0;
}

/// The code point of a sequence of that many bytes.
inline std::uint32_t decode(const char* at, std::size_t bytes) {
  const auto* p = reinterpret_cast<const unsigned char*>(at);
  switch (bytes) {
    case 2:
      return (p[0] & 0x1fU) << 6 | (p[1] & 0x3fU);
    case 3:
      return (p[0] & 0x0fU) << 12 | (p[1] & 0x3fU) << 6 | (p[2] & 0x3fU);
    case 4:
      return (p[0] & 0x07U) << 18 | (p[1] & 0x3fU) << 12 | (p[2] & 0x3fU) << 6 | (p[3] & 0x3fU);
    default:
      return p[0];
  }
}

/// Appends a code point; surrogates and what is beyond Unicode become U+FFFD.
inline void append(std::string& out, std::uint32_t code) {
  if ((code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) code = 0xfffd;
  auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

}  // namespace troupe::utf8
