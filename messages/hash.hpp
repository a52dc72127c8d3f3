// A hash that is the same in every process and build: for names and choices, not against anybody.
#pragma once

#include <cstdint>
#include <string_view>

namespace troupe {

/// FNV-1a, 64 bits.
constexpr std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 14695981039346656037u;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash;
}

}  // namespace troupe
