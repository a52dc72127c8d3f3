// resource.Quantity: parsing, canonical form and values.
//
// Canonical form (apimachinery's resource package): no fraction digits, the largest suffix that allows it, the kind of
// suffix that was given; what is finer than nano is rounded away from zero; binary quantities end at 2^63-1.
#include <charconv>

#include "messages/ascii.hpp"
#include "messages/schema/codec.hpp"
#include "messages/schema/scalars.hpp"

namespace troupe::schema {
namespace {

__extension__ typedef unsigned __int128 wide;

constexpr int nano = -9;
constexpr wide int64_limit = (wide{1} << 63) - 1;
constexpr wide wide_limit = ~wide{0} / 10;
constexpr wide decimal_limit = wide_limit / 1000;            // leaves room to raise the exponent to a multiple of 3
constexpr wide binary_limit = wide_limit / (wide{1} << 61);  // leaves room for Ei

enum class suffix_format : std::uint8_t { decimal, exponent, binary };

/// value = mantissa * 10^scale, exact.
struct amount {
  bool negative = false;
  wide mantissa = 0;
  int scale = 0;
  suffix_format format = suffix_format::decimal;
};

enum class parse_error : std::uint8_t { none, format, numeric, suffix };

struct pieces {
  bool negative = false;
  std::string_view whole, fraction, suffix;
};

std::string_view take_digits(std::string_view text, std::size_t& at) {
  const std::size_t start = at;
  while (at < text.size() && is_digit(text[at])) ++at;
  return text.substr(start, at - start);
}

bool split(std::string_view text, pieces& out) {
  if (text.empty()) return false;
  std::size_t at = 0;
  if (text[0] == '-' || text[0] == '+') {
    out.negative = text[0] == '-';
    ++at;
  }
  out.whole = take_digits(text, at);
  if (at < text.size() && text[at] == '.') out.fraction = take_digits(text, ++at);
  const std::size_t start = at;
  while (at < text.size() && std::string_view("eEinumkKMGTP").find(text[at]) != std::string_view::npos) ++at;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  take_digits(text, at);
  out.suffix = text.substr(start);
  return at == text.size();
}

/// What a suffix multiplies by: 10^power or, for binary ones, 2^power.
bool read_suffix(std::string_view suffix, suffix_format& format, int& power) {
  format = suffix_format::decimal;
  power = 0;
  if (suffix.empty()) return true;
  if (suffix.size() == 1) {
    static constexpr std::string_view letters = "numkMGTPE";
    static constexpr int powers[] = {-9, -6, -3, 3, 6, 9, 12, 15, 18};
    const std::size_t index = letters.find(suffix[0]);
    if (index == std::string_view::npos) return false;
    power = powers[index];
    return true;
  }
  if (suffix.size() == 2 && suffix[1] == 'i') {
    static constexpr std::string_view letters = "KMGTPE";
    const std::size_t index = letters.find(suffix[0]);
    if (index == std::string_view::npos) return false;
    format = suffix_format::binary;
    power = static_cast<int>(index + 1) * 10;
    return true;
  }
  if (suffix[0] != 'e' && suffix[0] != 'E') return false;
  format = suffix_format::exponent;
  const char* start = suffix.data() + (suffix[1] == '+' ? 2 : 1);
  const char* end = suffix.data() + suffix.size();
  const auto read = std::from_chars(start, end, power);
  return read.ec == std::errc() && read.ptr == end && power > -10000 && power < 10000;
}

/// Reads the digits; those behind what 128 bits hold exactly are counted in the scale, rounding away from zero.
void read_digits(std::string_view digits, amount& out) {
  const wide limit = out.format == suffix_format::binary ? binary_limit : decimal_limit;
  bool lost = false;
  for (char c : digits) {
    const auto digit = static_cast<unsigned>(c - '0');
    if (out.mantissa >= limit) {
      lost = lost || digit != 0;
      ++out.scale;
    } else {
      out.mantissa = out.mantissa * 10 + digit;
    }
  }
  if (lost) ++out.mantissa;
}

/// Drops what is finer than 10^scale, rounding away from zero.
void round_up_to(amount& value, int scale) {
  bool lost = false;
  for (; value.scale < scale && value.mantissa != 0; ++value.scale) {
    lost = lost || value.mantissa % 10 != 0;
    value.mantissa /= 10;
  }
  if (value.scale < scale) value.scale = scale;
  if (lost) ++value.mantissa;
}

/// The value in units of 10^scale, rounded away from zero; int64_limit when it is beyond.
wide units(amount value, int scale) {
  round_up_to(value, scale);
  for (; value.scale > scale && value.mantissa <= int64_limit; --value.scale) value.mantissa *= 10;
  return std::min(value.mantissa, int64_limit);
}

bool is_whole(const amount& value) {
  wide mantissa = value.mantissa;
  for (int scale = value.scale; scale < 0; ++scale) {
    if (mantissa % 10 != 0) return false;
    mantissa /= 10;
  }
  return true;
}

parse_error parse(std::string_view text, amount& out) {
  pieces in;
  if (!split(text, in)) return parse_error::format;
  int power = 0;
  if (!read_suffix(in.suffix, out.format, power)) return parse_error::suffix;
  if (out.format == suffix_format::binary && in.whole.empty() && in.fraction.empty()) return parse_error::numeric;
  out.negative = in.negative;
  read_digits(in.whole, out);
  // Read on as one number; digits that did not fit have raised the scale already.
  read_digits(in.fraction, out);
  out.scale -= static_cast<int>(in.fraction.size());
  if (out.format == suffix_format::binary) {
    out.mantissa <<= power;
  } else {
    out.scale += power;
  }
  if (out.mantissa == 0) {
    out.scale = 0;
    out.negative = false;
    return parse_error::none;
  }
  while (out.mantissa % 10 == 0) {
    out.mantissa /= 10;
    ++out.scale;
  }
  round_up_to(out, nano);
  if (out.format == suffix_format::binary) {
    if (!is_whole(out) && units(out, 0) == 1) out.format = suffix_format::decimal;
    if (units(out, 0) == int64_limit) out = {out.negative, int64_limit, 0, suffix_format::binary};
  }
  return parse_error::none;
}

void append_number(std::string& out, wide value) {
  char digits[40];
  char* at = digits + sizeof digits;
  do {
    *--at = static_cast<char>('0' + static_cast<int>(value % 10));
    value /= 10;
  } while (value != 0);
  out.append(at, static_cast<std::size_t>(digits + sizeof digits - at));
}

void append_decimal(std::string& out, amount value, bool as_exponent) {
  while (value.mantissa % 10 == 0) {
    value.mantissa /= 10;
    ++value.scale;
  }
  while (value.scale % 3 != 0 || (!as_exponent && value.scale > 18)) {
    if (value.mantissa > wide_limit) break;
    value.mantissa *= 10;
    --value.scale;
  }
  append_number(out, value.mantissa);
  if (value.scale == 0) return;
  if (as_exponent) {
    out.append("e").append(std::to_string(value.scale));
  } else if (value.scale >= nano && value.scale <= 18) {
    static constexpr std::string_view letters = "num kMGTPE";
    out.push_back(letters[static_cast<std::size_t>((value.scale - nano) / 3)]);
  }
}

void append_canonical(std::string& out, const amount& value) {
  if (value.mantissa == 0) {
    out.push_back('0');
    return;
  }
  if (value.negative) out.push_back('-');
  if (value.format != suffix_format::binary || !is_whole(value) || units(value, 0) < 1024) {
    return append_decimal(out, value, value.format == suffix_format::exponent);
  }
  wide number = units(value, 0);
  std::size_t steps = 0;
  while (number % 1024 == 0 && steps < 6) {
    number /= 1024;
    ++steps;
  }
  append_number(out, number);
  static constexpr std::string_view letters = " KMGTPE";
  if (steps > 0) out.append(1, letters[steps]).append("i");
}

/// Whether apimachinery keeps a quantity's own text although it need not be canonical ("1.500", "+4", "1e+3"): its
/// quick path takes a number of few digits whose exponent is a multiple of 3 for canonical.
bool keeps_text(const pieces& in, suffix_format format, int power) {
  std::string_view whole = in.whole.substr(std::min(in.whole.find_first_not_of('0'), in.whole.size()));
  if (whole.empty()) whole = "0";
  const auto digits = static_cast<int>(whole.size() + in.fraction.size());
  if (format == suffix_format::binary) {
    if (!in.fraction.empty() || 15 - digits - power * 3 / 10 - 1 < 0) return false;
    return (whole.back() - '0') % 2 != 0 || std::stoll(std::string(whole)) % 8 != 0;
  }
  const int scale = power - static_cast<int>(in.fraction.size());
  if (digits > 18 || scale < nano || scale % 3 != 0 || whole[0] == '0') return false;
  const std::string shifted = std::string(whole).append(in.fraction);
  return !shifted.ends_with("000");
}

bool value_in(std::string_view text, int scale, std::int64_t& out) {
  amount value;
  if (parse(text, value) != parse_error::none) return false;
  const auto size = static_cast<std::int64_t>(units(value, scale));
  out = value.negative ? -size : size;
  return true;
}

}  // namespace

scalar_result normal_quantity(std::string_view in) {
  scalar_result out;
  amount value;
  switch (parse(in, value)) {
    case parse_error::format:
      out.error = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
      return out;
    case parse_error::numeric:
      out.error = "unable to parse numeric part of quantity";
      return out;
    case parse_error::suffix:
      out.error = "unable to parse quantity's suffix";
      return out;
    case parse_error::none:
      break;
  }
  out.ok = true;
  pieces parts;
  suffix_format format;
  int power = 0;
  if (split(in, parts) && read_suffix(parts.suffix, format, power) && keeps_text(parts, format, power)) {
    out.same = true;
    return out;
  }
  append_canonical(out.text, value);
  out.same = out.text == in;
  return out;
}

bool canonical_quantity(std::string_view text, std::string& out) {
  scalar_result read = normal_quantity(text);
  if (read.ok) out = read.same ? std::string(text) : std::move(read.text);
  return read.ok;
}

bool quantity_milli(std::string_view text, std::int64_t& out) { return value_in(text, -3, out); }

bool quantity_value(std::string_view text, std::int64_t& out) { return value_in(text, 0, out); }

}  // namespace troupe::schema
