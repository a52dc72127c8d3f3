// What row functions write and how they read objects: cells, ages, lists, selectors, as Kubernetes prints them.
#include "actors/api_server/printers/cells.hpp"

#include <algorithm>
#include <map>

namespace troupe::api {
inline namespace printing_detail {

namespace {

std::string with_rest(std::int64_t big, char big_unit, std::int64_t rest, char rest_unit) {
  std::string out = std::to_string(big) + big_unit;
  return rest == 0 ? out : out + std::to_string(rest) + rest_unit;
}

std::string one(std::int64_t value, char unit) { return std::to_string(value) + unit; }

std::string requirement_text(const node& expression) {
  std::string key(text_at(expression, "key"));
  std::string_view op = text_at(expression, "operator");
  if (op == "Exists") return key;
  if (op == "DoesNotExist") return "!" + key;
  std::vector<std::string> values;
  for (const node& value : elements_of(expression.find("values"))) values.emplace_back(value.string());
  std::sort(values.begin(), values.end());
  return key + (op == "NotIn" ? " notin (" : " in (") + join(values, ",") + ")";
}

}  // namespace

void table_row::separate() {
  if (count_++) out_ += ',';
}
table_row& table_row::text(std::string_view cell) {
  separate();
  append_json_string(out_, cell);
  return *this;
}
table_row& table_row::number(std::int64_t cell) {
  separate();
  out_ += std::to_string(cell);
  return *this;
}
table_row& table_row::flag(bool cell) {
  separate();
  out_ += cell ? "true" : "false";
  return *this;
}
table_row& table_row::null() {
  separate();
  out_ += "null";
  return *this;
}
table_row& table_row::age(const node* time) { return text(since(time)); }
table_row& table_row::name_of(const node& object) { return text(text_at(object, "metadata", "name")); }

std::string table_row::since(const node* time) const {
  const auto then = schema::time_ms(text_at(time));
  return then ? human_duration(now_ms_ - *then) : "<unknown>";
}

std::string human_duration(std::int64_t milliseconds) {
  std::int64_t seconds = milliseconds / 1000, minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
  if (seconds < -1) return "<invalid>";  // clocks may differ by a second
  if (seconds < 0) return "0s";
  if (seconds < 120) return one(seconds, 's');
  if (minutes < 10) return with_rest(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return one(minutes, 'm');
  if (hours < 8) return with_rest(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return one(hours, 'h');
  if (hours < 24 * 8) return with_rest(days, 'd', hours % 24, 'h');
  if (hours < 24 * 365 * 2) return one(days, 'd');
  if (hours < 24 * 365 * 8) return with_rest(days / 365, 'y', days % 365, 'd');
  return one(days / 365, 'y');
}

std::string_view text_at(const node* at) { return at ? at->string() : std::string_view(); }
bool is_set(const node* at) { return at && !at->is_null(); }

std::string scalar_text(const node* at) {
  if (!at) return {};
  if (at->is_string()) return std::string(at->string());
  return at->is_null() ? std::string() : to_json(*at);
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const std::string& part : parts) {
    if (&part != &parts[0]) out += separator;
    out += part;
  }
  return out;
}

std::string join_some(const std::vector<std::string>& parts, std::size_t most) {
  if (parts.size() <= most) return join(parts, ",");
  std::vector<std::string> first(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(most));
  return join(first, ",") + " + " + std::to_string(parts.size() - most) + " more...";
}

std::string labels_text(const node* labels) {
  std::map<std::string_view, std::string_view> sorted;
  for (const member& label : members_of(labels)) sorted[label.key] = label.value.string();
  std::string out;
  for (const auto& [key, value] : sorted) {
    if (!out.empty()) out += ',';
    out += std::string(key) + "=" + std::string(value);
  }
  return out.empty() ? "<none>" : out;
}

std::string selector_text(const node* selector, std::string_view empty) {
  std::vector<std::pair<std::string, std::string>> parts;  // key, requirement
  if (selector) {
    for (const member& label : members_of(selector->find("matchLabels")))
      parts.emplace_back(label.key, std::string(label.key) + "=" + std::string(label.value.string()));
    for (const node& expression : elements_of(selector->find("matchExpressions")))
      parts.emplace_back(text_at(expression, "key"), requirement_text(expression));
  }
  if (parts.empty()) return std::string(empty);
  std::stable_sort(parts.begin(), parts.end(), [](auto& a, auto& b) { return a.first < b.first; });
  std::vector<std::string> texts;
  texts.reserve(parts.size());
  for (auto& part : parts) texts.push_back(std::move(part.second));
  return join(texts, ",");
}

bool has_condition(const node& object, std::string_view type) {
  for (const node& condition : elements_of(object.find("status", "conditions")))
    if (text_at(condition, "type") == type && text_at(condition, "status") == "True") return true;
  return false;
}

void container_cells(table_row& out, const node* containers) {
  std::vector<std::string> names, images;
  for (const node& container : elements_of(containers)) {
    names.emplace_back(text_at(container, "name"));
    images.emplace_back(text_at(container, "image"));
  }
  out.text(join(names, ",")).text(join(images, ","));
}

}  // namespace printing_detail
}  // namespace troupe::api
