// Numbers in texts.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace troupe {

/// The decimal number that is the whole text, with "-" before it if the type is signed; nothing when it is anything
/// else or too large for the type.
template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number out{};
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return out;
}

}  // namespace troupe
