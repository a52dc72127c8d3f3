// A cursor over canonical JSON that finds a few members without building anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace troupe {

/// Walks trusted, compact JSON (as encode() writes it). Every function returns false, and the cursor stays useless,
/// where the text is not as expected; it never reads outside the text.
class json_scanner {
 public:
  explicit json_scanner(std::string_view text) : text_(text) {}

  struct span {
    std::size_t offset = 0;  // of the first byte inside the quotes
    std::size_t size = 0;
    bool escaped = false;
    bool present = false;
  };

  std::size_t position() const { return at_; }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  /// A string with its quotes.
  bool string(span& out);
  /// A member's key and its colon; the key as it stands, escapes and all.
  bool key(std::string_view& out);
  /// Any value.
  bool skip_value();
  /// What is left of an object or array, to behind its closing bracket.
  bool skip_rest();
  /// After a member's value: whether another follows (its comma is taken). False also at the closing bracket.
  bool next_member() { return take(','); }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace troupe
