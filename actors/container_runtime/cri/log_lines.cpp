// See log_lines.hpp.
#include "actors/container_runtime/cri/log_lines.hpp"

#include <array>
#include <charconv>
#include <cstdio>

namespace troupe::cri {
namespace {

bool number(std::string_view text, std::size_t at, std::size_t size, std::int64_t& out) {
  if (text.size() < at + size) return false;
  auto* end = text.data() + at + size;
  auto read = std::from_chars(text.data() + at, end, out);
  return read.ec == std::errc() && read.ptr == end;
}

/// Days since 1970-01-01 of a date of the Gregorian calendar.
std::int64_t days_of(std::int64_t year, std::int64_t month, std::int64_t day) {
  year -= month <= 2;
  auto era = year / 400;
  auto of_era = year - era * 400;
  auto of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/// The time with nine digits of a second, as kubectl logs --timestamps shows it.
void append_time(std::string_view time, std::string& out) {
  auto dot = time.find('.');
  auto zone = time.find_first_of("Z+-", 19);
  if (time.size() < 20 || zone == time.npos) {
    out += time;
    return;
  }
  out += time.substr(0, 19);
  auto digits = dot == time.npos ? std::string_view() : time.substr(dot + 1, zone - dot - 1);
  out += '.';
  out += digits;
  if (digits.size() < 9) out.append(9 - digits.size(), '0');
  out += time.substr(zone);
}

}  // namespace

bool parse_log_line(std::string_view raw, log_line& out) {
  auto take = [&](std::string_view& word) {
    auto space = raw.find(' ');
    if (space == raw.npos) return false;
    word = raw.substr(0, space);
    raw.remove_prefix(space + 1);
    return true;
  };
  std::string_view tags;
  if (!take(out.time) || !take(out.stream)) return false;
  if (out.stream != "stdout" && out.stream != "stderr") return false;
  if (!take(tags)) {  // a line without text may end behind its tags
    tags = raw;
    raw = {};
  }
  tags = tags.substr(0, tags.find(':'));
  if (tags != "F" && tags != "P") return false;
  out.partial = tags == "P";
  out.text = raw;
  return true;
}

bool parse_log_time(std::string_view text, std::int64_t& out_ns) {
  std::int64_t year, month, day, hour, minute, second;
  if (!number(text, 0, 4, year) || !number(text, 5, 2, month) || !number(text, 8, 2, day) ||
      !number(text, 11, 2, hour) || !number(text, 14, 2, minute) || !number(text, 17, 2, second))
    return false;
  auto seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
  std::size_t at = 19;
  std::int64_t nanos = 0;
  if (at < text.size() && text[at] == '.') {
    std::int64_t scale = 100'000'000;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10)
      nanos += (text[at] - '0') * scale;
  }
  if (at >= text.size()) return false;
  if (text[at] == '+' || text[at] == '-') {
    std::int64_t zone_hour, zone_minute;
    if (!number(text, at + 1, 2, zone_hour) || !number(text, at + 4, 2, zone_minute)) return false;
    auto offset = zone_hour * 3600 + zone_minute * 60;
    seconds -= text[at] == '+' ? offset : -offset;
  } else if (text[at] != 'Z') {
    return false;
  }
  out_ns = seconds * 1'000'000'000 + nanos;
  return true;
}

bool log_filter::wanted(const log_line& line) {
  if (choice_.since_ns <= 0 || since_passed_) return true;
  std::int64_t at = 0;
  since_passed_ = parse_log_time(line.time, at) && at >= choice_.since_ns;
  return since_passed_;
}

void log_filter::take(std::string_view raw, std::string& out) {
  auto begin = out.size();
  while (!raw.empty() && !full_) {
    auto end = raw.find('\n');
    if (end == raw.npos) end = raw.size();
    log_line line;
    bool good = parse_log_line(raw.substr(0, end), line) && wanted(line);
    raw.remove_prefix(std::min(end + 1, raw.size()));
    if (!good) continue;
    if (choice_.timestamps && !inside_) {
      append_time(line.time, out);
      out += ' ';
    }
    out += line.text;
    if (!line.partial) out += '\n';
    inside_ = line.partial;
    if (choice_.limit_bytes <= 0) continue;
    auto left = choice_.limit_bytes - given_;
    if (static_cast<std::int64_t>(out.size() - begin) < left) continue;
    out.resize(begin + static_cast<std::size_t>(left));
    full_ = true;
  }
  given_ += static_cast<std::int64_t>(out.size() - begin);
}

std::size_t tail_begin(std::string_view text, std::int64_t lines) {
  auto at = text.rfind('\n');
  if (at == text.npos || lines <= 0) return text.size();
  for (; lines > 0; --lines) {
    if (at == 0) return 0;
    auto before = text.rfind('\n', at - 1);
    if (before == text.npos) return 0;
    at = before;
  }
  return at + 1;
}

}  // namespace troupe::cri
