// Reading the annotations.
#include "actors/container_runtime/hollow/annotations.hpp"

#include <charconv>
#include <chrono>
#include <cstdio>

namespace troupe::hollow {

std::string annotations::get(std::string_view what) const {
  auto key = "troupe.dev/hollow-" + std::string(what);
  const std::string* common = nullptr;
  for (auto& [name, value] : all) {
    if (name == key + "." + container) return value;
    if (name == key) common = &value;
  }
  return common ? *common : std::string();
}

std::int64_t parse_duration(std::string_view text) {
  if (text.empty()) return -1;
  std::int64_t total = 0;
  while (!text.empty()) {
    std::int64_t number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || number < 0) return -1;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    auto unit = text.substr(0, text.find_first_of("0123456789"));
    text.remove_prefix(unit.size());
    if (unit == "ms")
      total += number;
    else if (unit == "s" || unit.empty())
      total += number * 1000;
    else if (unit == "m")
      total += number * 60'000;
    else if (unit == "h")
      total += number * 3'600'000;
    else
      return -1;
  }
  return total;
}

std::string log_line(std::int64_t wall_ns, std::string_view text) {
  using namespace std::chrono;
  auto at = sys_seconds(seconds(wall_ns / 1'000'000'000));
  auto day = floor<days>(at);
  year_month_day date(day);
  hh_mm_ss clock(at - day);
  char stamp[48];
  std::snprintf(stamp, sizeof stamp, "%04d-%02u-%02uT%02d:%02d:%02d.%09lldZ", int(date.year()), unsigned(date.month()),
                unsigned(date.day()), int(clock.hours().count()), int(clock.minutes().count()),
                int(clock.seconds().count()), static_cast<long long>(wall_ns % 1'000'000'000));
  return std::string(stamp) + " stdout F " + std::string(text);
}

}  // namespace troupe::hollow
