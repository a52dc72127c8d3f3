// Comparing and copying short texts inline: most of them are names of a few bytes, where a library call costs more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace troupe::short_text {

template <class T>
inline T load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// Whether two texts of the same size are equal.
inline bool equal(const char* a, const char* b, std::size_t size) {
  using word = std::uint64_t;
  if (size >= 8) {
    for (std::size_t i = 0; i + 8 < size; i += 8) {
      if (load<word>(a + i) != load<word>(b + i)) return false;
    }
    return load<word>(a + size - 8) == load<word>(b + size - 8);
  }
  if (size >= 4) {
    using half = std::uint32_t;
    return load<half>(a) == load<half>(b) && load<half>(a + size - 4) == load<half>(b + size - 4);
  }
  for (std::size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

inline bool equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && (a.data() == b.data() || equal(a.data(), b.data(), a.size()));
}

/// Copies without reading or writing outside either text.
inline void copy(char* to, const char* from, std::size_t size) {
  using word = std::uint64_t;
  if (size > 32) {
    std::memcpy(to, from, size);
  } else if (size >= 8) {
    const word tail = load<word>(from + size - 8);
    for (std::size_t i = 0; i + 8 < size; i += 8) std::memcpy(to + i, from + i, 8);
    std::memcpy(to + size - 8, &tail, 8);
  } else if (size >= 4) {
    const auto tail = load<std::uint32_t>(from + size - 4);
    std::memcpy(to, from, 4);
    std::memcpy(to + size - 4, &tail, 4);
  } else {
    for (std::size_t i = 0; i < size; ++i) to[i] = from[i];
  }
}

}  // namespace troupe::short_text
