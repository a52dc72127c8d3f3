// Looking for a piece of text in an object's bytes without decoding them.
#pragma once

#include <cstring>
#include <string_view>

namespace troupe {

/// Where `piece` begins in `text` from `from` on, or npos. JSON is full of quotes, so that string_view::find, which
/// stops at every occurrence of the first character, is several times slower.
inline std::size_t find_text(std::string_view text, std::string_view piece, std::size_t from = 0) {
  if (from > text.size() || piece.size() > text.size() - from) return std::string_view::npos;
  if (piece.empty()) return from;
  const auto* found =
      static_cast<const char*>(memmem(text.data() + from, text.size() - from, piece.data(), piece.size()));
  return found ? static_cast<std::size_t>(found - text.data()) : std::string_view::npos;
}

/// Whether `piece` is in `text`.
inline bool has_text(std::string_view text, std::string_view piece) {
  return find_text(text, piece) != std::string_view::npos;
}

}  // namespace troupe
