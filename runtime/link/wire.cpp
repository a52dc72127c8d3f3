// See wire.hpp.
#include "runtime/link/wire.hpp"

#include <utility>

#include <msgpack/null_visitor.hpp>
#include <msgpack/parse.hpp>

#include "messages/schema/schema.hpp"

namespace troupe::link {
namespace {

/// Counts values and depth; stops the parser beyond the limits.
class shape_judge : public msgpack::null_visitor {
 public:
  explicit shape_judge(const shape_limits& bounds) : bounds_(bounds) {}

  // NOLINTBEGIN(bugprone-derived-method-shadowing-base-method): msgpack's visitors are found by name
  bool start_array(std::uint32_t count) { return enter(count); }
  bool end_array() { return leave(); }
  bool start_map(std::uint32_t count) { return enter(std::size_t{count} * 2); }
  bool end_map() { return leave(); }
  // NOLINTEND(bugprone-derived-method-shadowing-base-method)

 private:
  bool enter(std::size_t count) {
    values_ += count;
    return ++depth_ <= bounds_.depth && values_ <= bounds_.values;
  }
  bool leave() {
    --depth_;
    return true;
  }

  const shape_limits& bounds_;
  std::size_t values_ = 0;
  std::size_t depth_ = 0;
};

/// An object by its resource's name, since the table's indices differ between versions. `json` has resourceVersion.
struct wire_object {
  std::string group, version, plural;
  std::uint64_t revision = 0, created = 0;
  shared_bytes json;
  MSGPACK_DEFINE(group, version, plural, revision, created, json)
};

enum class object_place : std::uint8_t { none, own, body };

struct wire_response {
  std::uint64_t id = 0;
  std::uint16_t code = 200;
  std::string content_type;
  std::vector<std::pair<std::string, std::string>> headers;
  shared_bytes body;
  std::uint64_t revision = 0;
  std::uint8_t place = 0;  // object_place
  wire_object object;
  status error;
  std::uint64_t watch_id = 0;
  api::watch_format format = api::watch_format::json;
  std::string table_options;
  MSGPACK_DEFINE(id, code, content_type, headers, body, revision, place, object, error, watch_id, format, table_options)
};

struct wire_event {
  api::event_type type = api::event_type::added;
  std::uint64_t revision = 0;
  bool initial_events_end = false;
  bool has_object = false;
  wire_object object;
  MSGPACK_DEFINE(type, revision, initial_events_end, has_object, object)
};

struct wire_batch {
  std::uint64_t watch_id = 0;
  std::vector<wire_event> events;
  status error;
  bool closed = false;
  shared_bytes raw;
  MSGPACK_DEFINE(watch_id, events, error, closed, raw)
};

struct wire_delivery {
  std::vector<wire_batch> batches;
  MSGPACK_DEFINE(batches)
};

wire_object to_wire(const object& from) {
  const auto& resource = schema::resources()[from.resource];
  return {std::string(resource.group),
          std::string(resource.version),
          std::string(resource.plural),
          from.revision,
          from.created,
          from.json};
}

/// The stored form: without resourceVersion, which stands in metadata, so that its first occurrence is the one.
std::string without_revision(std::string_view json) {
  constexpr std::string_view key = "\"resourceVersion\":\"";
  auto begin = json.find(key);
  auto end = begin == std::string_view::npos ? begin : json.find('"', begin + key.size());
  if (end == std::string_view::npos) return std::string(json);
  ++end;
  if (begin > 0 && json[begin - 1] == ',')
    --begin;
  else if (end < json.size() && json[end] == ',')
    ++end;
  std::string out;
  out.reserve(json.size());
  return out.append(json.substr(0, begin)).append(json.substr(end));
}

object_ptr from_wire(const wire_object& from, std::string_view json) {
  auto resource = schema::find_resource(from.group, from.version, from.plural);
  if (resource == schema::no_index) return nullptr;
  auto made = make_object(resource, without_revision(json), from.revision, from.created);
  return made ? *made : nullptr;
}

std::string joined(const std::vector<piece>& body) {
  std::string out;
  for (const auto& part : body) out.append(part.view());
  return out;
}

wire_event to_wire(const api::watch_event& from) {
  wire_event out{from.type, from.revision, from.initial_events_end, from.object != nullptr, {}};
  if (from.object) out.object = to_wire(*from.object);
  return out;
}

/// Collects batches into payloads of bounded size.
class slicer {
 public:
  slicer(std::size_t slice_bytes, std::vector<std::string>& out) : slice_bytes_(slice_bytes), out_(out) {}

  void add(const api::watch_batch& batch) {
    begin(batch.watch_id);
    if (batch.events) {
      for (const auto& event : *batch.events) {
        auto bytes = 64 + (event.object ? event.object->json.size() : 0);
        if (held_ > 0 && held_ + bytes > slice_bytes_) {
          flush();
          begin(batch.watch_id);
        }
        current_.batches.back().events.push_back(to_wire(event));
        held_ += bytes;
      }
    }
    auto& last = current_.batches.back();
    last.error = batch.error;
    last.closed = batch.closed;
    last.raw = batch.raw;
    held_ += batch.raw.size();
  }

  void flush() {
    if (current_.batches.empty()) return;
    out_.push_back(to_msgpack(current_));
    current_ = {};
    held_ = 0;
  }

 private:
  void begin(std::uint64_t watch_id) {
    wire_batch batch;
    batch.watch_id = watch_id;
    current_.batches.push_back(std::move(batch));
  }

  std::size_t slice_bytes_;
  std::vector<std::string>& out_;
  wire_delivery current_;
  std::size_t held_ = 0;
};

bool from_wire(const wire_batch& from, api::watch_batch& to) {
  to.watch_id = from.watch_id;
  to.error = from.error;
  to.closed = from.closed;
  to.raw = from.raw;
  auto events = std::make_shared<std::vector<api::watch_event>>();
  events->reserve(from.events.size());
  for (const auto& one : from.events) {
    api::watch_event made{one.type, nullptr, one.revision, one.initial_events_end};
    if (one.has_object) {
      made.object = from_wire(one.object, one.object.json.view());
      if (!made.object) return false;
    }
    events->push_back(std::move(made));
  }
  to.events = std::move(events);
  return true;
}

}  // namespace

bool within(std::string_view bytes, const shape_limits& limits) {
  shape_judge judge(limits);
  std::size_t read = 0;
  try {
    return msgpack::parse(bytes.data(), bytes.size(), read, judge) && read == bytes.size();
  } catch (const std::exception&) {
    return false;
  }
}

std::string encode(const api::response& answer) {
  wire_response out;
  out.id = answer.id;
  out.code = answer.code;
  out.content_type = answer.content_type;
  out.headers = answer.headers;
  out.body = shared_bytes(joined(answer.body));
  out.revision = answer.revision;
  if (answer.object) {
    bool same = out.body.view() == answer.object->json.view();
    out.place = static_cast<std::uint8_t>(same ? object_place::body : object_place::own);
    out.object = to_wire(*answer.object);
    if (same) out.object.json = {};
  }
  out.error = answer.error;
  out.watch_id = answer.watch_id;
  out.format = answer.format;
  out.table_options = answer.table_options;
  return to_msgpack(out);
}

bool decode(std::string_view bytes, api::response& answer) noexcept {
  wire_response from;
  if (!decode(bytes, from, trusted_shape)) return false;
  try {
    answer.id = from.id;
    answer.code = from.code;
    answer.content_type = std::move(from.content_type);
    answer.headers = std::move(from.headers);
    if (!from.body.empty()) answer.body.emplace_back(from.body);
    answer.revision = from.revision;
    auto place = static_cast<object_place>(from.place);
    if (place != object_place::none)
      answer.object = from_wire(from.object, place == object_place::body ? from.body.view() : from.object.json.view());
    answer.error = std::move(from.error);
    answer.watch_id = from.watch_id;
    answer.format = from.format;
    answer.table_options = std::move(from.table_options);
    return place == object_place::none || answer.object;
  } catch (const std::exception&) {
    return false;
  }
}

std::vector<std::string> encode(const api::watch_delivery& delivery, std::size_t slice_bytes) {
  std::vector<std::string> out;
  slicer cut(slice_bytes, out);
  for (const auto& batch : delivery.batches) cut.add(batch);
  cut.flush();
  return out;
}

bool decode(std::string_view bytes, api::watch_delivery& delivery) noexcept {
  wire_delivery from;
  if (!decode(bytes, from, trusted_shape)) return false;
  try {
    for (const auto& batch : from.batches)
      if (!from_wire(batch, delivery.batches.emplace_back())) return false;
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace troupe::link
