// A buffer that JSON is written into: room is asked for once per value, then bytes are stored without checks.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "messages/document.hpp"
#include "messages/short_text.hpp"

namespace troupe {

/// Writes JSON as Go's encoding/json does. The memory is kept per thread and used again.
class json_output {
 public:
  json_output();
  ~json_output();
  json_output(const json_output&) = delete;
  json_output& operator=(const json_output&) = delete;

  std::string_view view() const { return {buffer_.data(), static_cast<std::size_t>(next_ - buffer_.data())}; }

  void put(char c) {
    need(1);
    *next_++ = c;
  }
  void raw(std::string_view text) {
    need(text.size());
    short_text::copy(next_, text.data(), text.size());
    next_ += text.size();
  }
  /// Replaces the last byte, which must exist.
  void replace_last(char c) { next_[-1] = c; }
  char last() const { return next_[-1]; }
  void string(std::string_view text);
  void integer(std::int64_t value) {
    need(24);
    next_ = std::to_chars(next_, next_ + 24, value).ptr;
  }
  /// Any value in its members' own order.
  void value(const node& value);

 private:
  void need(std::size_t bytes) {
    if (static_cast<std::size_t>(end_ - next_) < bytes) grow(bytes);
  }
  void grow(std::size_t bytes);
  void escaped(const char* at, const char* end);

  std::vector<char> buffer_;
  char* next_ = nullptr;
  char* end_ = nullptr;
};

}  // namespace troupe
