// Durations and base64 as Go reads and writes them. Times: time.cpp; quantities: quantity.cpp.
#include "messages/schema/scalars.hpp"

#include <array>
#include <charconv>

#include "messages/ascii.hpp"

namespace troupe::schema {
namespace {

__extension__ typedef unsigned __int128 wide;

struct unit_row {
  std::string_view name;
  std::uint64_t nanos;
};
constexpr unit_row duration_units[] = {
    {"ns", 1},       {"us", 1000},      {"\xc2\xb5s", 1000},   {"\xce\xbcs", 1000},
    {"ms", 1000000}, {"s", 1000000000}, {"m", 60000000000ULL}, {"h", 3600000000000ULL},
};

constexpr std::uint64_t duration_limit = std::uint64_t{1} << 63;

/// Reads one number with its unit ("1.5h") and adds it; empty, or what is wrong.
std::string_view add_part(std::string_view& rest, std::uint64_t& total) {
  wide whole = 0;
  wide fraction = 0;
  wide fraction_scale = 1;
  std::size_t at = 0;
  bool digits = false;
  for (; at < rest.size() && is_digit(rest[at]); ++at, digits = true) {
    whole = whole * 10 + static_cast<unsigned>(rest[at] - '0');
    if (whole > duration_limit) return "invalid duration";
  }
  if (at < rest.size() && rest[at] == '.') {
    for (++at; at < rest.size() && is_digit(rest[at]); ++at, digits = true) {
      if (fraction_scale > duration_limit) continue;
      fraction = fraction * 10 + static_cast<unsigned>(rest[at] - '0');
      fraction_scale *= 10;
    }
  }
  if (!digits) return "invalid duration";
  std::size_t end = at;
  while (end < rest.size() && rest[end] != '.' && !is_digit(rest[end])) ++end;
  const std::string_view unit = rest.substr(at, end - at);
  if (unit.empty()) return "missing unit in duration";
  for (const auto& row : duration_units) {
    if (row.name != unit) continue;
    const wide sum = wide{total} + whole * row.nanos + fraction * row.nanos / fraction_scale;
    if (sum > duration_limit) return "invalid duration";
    total = static_cast<std::uint64_t>(sum);
    rest.remove_prefix(end);
    return {};
  }
  return "unknown unit";
}

constexpr std::uint8_t not_base64 = 0xff;

constexpr std::array<std::uint8_t, 256> make_base64_values() {
  std::array<std::uint8_t, 256> table{};
  table.fill(not_base64);
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < letters.size(); ++i) {
    table[static_cast<unsigned char>(letters[i])] = static_cast<std::uint8_t>(i);
  }
  return table;
}
constexpr auto base64_values = make_base64_values();
constexpr std::string_view base64_letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool is_line_break(char c) { return c == '\n' || c == '\r'; }

/// Finishes a quantum of `count` letters (2 or 3) whose unused bits may not be zero.
void clear_unused_bits(std::string& text, std::size_t count) {
  const unsigned mask = count == 2 ? 0x30 : 0x3c;
  const unsigned value = base64_values[static_cast<unsigned char>(text.back())];
  text.back() = base64_letters[value & mask];
}

}  // namespace

std::string duration_text(std::uint64_t nanos, bool negative) {
  if (nanos == 0) return "0s";
  auto with_fraction = [](std::uint64_t value, std::uint64_t scale) {
    std::string text = std::to_string(value / scale);
    if (value % scale == 0) return text;
    std::string fraction = std::to_string(scale + value % scale).substr(1);
    fraction.erase(fraction.find_last_not_of('0') + 1);
    return text + "." + fraction;
  };
  std::string out = negative ? "-" : "";
  if (nanos < 1000) return out + std::to_string(nanos) + "ns";
  if (nanos < 1000000) return out + with_fraction(nanos, 1000) + "\xc2\xb5s";
  if (nanos < 1000000000) return out + with_fraction(nanos, 1000000) + "ms";
  const std::uint64_t minutes = nanos / 60000000000ULL;
  if (minutes >= 60) out += std::to_string(minutes / 60) + "h";
  if (minutes > 0) out += std::to_string(minutes % 60) + "m";
  return out + with_fraction(nanos % 60000000000ULL, 1000000000) + "s";
}

scalar_result normal_duration(std::string_view in) {
  scalar_result out;
  std::string_view rest = in;
  bool negative = false;
  if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) {
    negative = rest[0] == '-';
    rest.remove_prefix(1);
  }
  std::uint64_t total = 0;
  std::string_view wrong = rest.empty() ? "invalid duration" : "";
  while (!rest.empty() && rest != "0" && wrong.empty()) {
    const std::string_view before = rest;
    wrong = add_part(rest, total);
    if (wrong == "unknown unit") {
      std::size_t at = before.find_first_not_of("0123456789.");
      std::size_t end = at;
      while (end < before.size() && before[end] != '.' && !is_digit(before[end])) ++end;
      out.error = "time: unknown unit \"" + std::string(before.substr(at, end - at)) + "\" in duration \"" +
                  std::string(in) + "\"";
      return out;
    }
    if (rest == "0" && wrong.empty()) wrong = "missing unit in duration";
  }
  if (wrong.empty() && total == duration_limit && !negative) wrong = "invalid duration";
  if (!wrong.empty()) {
    out.error = "time: " + std::string(wrong) + " \"" + std::string(in) + "\"";
    return out;
  }
  out.text = duration_text(total, negative);
  out.ok = true;
  out.same = out.text == in;
  return out;
}

scalar_result normal_base64(std::string_view in) {
  scalar_result out;
  auto wrong_at = [&](std::size_t at) {
    out.error = "illegal base64 data at input byte " + std::to_string(at);
    return out;
  };
  std::string& text = out.text;
  text.reserve(in.size());
  std::size_t at = 0;
  auto skip_breaks = [&] {
    while (at < in.size() && is_line_break(in[at])) ++at;
  };
  std::size_t letters = 0;  // of the open quantum
  for (; at < in.size(); ++at) {
    const char c = in[at];
    if (is_line_break(c)) continue;
    if (base64_values[static_cast<unsigned char>(c)] != not_base64) {
      text.push_back(c);
      letters = (letters + 1) & 3;
      continue;
    }
    if (c != '=' || letters < 2) return wrong_at(at);
    clear_unused_bits(text, letters);
    text.push_back('=');
    ++at;
    if (letters == 2) {
      skip_breaks();
      if (at == in.size()) return wrong_at(in.size());
      if (in[at] != '=') return wrong_at(at - 1);
      text.push_back('=');
      ++at;
    }
    skip_breaks();
    if (at < in.size()) return wrong_at(at);
    letters = 0;
    break;
  }
  if (letters != 0) return wrong_at(in.size() - letters);
  out.ok = true;
  out.same = text == in;
  return out;
}

std::string to_base64(std::string_view bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    auto at = [&](std::size_t j) { return j < bytes.size() ? static_cast<std::uint8_t>(bytes[j]) : 0u; };
    auto word = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    out += base64_letters[word >> 18];
    out += base64_letters[word >> 12 & 63];
    out += i + 1 < bytes.size() ? base64_letters[word >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? base64_letters[word & 63] : '=';
  }
  return out;
}

std::string from_base64(std::string_view text) {
  std::string out;
  unsigned bits = 0;
  int held = 0;
  for (char c : text) {
    const auto value = base64_values[static_cast<unsigned char>(c)];
    if (value == not_base64) break;
    bits = bits << 6 | value;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out += static_cast<char>(bits >> held & 0xff);
  }
  return out;
}

}  // namespace troupe::schema
