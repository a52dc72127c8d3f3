// Formatting.
#include "tests/bench/client/report.hpp"

#include <array>
#include <cmath>
#include <cstdio>

namespace troupe::bench {

namespace {

std::string number(double value) {
  if (value < 0) return "-";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), value >= 100 ? "%.0f" : value >= 1 ? "%.1f" : "%.3f", value);
  return text.data();
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' || c == '\t' ? ' ' : c;
  }
  return out + "\"";
}

std::string json_number(double value) {
  if (value < 0 || !std::isfinite(value)) return "null";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return text.data();
}

}  // namespace

bool row_result::holds() const {
  if (!error.empty() || value < 0) return false;
  if (wanted.floor <= 0) return true;
  return wanted.at_least ? value >= wanted.floor : value <= wanted.floor;
}

std::string table_head() {
  std::array<char, 256> line{};
  std::snprintf(line.data(), line.size(), "%-42s %10s %-6s %9s %9s %9s %9s %8s %9s %9s  %s\n", "row", "value", "",
                "rate/s", "p50 ms", "p99 ms", "CPU us/op", "RSS MiB", "floor", "aim", "");
  return line.data();
}

std::string table_line(const row_result& row) {
  if (!row.error.empty()) return row.name + ": " + row.error + "\n";
  std::array<char, 512> line{};
  std::snprintf(line.data(), line.size(), "%-42s %10s %-6s %9s %9s %9s %9s %8s %9s %9s  %s\n", row.name.c_str(),
                number(row.value).c_str(), row.unit.c_str(), number(row.rate).c_str(), number(row.p50_ms).c_str(),
                number(row.p99_ms).c_str(), number(row.cpu_us).c_str(), number(row.rss_mib).c_str(),
                number(row.wanted.floor).c_str(), number(row.wanted.aim).c_str(), row.holds() ? "ok" : "BELOW FLOOR");
  return line.data();
}

std::string to_json(const std::vector<row_result>& rows) {
  std::string out = "{\"rows\":[";
  for (const auto& row : rows) {
    if (out.back() != '[') out += ",";
    out += "\n{\"name\":" + quoted(row.name) + ",\"unit\":" + quoted(row.unit) +
           ",\"value\":" + json_number(row.value) + ",\"rate\":" + json_number(row.rate) +
           ",\"p50_ms\":" + json_number(row.p50_ms) + ",\"p99_ms\":" + json_number(row.p99_ms) +
           ",\"server_cpu_us_per_op\":" + json_number(row.cpu_us) + ",\"rss_mib\":" + json_number(row.rss_mib) +
           ",\"peer\":" + json_number(row.wanted.peer) + ",\"floor\":" + json_number(row.wanted.floor) +
           ",\"aim\":" + json_number(row.wanted.aim) + ",\"holds\":" + (row.holds() ? "true" : "false");
    if (!row.error.empty()) out += ",\"error\":" + quoted(row.error);
    out += "}";
  }
  return out + "\n]}\n";
}

}  // namespace troupe::bench
