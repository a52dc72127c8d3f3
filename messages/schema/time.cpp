// metav1.Time and MicroTime: read as Go's time.Parse does, written in UTC.
#include <cstdio>

#include "messages/ascii.hpp"
#include "messages/schema/scalars.hpp"

namespace troupe::schema {
namespace {

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar.
std::int64_t days_from_civil(std::int64_t year, int month, int day) {
  year -= month <= 2;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

struct civil {
  std::int64_t year = 0;
  int month = 0, day = 0;
};

civil civil_from_days(std::int64_t days) {
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const std::int64_t day_of_era = days - era * 146097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted = (5 * day_of_year + 2) / 153;
  civil out;
  out.day = static_cast<int>(day_of_year - (153 * shifted + 2) / 5 + 1);
  out.month = static_cast<int>(shifted < 10 ? shifted + 3 : shifted - 9);
  out.year = year_of_era + era * 400 + (out.month <= 2);
  return out;
}

int days_in(int month, int year) {
  static constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : days[month - 1];
}

/// Walks along a time's text; the first failure fixes the error.
class time_reader {
 public:
  time_reader(std::string_view text, time_format format) : all_(text), rest_(text), format_(format) {}

  bool read() {
    return digits(4, 4, year_, "2006") && literal("-") && digits(2, 2, month_, "01") &&
           in_range("month", month_, 1, 12) && literal("-") && digits(2, 2, day_, "02") && literal("T") &&
           digits(1, 2, hour_, "15") && in_range("hour", hour_, 0, 23) && literal(":") && digits(2, 2, minute_, "04") &&
           in_range("minute", minute_, 0, 59) && literal(":") && digits(2, 2, second_, "05") &&
           in_range("second", second_, 0, 59) && fraction() && zone() && at_end() && day_in_month();
  }

  std::string error;

  std::int64_t seconds() const {
    return days_from_civil(year_, month_, day_) * 86400 + hour_ * 3600 + minute_ * 60 + second_ - offset_;
  }
  int nanos() const { return nanos_; }

 private:
  static std::string quoted(std::string_view text) {
    static constexpr char hex[] = "0123456789abcdef";
    std::string out = "\"";
    for (char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte >= 0x80 || byte < 0x20) {
        out.append("\\x").append(1, hex[byte >> 4]).append(1, hex[byte & 15]);
      } else {
        if (c == '"' || c == '\\') out.push_back('\\');
        out.push_back(c);
      }
    }
    return out + "\"";
  }

  bool bad(std::string_view element) {
    static constexpr std::string_view layouts[] = {"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05.000000Z07:00"};
    error = "parsing time " + quoted(all_) + " as " + quoted(layouts[static_cast<int>(format_)]) + ": cannot parse " +
            quoted(rest_) + " as " + quoted(element);
    return false;
  }

  bool out_of_range(std::string_view what) {
    error = "parsing time " + quoted(all_) + ": " + std::string(what) + " out of range";
    return false;
  }

  bool in_range(std::string_view what, int value, int low, int high) {
    return (value >= low && value <= high) || out_of_range(what);
  }

  bool literal(std::string_view text) {
    if (!rest_.starts_with(text)) return bad(text);
    rest_.remove_prefix(text.size());
    return true;
  }

  bool digits(std::size_t least, std::size_t most, int& out, std::string_view element) {
    std::size_t count = 0;
    int value = 0;
    for (; count < most && count < rest_.size() && is_digit(rest_[count]); ++count)
      value = value * 10 + (rest_[count] - '0');
    if (count < least) return bad(element);
    out = value;
    rest_.remove_prefix(count);
    return true;
  }

  bool fraction() {
    const bool micros = format_ == time_format::micros;
    const bool begins = !rest_.empty() && (rest_[0] == '.' || rest_[0] == ',');
    std::size_t count = 0;
    while (begins && count + 1 < rest_.size() && is_digit(rest_[count + 1])) ++count;
    if (micros) {
      if (count < 6 || rest_[0] != '.') return bad(".000000");
      count = 6;
    }
    if (count == 0) return true;
    int scale = 100000000;
    for (std::size_t i = 1; i <= count && scale > 0; ++i, scale /= 10) nanos_ += (rest_[i] - '0') * scale;
    rest_.remove_prefix(count + 1);
    return true;
  }

  bool zone() {
    static constexpr std::string_view element = "Z07:00";
    if (rest_.starts_with("Z")) {
      rest_.remove_prefix(1);
      return true;
    }
    if (rest_.size() < 6 || rest_[3] != ':' || (rest_[0] != '+' && rest_[0] != '-')) return bad(element);
    for (std::size_t i : {1, 2, 4, 5}) {
      if (!is_digit(rest_[i])) return bad(element);
    }
    const int hours = (rest_[1] - '0') * 10 + (rest_[2] - '0');
    const int minutes = (rest_[4] - '0') * 10 + (rest_[5] - '0');
    if (hours > 24) return out_of_range("time zone offset hour");
    if (minutes > 60) return out_of_range("time zone offset minute");
    offset_ = (hours * 60 + minutes) * 60 * (rest_[0] == '-' ? -1 : 1);
    rest_.remove_prefix(6);
    return true;
  }

  bool at_end() {
    if (rest_.empty()) return true;
    error = "parsing time " + quoted(all_) + ": extra text: " + quoted(rest_);
    return false;
  }

  bool day_in_month() { return (day_ >= 1 && day_ <= days_in(month_, year_)) || out_of_range("day"); }

  std::string_view all_;
  std::string_view rest_;
  time_format format_;
  int year_ = 0, month_ = 0, day_ = 0, hour_ = 0, minute_ = 0, second_ = 0, nanos_ = 0;
  int offset_ = 0;
};

std::string format_time(std::int64_t seconds, int nanos, time_format format) {
  std::int64_t days = seconds / 86400;
  std::int64_t left = seconds % 86400;
  if (left < 0) {
    left += 86400;
    --days;
  }
  const civil date = civil_from_days(days);
  char text[64];
  const int size = std::snprintf(text, sizeof text, "%04lld-%02d-%02dT%02d:%02d:%02d",
                                 static_cast<long long>(date.year), date.month, date.day, static_cast<int>(left / 3600),
                                 static_cast<int>(left / 60 % 60), static_cast<int>(left % 60));
  std::string out(text, static_cast<std::size_t>(size));
  if (format == time_format::micros) {
    const std::string micros = std::to_string(1000000 + nanos / 1000);
    out.append(".").append(micros, 1);
  }
  return out + "Z";
}

constexpr std::int64_t zero_time_seconds = -62135596800;  // 0001-01-01T00:00:00Z

/// Whether the text is in normal form, judged cheaply; false is no verdict.
bool is_normal(std::string_view in, time_format format) {
  static constexpr std::string_view shapes[] = {"dddd-dd-ddTdd:dd:ddZ", "dddd-dd-ddTdd:dd:dd.ddddddZ"};
  const std::string_view shape = shapes[static_cast<int>(format)];
  if (in.size() != shape.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 'd' ? !is_digit(in[i]) : in[i] != shape[i]) return false;
  }
  auto two = [&](std::size_t at) { return (in[at] - '0') * 10 + (in[at + 1] - '0'); };
  return two(0) > 0 && two(5) >= 1 && two(5) <= 12 && two(8) >= 1 && two(8) <= 28 && two(11) < 24 && two(14) < 60 &&
         two(17) < 60;
}

}  // namespace

scalar_result normal_time(std::string_view in, time_format format) {
  scalar_result out;
  if (is_normal(in, format)) {
    out.ok = out.same = true;
    return out;
  }
  time_reader reader(in, format);
  if (!reader.read()) {
    out.error = std::move(reader.error);
    return out;
  }
  out.ok = true;
  if (reader.seconds() == zero_time_seconds && reader.nanos() == 0) return out;
  out.text = format_time(reader.seconds(), reader.nanos(), format);
  out.same = out.text == in;
  return out;
}

std::optional<std::int64_t> time_ms(std::string_view in) {
  time_reader reader(in, time_format::seconds);
  if (!reader.read()) return std::nullopt;
  return reader.seconds() * 1000 + reader.nanos() / 1'000'000;
}

}  // namespace troupe::schema
