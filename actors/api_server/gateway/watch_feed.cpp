// Framing of watch events.
#include "actors/api_server/gateway/watch_feed.hpp"

#include <array>
#include <charconv>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "messages/document.hpp"
#include "messages/schema/codec.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::gateway {

namespace {

constexpr std::size_t part_bytes = 64 * 1024;

std::string_view type_text(api::event_type type) {
  switch (type) {
    case api::event_type::added:
      return "ADDED";
    case api::event_type::modified:
      return "MODIFIED";
    case api::event_type::deleted:
      return "DELETED";
    case api::event_type::bookmark:
      return "BOOKMARK";
  }
  return "";
}

/// A bookmark's object, cut at the place where its revision stands.
struct bookmark_text {
  std::string before, after;
};

constexpr std::string_view revision_mark = "0000000000";

/// The empty object of the resource's kind, as the server writes one that has nothing but a revision.
bookmark_text make_bookmark(std::uint16_t resource, bool ends_initial) {
  std::string json = "{";
  if (resource != schema::no_index) {
    const auto& info = schema::resources()[resource];
    json += "\"kind\":\"" + std::string(info.kind) + "\",\"apiVersion\":\"";
    if (!info.group.empty()) json += std::string(info.group) + "/";
    json += std::string(info.version) + "\",";
  }
  json += "\"metadata\":{\"resourceVersion\":\"" + std::string(revision_mark) + "\"";
  if (ends_initial) json += ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}";
  json += "}}";
  auto parsed = resource == schema::no_index ? result<document>(bad_request("")) : document::parse(json);
  if (parsed.ok()) {
    auto type = schema::resources()[resource].type;
    schema::conform_report report;
    std::string canonical;
    if (schema::conform(*parsed, parsed->root(), type, report).ok()) {
      schema::encode(canonical, parsed->root(), type, false);
      if (canonical.find(revision_mark) != std::string::npos) json = std::move(canonical);
    }
  }
  auto at = json.find(revision_mark);
  return {json.substr(0, at), json.substr(at + revision_mark.size())};
}

/// Bookmark texts by resource; made on first use by each thread.
const bookmark_text& bookmark_of(std::uint16_t resource, bool ends_initial) {
  thread_local std::unordered_map<std::uint32_t, bookmark_text> made;
  auto key = static_cast<std::uint32_t>(resource) * 2 + (ends_initial ? 1 : 0);
  auto found = made.find(key);
  if (found == made.end()) found = made.emplace(key, make_bookmark(resource, ends_initial)).first;
  return found->second;
}

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits{};
  auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

std::size_t estimate_of(const api::watch_event& event) { return 48 + (event.object ? event.object->json.size() : 160); }

}  // namespace

void append_event(std::string& out, std::uint16_t resource, const api::watch_event& event) {
  out += "{\"type\":\"";
  out += type_text(event.type);
  out += "\",\"object\":";
  if (event.object) {
    out += event.object->json.view();
  } else {
    const auto& text = bookmark_of(resource, event.initial_events_end);
    out += text.before;
    append_number(out, event.revision);
    out += text.after;
  }
  out += "}\n";
}

void append_error_event(std::string& out, const status& error) {
  out += "{\"type\":\"ERROR\",\"object\":";
  out += to_json(error);
  out += "}\n";
}

std::uint16_t resource_of(std::string_view target) {
  auto path = target.substr(0, target.find('?'));
  std::array<std::string_view, 8> parts;
  std::size_t count = 0;
  while (!path.empty()) {
    auto slash = path.find('/');
    auto part = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (part.empty()) continue;
    if (part == "watch" && (count == 2 || count == 3)) continue;  // the old /watch/ prefix
    if (count == parts.size()) return schema::no_index;
    parts[count++] = part;
  }
  bool core = count >= 3 && parts[0] == "api";
  bool named = count >= 4 && parts[0] == "apis";
  if (!core && !named) return schema::no_index;
  auto group = core ? std::string_view() : parts[1];
  auto version = parts[core ? 1 : 2];
  std::size_t at = core ? 2 : 3;
  if (parts[at] == "namespaces" && count > at + 2) at += 2;
  return schema::find_resource(group, version, parts[at]);
}

framed_batch::framed_batch(events_ptr events, std::uint16_t resource)
    : events_(std::move(events)), resource_(resource) {
  for (const auto& event : *events_) bytes_ += estimate_of(event);
}

shared_bytes framed_batch::part(std::size_t index, bool last_reader) {
  while (parts_.size() <= index && next_event_ < events_->size()) {
    std::string text;
    text.reserve(std::min(part_bytes + part_bytes / 4, bytes_ + 64));
    while (next_event_ < events_->size() && text.size() < part_bytes) {
      const auto& event = (*events_)[next_event_];
      if (!text.empty() && text.size() + estimate_of(event) > part_bytes) break;
      append_event(text, resource_, event);
      ++next_event_;
    }
    parts_.emplace_back(std::move(text));
  }
  if (index >= parts_.size()) return {};
  if (last_reader && index > 0) parts_[index - 1] = {};
  return parts_[index];
}

watch_source::watch_source(watch_head head, const event_renderer* renderer)
    : head_(std::move(head)), renderer_(renderer) {}

std::size_t watch_source::counted(const std::vector<api::watch_event>& events, std::size_t bytes) {
  started_ = true;
  if (!initial_) return bytes;
  for (const auto& event : events)
    if (event.initial_events_end) initial_ = false;
  return 0;
}

void watch_source::push(std::shared_ptr<framed_batch> batch) {
  auto bytes = counted(*batch->events(), batch->bytes());
  backlog_ += bytes;
  waiting_.push_back({std::move(batch), nullptr, {}, bytes});
}

void watch_source::push_rendered(framed_batch::events_ptr events, std::uint64_t now_ms) {
  head_.now_ms = now_ms;
  std::size_t bytes = 0;
  for (const auto& event : *events) bytes += estimate_of(event);
  bytes = counted(*events, bytes);
  backlog_ += bytes;
  waiting_.push_back({nullptr, std::move(events), {}, bytes});
}

void watch_source::push_raw(shared_bytes bytes) {
  started_ = true;
  auto size = initial_ ? 0 : bytes.size();
  backlog_ += size;
  waiting_.push_back({nullptr, nullptr, std::move(bytes), size});
}

void watch_source::finish(const status& error) {
  if (!error.ok() && head_.format != api::watch_format::raw) {
    std::string text;
    append_error_event(text, error);
    waiting_.push_back({nullptr, nullptr, shared_bytes(std::move(text)), 0});
  }
  finished_ = true;
}

shared_bytes watch_source::render_some(const std::vector<api::watch_event>& events) {
  constexpr std::size_t enough = 16 * 1024;
  std::string text;
  while (next_part_ < events.size() && text.size() < enough) {
    const auto& event = events[next_part_++];
    if (renderer_ && *renderer_) {
      (*renderer_)(text, head_, event);
    } else {
      append_event(text, head_.resource, event);
    }
    head_.first = false;
  }
  return text.empty() ? shared_bytes() : shared_bytes(std::move(text));
}

shared_bytes watch_source::next_of(entry& front) {
  if (front.shared) return front.shared->part(next_part_++, front.shared.use_count() == 1);
  if (front.events) return render_some(*front.events);
  return next_part_++ == 0 ? front.text : shared_bytes();
}

void watch_source::refill(body_stream& into) {
  while (!waiting_.empty()) {
    auto& front = waiting_.front();
    auto bytes = next_of(front);
    if (!bytes.empty()) return into.append(piece(std::move(bytes)));
    backlog_ -= front.counted;
    if (raw_taken_ && !front.text.empty()) raw_taken_();
    waiting_.pop_front();
    next_part_ = 0;
  }
  if (started_) initial_ = false;
  if (finished_) into.end();
}

}  // namespace troupe::gateway
