// Writing of answers.
#include "actors/api_server/pipeline/respond.hpp"

#include "messages/document.hpp"

namespace troupe::api {

namespace {

const piece& newline() {
  static const piece text{shared_bytes(std::string("\n"))};
  return text;
}
const piece& comma_brace() {
  static const piece text{shared_bytes(std::string(",{"))};
  return text;
}

std::string_view group_version(const schema::resource& row, std::string& scratch) {
  if (row.group.empty()) return row.version;
  scratch.assign(row.group).append("/").append(row.version);
  return scratch;
}

response answer_json(const request_context& context, std::uint16_t code, std::string json) {
  response out;
  out.id = context.id;
  out.code = code;
  if (context.yaml) {
    auto parsed = document::parse(json);
    if (parsed) json = to_yaml(parsed->root());
    out.content_type = "application/yaml";
  } else {
    json += '\n';
  }
  out.body.emplace_back(shared_bytes(std::move(json)));
  return out;
}

std::string list_head(const request_context& context, const list_meta& meta) {
  const auto& row = context.info();
  std::string scratch;
  std::string head = "{\"kind\":\"";
  head += row.list_kind;
  head.append("\",\"apiVersion\":\"").append(group_version(row, scratch));
  head.append("\",\"metadata\":{\"resourceVersion\":\"").append(std::to_string(meta.revision)).append("\"");
  if (!meta.continue_token.empty()) head.append(",\"continue\":\"").append(meta.continue_token).append("\"");
  if (meta.remaining_item_count >= 0)
    head.append(",\"remainingItemCount\":").append(std::to_string(meta.remaining_item_count));
  return head + "},\"items\":[";
}

}  // namespace

response answer_status(const request_context& context, const status& what) {
  auto out = answer_json(context, what.code ? what.code : 200, to_json(what));
  if (what.code >= 400) out.error = what;
  if (what.retry_after_seconds > 0) out.headers.emplace_back("retry-after", std::to_string(what.retry_after_seconds));
  return out;
}

response answer_success(const request_context& context, std::uint16_t code, std::string_view name,
                        std::string_view uid) {
  // Kubernetes gives delete's Status details but no code, and binding's a code but no details.
  std::string json = "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\"";
  if (name.empty()) return answer_json(context, code, json + ",\"code\":" + std::to_string(code) + "}");
  json += ",\"details\":{\"name\":";
  append_json_string(json, name);
  if (!context.group.empty()) {
    json += ",\"group\":";
    append_json_string(json, context.group);
  }
  json += ",\"kind\":";
  append_json_string(json, context.plural());
  if (!uid.empty()) {
    json += ",\"uid\":";
    append_json_string(json, uid);
  }
  return answer_json(context, code, json + "}}");
}

response answer_text(const request_context& context, std::uint16_t code, std::string json) {
  return answer_json(context, code, std::move(json));
}

response answer_object(const request_context& context, std::uint16_t code, const object_ptr& one) {
  response out;
  if (context.form == output_form::table) {
    std::string text;
    append_table(text, context.resource, {&one, 1}, context.options.include_object, true, {one->revision, {}, -1},
                 context.now_ms);
    out = answer_json(context, code, std::move(text));
  } else if (context.form == output_form::partial_metadata) {
    std::string text;
    append_partial_metadata(text, *one);
    out = answer_json(context, code, std::move(text));
  } else if (context.yaml) {
    out = answer_json(context, code, std::string(one->json.view()));
  } else {
    out.id = context.id;
    out.code = code;
    out.body.reserve(2);
    out.body.emplace_back(one->json);
    out.body.push_back(newline());
  }
  out.revision = one->revision;
  out.object = one;
  return out;
}

response answer_list(const request_context& context, const std::vector<object_ptr>& items, const list_meta& meta) {
  response out;
  if (context.form != output_form::object) {
    std::string text;
    if (context.form == output_form::table)
      append_table(text, context.resource, items, context.options.include_object, true, meta, context.now_ms);
    else
      append_partial_metadata_list(text, items, meta);
    out = answer_json(context, 200, std::move(text));
    out.revision = meta.revision;
    return out;
  }
  out.id = context.id;
  out.revision = meta.revision;
  out.body.reserve(items.size() * 2 + 2);
  out.body.emplace_back(shared_bytes(list_head(context, meta) + (items.empty() ? "" : "{")));
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out.body.push_back(comma_brace());
    const auto& o = *items[i];
    out.body.emplace_back(o.json, o.item_offset, o.json.size() - o.item_offset);
  }
  static const piece end{shared_bytes(std::string("]}\n"))};
  out.body.push_back(end);
  if (!context.yaml) return out;
  std::string text;
  for (auto& part : out.body) text += part.view();
  text.pop_back();
  auto yaml = answer_json(context, 200, std::move(text));
  yaml.revision = meta.revision;
  return yaml;
}

void add_warnings(const request_context& context, response& to) {
  for (auto& text : context.warnings) {
    std::string quoted;
    for (char c : text) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    to.headers.emplace_back("warning", "299 - \"" + quoted + "\"");
  }
}

}  // namespace troupe::api
