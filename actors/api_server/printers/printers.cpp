// Tables and PartialObjectMetadata around the rows, and the lines of a watch in every format.
#include "actors/api_server/printers/printers.hpp"

#include "actors/api_server/printers/rows.hpp"
#include "messages/schema/codec.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::api {

namespace {

constexpr std::string_view partial_head =
    R"({"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":)";

/// The object's metadata as it stands in its JSON; {} when there is none. Metadata comes first after kind and
/// apiVersion in canonical JSON.
std::string_view metadata_json(const object& from) {
  std::string_view rest = from.json.view().substr(from.item_offset);
  constexpr std::string_view key = "\"metadata\":";
  if (!rest.starts_with(key)) return "{}";
  rest.remove_prefix(key.size());
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    char c = rest[i];
    if (quoted) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return rest.substr(0, i + 1);
    }
  }
  return "{}";
}

void append_list_meta(std::string& out, const list_meta& meta) {
  out += "\"metadata\":{";
  std::size_t start = out.size();
  auto comma = [&] {
    if (out.size() != start) out += ',';
  };
  if (meta.revision) out += "\"resourceVersion\":\"" + std::to_string(meta.revision) + "\"";
  if (!meta.continue_token.empty()) {
    comma();
    out += "\"continue\":";
    append_json_string(out, meta.continue_token);
  }
  if (meta.remaining_item_count >= 0) {
    comma();
    out += "\"remainingItemCount\":" + std::to_string(meta.remaining_item_count);
  }
  out += '}';
}

void append_columns(std::string& out, const schema::resource& resource) {
  out += '[';
  for (const schema::column& column : resource.columns) {
    if (&column != &resource.columns[0]) out += ',';
    out += "{\"name\":";
    append_json_string(out, column.name);
    out += ",\"type\":";
    append_json_string(out, column.type);
    out += ",\"format\":";
    append_json_string(out, column.format);
    out += ",\"description\":";
    append_json_string(out, column.description);
    out += ",\"priority\":" + std::to_string(column.priority) + "}";
  }
  out += ']';
}

void append_row(std::string& out, const schema::resource& resource, row_function print, const object& from,
                table_objects include, std::int64_t now_ms) {
  out += "{\"cells\":[";
  auto parsed = document::parse(from.json.view());
  static const node nothing;
  const node& root = parsed ? parsed->root() : nothing;
  table_row cells(out, now_ms);
  print(cells, root);
  while (cells.count() < resource.columns.size()) cells.null();
  out += ']';
  if (std::string_view conditions = row_conditions(resource.group, resource.kind, root); !conditions.empty()) {
    out += ",\"conditions\":";
    out += conditions;
  }
  out += ",\"object\":";
  if (include == table_objects::none)
    out += "null";
  else if (include == table_objects::object)
    out += from.json.view();
  else
    append_partial_metadata(out, from);
  out += '}';
}

std::string_view event_name(event_type type) {
  switch (type) {
    case event_type::added:
      return "ADDED";
    case event_type::modified:
      return "MODIFIED";
    case event_type::deleted:
      return "DELETED";
    case event_type::bookmark:
      return "BOOKMARK";
  }
  return "ERROR";
}

std::string bookmark_metadata(const watch_event& event) {
  std::string out = "{\"resourceVersion\":\"" + std::to_string(event.revision) + "\"";
  if (event.initial_events_end) out += ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}";
  return out + "}";
}

std::string api_version_of(const schema::resource& resource) {
  std::string out(resource.group);
  if (!out.empty()) out += '/';
  return out + std::string(resource.version);
}

/// A bookmark's object: an empty one of the kind, but for its resource version, written as Go writes it.
void append_bookmark_object(std::string& out, const schema::resource& resource, const watch_event& event) {
  std::string text = "{\"kind\":\"" + std::string(resource.kind) + "\",\"apiVersion\":\"" + api_version_of(resource) +
                     "\",\"metadata\":" + bookmark_metadata(event) + "}";
  auto parsed = document::parse(text);
  schema::conform_report report;
  if (parsed && schema::conform(*parsed, parsed->root(), resource.type, report).ok())
    schema::encode(out, parsed->root(), resource.type, false);
  else
    out += text;
}

void append_bookmark_table(std::string& out, const schema::resource& resource, const watch_event& event, bool first) {
  out += R"({"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":)" + bookmark_metadata(event);
  out += ",\"columnDefinitions\":";
  if (first)
    append_columns(out, resource);
  else
    out += "null";
  out += ",\"rows\":[]}";
}

}  // namespace

void append_table(std::string& out, std::uint16_t resource, std::span<const object_ptr> objects, table_objects include,
                  bool headers, const list_meta& meta, std::int64_t now_ms) {
  const schema::resource& row = schema::resources()[resource];
  row_function print = row_function_of(row.group, row.kind);
  out += R"({"kind":"Table","apiVersion":"meta.k8s.io/v1",)";
  append_list_meta(out, meta);
  out += ",\"columnDefinitions\":";
  if (headers)
    append_columns(out, row);
  else
    out += "null";
  out += ",\"rows\":[";
  for (const object_ptr& object : objects) {
    if (&object != &objects[0]) out += ',';
    append_row(out, row, print, *object, include, now_ms);
  }
  out += "]}";
}

void append_scale_table(std::string& out, const node& scale, table_objects include, std::int64_t now_ms) {
  out += R"({"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":)";
  append_json_string(out, text_at(scale, "metadata", "resourceVersion"));
  out += R"(},"columnDefinitions":[{"name":"Name","type":"string","format":"name","description":"","priority":0},)"
         R"({"name":"Desired","type":"integer","format":"","description":"","priority":0},)"
         R"({"name":"Available","type":"integer","format":"","description":"","priority":0},)"
         R"({"name":"Age","type":"string","format":"","description":"","priority":0}],"rows":[{"cells":[)";
  table_row cells(out, now_ms);
  cells.name_of(scale)
      .number(number_at(scale, "spec", "replicas"))
      .number(number_at(scale, "status", "replicas"))
      .age_of(scale);
  out += "],\"object\":";
  const node* metadata = scale.find("metadata");
  if (include == table_objects::none || !metadata)
    out += "null";
  else if (include == table_objects::object)
    out += to_json(scale);
  else
    out += std::string(partial_head) + to_json(*metadata) + "}";
  out += "}]}";
}

void append_partial_metadata(std::string& out, const object& from) {
  out += partial_head;
  out += metadata_json(from);
  out += '}';
}

void append_partial_metadata_list(std::string& out, std::span<const object_ptr> objects, const list_meta& meta) {
  out += R"({"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1",)";
  append_list_meta(out, meta);
  out += ",\"items\":[";
  for (const object_ptr& object : objects) {
    if (&object != &objects[0]) out += ',';
    append_partial_metadata(out, *object);
  }
  out += "]}";
}

void append_watch_event(std::string& out, std::uint16_t resource, const watch_event& event, watch_format format,
                        table_objects include, bool first, std::int64_t now_ms) {
  const schema::resource& row = schema::resources()[resource];
  out += "{\"type\":\"";
  out += event_name(event.type);
  out += "\",\"object\":";
  if (event.type == event_type::bookmark || !event.object) {
    switch (format) {
      case watch_format::raw:
      case watch_format::json:
        append_bookmark_object(out, row, event);
        break;
      case watch_format::table:
        append_bookmark_table(out, row, event, first);
        break;
      case watch_format::partial_metadata:
        out += std::string(partial_head) + bookmark_metadata(event) + "}";
        break;
    }
  } else {
    switch (format) {
      case watch_format::raw:  // carries no events; were one to come, plain JSON says the most
      case watch_format::json:
        out += event.object->json.view();
        break;
      case watch_format::table:
        append_table(out, resource, {&event.object, 1}, include, first, {event.revision, {}, -1}, now_ms);
        break;
      case watch_format::partial_metadata:
        append_partial_metadata(out, *event.object);
        break;
    }
  }
  out += "}\n";
}

void append_watch_error(std::string& out, const status& error) {
  out += "{\"type\":\"ERROR\",\"object\":";
  out += to_json(error);
  out += "}\n";
}

}  // namespace troupe::api
