// Resolution of plain YAML scalars.
#include "messages/yaml_scalar.hpp"

#include <charconv>
#include <limits>
#include <system_error>

#include "messages/ascii.hpp"

namespace troupe::yaml {
namespace {

/// The three spellings YAML 1.1 allows: word, Word, WORD.
bool is_word(std::string_view text, std::string_view word) {
  if (text.size() != word.size()) return false;
  auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; };
  bool all_lower = true;
  bool all_upper = true;
  bool title = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    all_lower = all_lower && text[i] == word[i];
    all_upper = all_upper && text[i] == upper(word[i]);
    title = title && text[i] == (i == 0 ? upper(word[i]) : word[i]);
  }
  return all_lower || all_upper || title;
}

bool resolve_word(std::string_view text, scalar& out) {
  for (std::string_view word : {"y", "yes", "true", "on"}) {
    if (is_word(text, word)) {
      out.kind = scalar_kind::boolean;
      out.flag = true;
      return true;
    }
  }
  for (std::string_view word : {"n", "no", "false", "off"}) {
    if (is_word(text, word)) {
      out.kind = scalar_kind::boolean;
      return true;
    }
  }
  if (text.empty() || text == "~" || is_word(text, "null")) {
    out.kind = scalar_kind::null;
    return true;
  }
  return false;
}

bool resolve_special_real(std::string_view text, scalar& out) {
  if (text == ".nan" || text == ".NaN" || text == ".NAN") {
    out.real = std::numeric_limits<double>::quiet_NaN();
  } else {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    if (text != ".inf" && text != ".Inf" && text != ".INF") return false;
    out.real = std::numeric_limits<double>::infinity() * (negative ? -1 : 1);
  }
  out.kind = scalar_kind::real;
  return true;
}

/// Go's strconv.ParseInt with base 0: 0x, 0o, 0b and a leading 0 for octal.
bool resolve_integer(std::string_view text, scalar& out) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char letter = static_cast<char>(text[1] | 0x20);
    base = letter == 'x' ? 16 : letter == 'b' ? 2 : 8;
    text.remove_prefix(letter == 'x' || letter == 'b' || letter == 'o' ? 2 : 1);
  }
  std::uint64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size()) return false;
  constexpr auto limit = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (negative ? value > limit + 1 : false) return false;
  if (!negative && value > limit) {
    out.kind = scalar_kind::big_integer;
    out.big = value;
    return true;
  }
  out.kind = scalar_kind::integer;
  out.integer = static_cast<std::int64_t>(negative ? ~value + 1 : value);
  return true;
}

/// [-+]? ( .digits | digits [. digits*] ) [ e [-+]? digits ]
bool is_real(std::string_view text) {
  std::size_t at = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  auto digits = [&] {
    const std::size_t start = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at > start;
  };
  const bool whole = digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (!digits() && !whole) return false;
  } else if (!whole) {
    return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    if (!digits()) return false;
  }
  return at == text.size();
}

bool resolve_real(std::string_view text, scalar& out) {
  if (!is_real(text)) return false;
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out.real);
  if (read.ec != std::errc()) return false;
  out.kind = scalar_kind::real;
  return true;
}

/// Reads 1 or 2 digits (exactly `count` when it is not 0).
bool take_number(std::string_view& text, std::size_t count, int& out) {
  std::size_t digits = 0;
  out = 0;
  while (digits < (count ? count : 2) && digits < text.size() && is_digit(text[digits]))
    out = out * 10 + (text[digits++] - '0');
  text.remove_prefix(digits);
  return count ? digits == count : digits > 0;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

/// 2006-1-2, 2006-1-2 15:4:5[.9], 2006-1-2T15:4:5[.9]Z07:00
bool is_timestamp(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!take_number(text, 4, year) || !take(text, '-') || !take_number(text, 0, month) || !take(text, '-') ||
      !take_number(text, 0, day)) {
    return false;
  }
  static constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || day < 1) return false;
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  if (day > days[month - 1] + (month == 2 && leap ? 1 : 0)) return false;
  if (text.empty()) return true;
  const bool zoned = text[0] == 'T' || text[0] == 't';
  if (!zoned && text[0] != ' ') return false;
  text.remove_prefix(1);
  if (!take_number(text, 0, hour) || !take(text, ':') || !take_number(text, 0, minute) || !take(text, ':') ||
      !take_number(text, 0, second) || hour > 23 || minute > 59 || second > 59) {
    return false;
  }
  if (text.size() > 1 && (text[0] == '.' || text[0] == ',') && is_digit(text[1])) {
    text.remove_prefix(1);
    while (!text.empty() && is_digit(text[0])) text.remove_prefix(1);
  }
  if (!zoned) return text.empty();
  if (text == "Z") return true;
  if (!take(text, '+') && !take(text, '-')) return false;
  return take_number(text, 2, hour) && take(text, ':') && take_number(text, 2, minute) && text.empty() && hour <= 24 &&
         minute <= 60;
}

}  // namespace

scalar resolve(std::string_view text) {
  scalar out;
  if (resolve_word(text, out)) return out;
  const char first = text[0];
  if (first == '.' || first == '+' || first == '-' || is_digit(first)) {
    if (resolve_special_real(text, out)) return out;
    if (first == '.') {
      resolve_real(text, out);
      return out;
    }
    if (is_timestamp(text)) {
      out.kind = scalar_kind::timestamp;
      return out;
    }
    std::string plain;
    for (char c : text) {
      if (c != '_') plain.push_back(c);
    }
    if (resolve_integer(plain, out) || resolve_real(plain, out)) return out;
  }
  return out;
}

bool is_base60(std::string_view text) {
  std::size_t at = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  if (at >= text.size() || !is_digit(text[at])) return false;
  while (at < text.size() && (is_digit(text[at]) || text[at] == '_')) ++at;
  std::size_t groups = 0;
  while (at + 1 < text.size() && text[at] == ':' && is_digit(text[at + 1])) {
    const bool two = at + 2 < text.size() && is_digit(text[at + 2]);
    if (two && text[at + 1] > '5') return false;
    at += two ? 3 : 2;
    ++groups;
  }
  if (groups > 0 && at < text.size() && text[at] == '.') {
    ++at;
    while (at < text.size() && (is_digit(text[at]) || text[at] == '_')) ++at;
  }
  return groups > 0 && at == text.size();
}

}  // namespace troupe::yaml
