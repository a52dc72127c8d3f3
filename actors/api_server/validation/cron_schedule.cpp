// The reader of cron schedules: minute, hour, day of month, month, day of week.
#include "actors/api_server/validation/cron_schedule.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "messages/number.hpp"

namespace troupe::api::rules {
namespace {

struct bounds {
  int low, high;
  std::vector<std::string_view> names;  // from `low` on
};

const std::array<bounds, 5>& fields() {
  static const std::array<bounds, 5> all = {
      bounds{0, 59, {}}, bounds{0, 23, {}}, bounds{1, 31, {}},
      bounds{1, 12, {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
      bounds{0, 6, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}}};
  return all;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  for (;;) {
    const auto at = text.find(separator);
    out.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + 1);
  }
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  for (auto part : split(text, ' '))
    if (!part.empty()) out.push_back(part);
  return out;
}

std::string quoted(std::string_view text) { return std::string(text); }

/// A number or one of the field's names.
std::string read_number(std::string_view text, const bounds& b, bool names, int& out) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (names)
    for (std::size_t i = 0; i < b.names.size(); ++i)
      if (b.names[i] == lower) return out = b.low + static_cast<int>(i), std::string();
  const auto number = number_in<int>(text);
  if (!number)
    return "failed to parse int from " + quoted(text) + ": strconv.Atoi: parsing \"" + std::string(text) +
           "\": invalid syntax";
  out = *number;
  if (out < 0) return "negative number (" + std::to_string(out) + ") not allowed: " + quoted(text);
  return {};
}

/// One of "*", "a", "a-b", each with "/step".
std::string check_range(std::string_view text, const bounds& b) {
  const auto with_step = split(text, '/');
  const auto ends = split(with_step[0], '-');
  int low = b.low, high = b.high, step = 1;
  std::string wrong;
  if (ends[0] != "*" && ends[0] != "?") {
    if (wrong = read_number(ends[0], b, true, low); !wrong.empty()) return wrong;
    high = low;
    if (ends.size() > 2) return "too many hyphens: " + quoted(text);
    if (ends.size() == 2)
      if (wrong = read_number(ends[1], b, true, high); !wrong.empty()) return wrong;
  }
  if (with_step.size() > 2) return "too many slashes: " + quoted(text);
  if (with_step.size() == 2) {
    if (wrong = read_number(with_step[1], b, false, step); !wrong.empty()) return wrong;
    if (ends.size() == 1) high = b.high;
  }
  if (low < b.low)
    return "beginning of range (" + std::to_string(low) + ") below minimum (" + std::to_string(b.low) +
           "): " + quoted(text);
  if (high > b.high)
    return "end of range (" + std::to_string(high) + ") above maximum (" + std::to_string(b.high) +
           "): " + quoted(text);
  if (low > high)
    return "beginning of range (" + std::to_string(low) + ") beyond end of range (" + std::to_string(high) +
           "): " + quoted(text);
  if (step == 0) return "step of range should be a positive number: " + quoted(text);
  return {};
}

std::string check_descriptor(std::string_view text) {
  for (std::string_view known : {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
    if (text == known) return {};
  if (text.starts_with("@every ")) {
    const auto duration = text.substr(7);
    const bool good = !duration.empty() && duration.find_first_not_of("0123456789.hmsunµ") == std::string_view::npos &&
                      duration[0] >= '0' && duration[0] <= '9' && (duration.back() < '0' || duration.back() > '9');
    if (good) return {};
    return "failed to parse duration " + quoted(text) + ": time: invalid duration \"" + std::string(duration) + "\"";
  }
  return "unrecognized descriptor: " + quoted(text);
}

}  // namespace

std::string schedule_error(std::string_view schedule) {
  if (schedule.empty()) return "empty spec string";
  if (schedule.starts_with("TZ=") || schedule.starts_with("CRON_TZ=")) {
    const auto space = schedule.find(' ');
    if (space == std::string_view::npos) return "expected exactly 5 fields, found 0: []";
    schedule.remove_prefix(space + 1);
    while (!schedule.empty() && schedule.front() == ' ') schedule.remove_prefix(1);
  }
  if (schedule.starts_with('@')) return check_descriptor(schedule);
  const auto parts = words(schedule);
  if (parts.size() != 5) {
    std::string list;
    for (auto part : parts) list.append(list.empty() ? "" : " ").append(part);
    return "expected exactly 5 fields, found " + std::to_string(parts.size()) + ": [" + list + "]";
  }
  for (std::size_t i = 0; i < 5; ++i)
    for (auto range : split(parts[i], ','))
      if (auto wrong = check_range(range, fields()[i]); !wrong.empty()) return wrong;
  return {};
}

}  // namespace troupe::api::rules
