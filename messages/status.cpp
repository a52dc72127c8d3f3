// metav1.Status: reasons, codes and apimachinery's wording.
#include "messages/status.hpp"

#include "messages/document.hpp"

namespace troupe {
namespace {

struct reason_row {
  std::string_view text;
  std::uint16_t code;
};

const reason_row& row_of(reason why) {
  static constexpr reason_row rows[] = {
      {"", 0},
      {"Unauthorized", 401},
      {"Forbidden", 403},
      {"NotFound", 404},
      {"AlreadyExists", 409},
      {"Conflict", 409},
      {"Gone", 410},
      {"Expired", 410},
      {"Invalid", 422},
      {"BadRequest", 400},
      {"MethodNotAllowed", 405},
      {"NotAcceptable", 406},
      {"RequestEntityTooLarge", 413},
      {"UnsupportedMediaType", 415},
      {"TooManyRequests", 429},
      {"InternalError", 500},
      {"ServerTimeout", 500},
      {"ServiceUnavailable", 503},
      {"Timeout", 504},
      {"NotImplemented", 501},
  };
  return rows[static_cast<std::size_t>(why)];
}

/// pods.apps, or pods for the core group: schema.GroupResource.String().
std::string qualified(std::string_view group, std::string_view name) {
  std::string out(name);
  if (!group.empty()) out.append(".").append(group);
  return out;
}

/// A quoted name as Go's %q writes it.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

status about(reason why, std::string message, std::string_view group, std::string_view kind, std::string_view name) {
  status out = make_status(why, std::move(message));
  out.group = group;
  out.kind = kind;
  out.name = name;
  return out;
}

/// Appends `"key":"text"` with a comma where one is due, or nothing for an empty text.
void append_text(std::string& out, std::string_view key, std::string_view text) {
  if (text.empty()) return;
  if (out.back() != '{') out.push_back(',');
  append_json_string(out, key);
  out.push_back(':');
  append_json_string(out, text);
}

void append_causes(std::string& out, const std::vector<status_cause>& causes) {
  if (causes.empty()) return;
  out += out.back() == '{' ? "\"causes\":[" : ",\"causes\":[";
  for (const auto& cause : causes) {
    if (out.back() != '[') out.push_back(',');
    out.push_back('{');
    append_text(out, "reason", cause.reason);
    append_text(out, "message", cause.message);
    append_text(out, "field", cause.field);
    out.push_back('}');
  }
  out.push_back(']');
}

std::string details_of(const status& s) {
  std::string out = "{";
  append_text(out, "name", s.name);
  append_text(out, "group", s.group);
  append_text(out, "kind", s.kind);
  append_text(out, "uid", s.uid);
  append_causes(out, s.causes);
  if (s.retry_after_seconds != 0) {
    out += out.back() == '{' ? "\"retryAfterSeconds\":" : ",\"retryAfterSeconds\":";
    out += std::to_string(s.retry_after_seconds);
  }
  return out + "}";
}

}  // namespace

std::uint16_t http_code(reason why) { return row_of(why).code; }

std::string_view reason_text(reason why) { return row_of(why).text; }

std::string to_json(const status& s) {
  const bool failed = s.code >= 400;
  std::string out = R"({"kind":"Status","apiVersion":"v1","metadata":{})";
  append_text(out, "status", failed ? "Failure" : "Success");
  append_text(out, "message", s.message);
  append_text(out, "reason", reason_text(s.why));
  const std::string details = details_of(s);
  // These are always made with details upstream, the rest only when something is named.
  if (details != "{}" || s.why == reason::forbidden) out.append(",\"details\":").append(details);
  if (s.code != 0) out.append(",\"code\":").append(std::to_string(s.code));
  return out + "}";
}

status make_status(reason why, std::string message) {
  status out;
  out.why = why;
  out.code = http_code(why);
  out.message = std::move(message);
  return out;
}

status not_found(std::string_view group, std::string_view plural, std::string_view name) {
  return about(reason::not_found, qualified(group, plural) + " " + quoted(name) + " not found", group, plural, name);
}

status already_exists(std::string_view group, std::string_view plural, std::string_view name) {
  return about(reason::already_exists, qualified(group, plural) + " " + quoted(name) + " already exists", group, plural,
               name);
}

status conflict(std::string_view group, std::string_view plural, std::string_view name, std::string_view message) {
  return about(
      reason::conflict,
      "Operation cannot be fulfilled on " + qualified(group, plural) + " " + quoted(name) + ": " + std::string(message),
      group, plural, name);
}

status forbidden(std::string_view group, std::string_view plural, std::string_view name, std::string_view message) {
  // Without a name the resource is forbidden, without a resource the request.
  std::string text;
  if (plural.empty() && group.empty()) {
    text = "forbidden: ";
  } else if (name.empty()) {
    text = qualified(group, plural) + " is forbidden: ";
  } else {
    text = qualified(group, plural) + " " + quoted(name) + " is forbidden: ";
  }
  return about(reason::forbidden, text + std::string(message), group, plural, name);
}

status invalid(std::string_view group, std::string_view kind, std::string_view name, std::vector<status_cause> causes) {
  // Each cause reads "field: message"; several are listed in brackets, repeated ones once.
  std::vector<std::string> lines;
  for (const auto& cause : causes) {
    std::string line = cause.field.empty() ? cause.message : cause.field + ": " + cause.message;
    bool seen = false;
    for (const auto& earlier : lines) seen = seen || earlier == line;
    if (!seen) lines.push_back(std::move(line));
  }
  std::string text = qualified(group, kind) + " " + quoted(name) + " is invalid";
  if (lines.size() == 1) text += ": " + lines[0];
  if (lines.size() > 1) {
    text += ": [";
    for (std::size_t i = 0; i < lines.size(); ++i) text += (i ? ", " : "") + lines[i];
    text += "]";
  }
  status out = about(reason::invalid, std::move(text), group, kind, name);
  out.causes = std::move(causes);
  return out;
}

status bad_request(std::string message) { return make_status(reason::bad_request, std::move(message)); }

status internal_error(std::string message) {
  status out = make_status(reason::internal_error, "Internal error occurred: " + message);
  out.causes.push_back({"", std::move(message), ""});
  return out;
}

}  // namespace troupe
