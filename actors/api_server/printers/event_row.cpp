// The Event row, for both groups that Events have.
#include "actors/api_server/printers/rows.hpp"

namespace troupe::api {
inline namespace printing_detail {

namespace {

/// A field under its name in core/v1 or, failing that, in events.k8s.io/v1.
const node* either(const node& event, std::string_view core, std::string_view newer) {
  const node* found = event.find(core);
  return is_set(found) ? found : event.find(newer);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

std::string event_source(const node& event) {
  const node* source = either(event, "source", "deprecatedSource");
  auto of_source = [&](std::string_view field) { return source ? text_at(source->find(field)) : std::string_view(); };
  std::string_view controller = or_else(text_at(event, "reportingComponent"), text_at(event, "reportingController"));
  std::string_view component = or_else(of_source("component"), controller);
  std::string_view instance = or_else(of_source("host"), text_at(event, "reportingInstance"));
  std::string out(component);
  return instance.empty() ? out : out + ", " + std::string(instance);
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\n\r\v\f";
  auto begin = text.find_first_not_of(space);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

}  // namespace

void print_event(table_row& out, const node& event) {
  const node* first = either(event, "firstTimestamp", "deprecatedFirstTimestamp");
  const node* last = either(event, "lastTimestamp", "deprecatedLastTimestamp");
  const node* count_node = either(event, "count", "deprecatedCount");
  const node* about = either(event, "involvedObject", "regarding");
  std::string first_seen = out.since(is_set(first) ? first : event.find("eventTime"));
  std::string last_seen = is_set(last) ? out.since(last) : first_seen;
  std::int64_t count = count_node ? count_node->integer() : 0;
  if (const node* series = event.find("series"); is_set(series)) {
    last_seen = out.since(series->find("lastObservedTime"));
    count = number_at(*series, "count");
  } else if (count == 0) {
    count = 1;
  }
  std::string target = about ? lower(text_at(about->find("kind"))) : std::string();
  std::string_view name = about ? text_at(about->find("name")) : std::string_view();
  if (!name.empty()) target += "/" + std::string(name);
  out.text(last_seen).text(text_at(event, "type")).text(text_at(event, "reason")).text(target);
  out.text(about ? text_at(about->find("fieldPath")) : std::string_view()).text(event_source(event));
  out.text(trimmed(text_at(either(event, "message", "note")))).text(first_seen).number(count).name_of(event);
}

}  // namespace printing_detail
}  // namespace troupe::api
