// Decoding of bodies and its errors.
#include "actors/api_server/registry/body.hpp"

#include "actors/api_server/admission/strategy.hpp"
#include "messages/schema/codec.hpp"
#include "messages/schema/protobuf.hpp"

namespace troupe::api {

namespace {

std::string_view media_type(std::string_view content_type) {
  auto type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  return type;
}

/// The start of a body as decode errors show it: text for JSON, hexadecimal for anything else.
std::string summary(std::string_view body) {
  constexpr std::size_t most = 30;
  if (body.empty()) return "<empty>";
  auto head = body.substr(0, most);
  std::string dots = body.size() > most ? " ..." : "";
  if (body.front() == '{') return std::string(head) + dots;
  std::string out;
  for (unsigned char c : head) {
    out += "0123456789abcdef"[c >> 4];
    out += "0123456789abcdef"[c & 15];
  }
  return out + dots;
}

std::string group_version_text(const expected_object& what) {
  return what.group.empty() ? std::string(what.version) : std::string(what.group) + "/" + std::string(what.version);
}

std::string strict_text(const schema::conform_report& found) {
  std::string out = "strict decoding error: ";
  bool first = true;
  for (auto* list : {&found.unknown, &found.duplicate})
    for (auto& text : *list) {
      if (!first) out += ", ";
      first = false;
      out += text;
    }
  return out;
}

status check_kind(document& doc, const expected_object& what) {
  auto& root = doc.root();
  if (!root.is_object())
    return bad_request("the object provided is unrecognized (must be of type " + std::string(what.kind) +
                       "): couldn't get version/kind; json parse error: json: cannot unmarshal into Go value of type "
                       "struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string "
                       "\"json:\\\"kind,omitempty\\\"\" }");
  auto text = [&](std::string_view key) {
    auto* value = root.find(key);
    return value ? value->string() : std::string_view();
  };
  auto kind = text("kind");
  auto version = text("apiVersion");
  auto expected = group_version_text(what);
  if (!kind.empty() && !version.empty() && (kind != what.kind || version != expected)) {
    auto slash = version.find('/');
    auto group = slash == std::string_view::npos ? std::string_view() : version.substr(0, slash);
    auto bare = slash == std::string_view::npos ? version : version.substr(slash + 1);
    if (kind == what.kind && schema::find_kind(group, bare, kind) != schema::no_index)
      return bad_request("the API version in the data (" + std::string(version) +
                         ") does not match the expected API version (" + expected + ")");
    auto why = schema::find_kind(group, bare, kind) == schema::no_index
                   ? "no kind " + json_string(kind) + " is registered for version " + json_string(version) +
                         " in scheme \"pkg/api/legacyscheme/scheme.go:30\""
                   : "converting (" + std::string(bare) + "." + std::string(kind) + ") to (" +
                         std::string(what.version) + "." + std::string(what.kind) + "): unknown conversion";
    return bad_request(std::string(kind) + " in version " + json_string(bare) + " cannot be handled as a " +
                       std::string(what.kind) + ": " + why);
  }
  doc.set(root, "kind", what.kind);
  doc.set(root, "apiVersion", std::string_view(expected));
  return {};
}

void warn_all(const schema::conform_report& found, request_context& context) {
  if (context.options.validation != field_validation::warn) return;
  for (auto& text : found.unknown) context.warn(text);
  for (auto& text : found.duplicate) context.warn(text);
}

bool strict_failure(const schema::conform_report& found, const request_context& context) {
  return context.options.validation == field_validation::strict && !(found.unknown.empty() && found.duplicate.empty());
}

}  // namespace

result<document> parse_body(const request& incoming, std::string_view kind, std::uint16_t expected) {
  auto type = media_type(incoming.content_type);
  auto body = incoming.body.view();
  if (type == "application/vnd.kubernetes.protobuf") return schema::parse_protobuf(body, expected);
  bool yaml = type == "application/yaml";
  if (!type.empty() && type != "application/json" && !yaml)
    return make_status(reason::unsupported_media_type,
                       "the body of the request was in an unknown format - accepted media types include: "
                       "application/json, application/yaml, application/vnd.kubernetes.protobuf");
  auto parsed = yaml ? document::parse_yaml(body) : document::parse(body);
  if (parsed) return parsed;
  return bad_request("the object provided is unrecognized (must be of type " + std::string(kind) +
                     "): couldn't get version/kind; json parse error: " + parsed.error().message + " (" +
                     summary(body) + ")");
}

expected_object expected_body(const request_context& context) {
  const auto& row = context.info();
  const auto* sub = context.subresource;
  if (sub && !sub->kind.empty() && sub->type != schema::no_index)
    return {sub->version.empty() ? row.group : sub->group, sub->version.empty() ? row.version : sub->version, sub->kind,
            sub->type};
  return {row.group, row.version, row.kind, row.type};
}

status accept_object(document& doc, const expected_object& what, request_context& context) {
  if (auto wrong = check_kind(doc, what); !wrong.ok()) return wrong;
  schema::conform_report found;
  if (auto wrong = schema::conform(doc, doc.root(), what.type, found); !wrong.ok()) return wrong;
  if (strict_failure(found, context))
    return bad_request(std::string(what.kind) + " in version " + json_string(what.version) +
                       " cannot be handled as a " + std::string(what.kind) + ": " + strict_text(found));
  warn_all(found, context);
  default_object(doc, doc.root(), what.type);
  return {};
}

status accept_patched(document& doc, const expected_object& what, request_context& context, std::string_view patch) {
  if (auto wrong = check_kind(doc, what); !wrong.ok()) return wrong;
  schema::conform_report found;
  if (auto wrong = schema::conform(doc, doc.root(), what.type, found); !wrong.ok()) {
    // The error of a value of the wrong type is that of the patched object, not of a body.
    auto colon = wrong.message.find(": ");
    auto text = colon == std::string::npos ? wrong.message : wrong.message.substr(colon + 2);
    return invalid("", "", "", {{"FieldValueInvalid", "Invalid value: " + json_string(patch) + ": " + text, "patch"}});
  }
  if (strict_failure(found, context))
    return invalid(
        "", "", "",
        {{"FieldValueInvalid", "Invalid value: " + json_string(patch) + ": " + strict_text(found), "patch"}});
  warn_all(found, context);
  default_object(doc, doc.root(), what.type);
  return {};
}

}  // namespace troupe::api
