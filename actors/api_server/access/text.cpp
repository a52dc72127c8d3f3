// Small texts as Go prints them, and the 403 Status that authorizers give.
#include "actors/api_server/access/text.hpp"

#include <algorithm>

namespace troupe::api {
inline namespace access_detail {

namespace {

constexpr char hex_digits[] = "0123456789abcdef";

void append_quoted_byte(std::string& out, unsigned char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\a':
      out += "\\a";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\v':
      out += "\\v";
      return;
    default:
      break;
  }
  if (c < 0x20 || c == 0x7f) {
    out += "\\x";
    out += hex_digits[c >> 4];
    out += hex_digits[c & 15];
  } else {
    out += static_cast<char>(c);
  }
}

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

}  // namespace

std::string go_quote(std::string_view text) {
  std::string out = "\"";
  out.reserve(text.size() + 2);
  for (char c : text) append_quoted_byte(out, static_cast<unsigned char>(c));
  out += '"';
  return out;
}

std::string go_quote_list(const std::vector<std::string_view>& texts) {
  std::string out = "[";
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i) out += ' ';
    out += go_quote(texts[i]);
  }
  out += ']';
  return out;
}

std::string group_resource_text(std::string_view group, std::string_view resource) {
  std::string out(resource);
  if (!group.empty()) {
    out += '.';
    out += group;
  }
  return out;
}

status forbidden_status(std::string_view group, std::string_view resource, std::string_view name,
                        std::string_view why) {
  std::string message;
  if (!group.empty() || !resource.empty()) {
    message = group_resource_text(group, resource);
    message += name.empty() ? std::string(" is ") : " " + go_quote(name) + " is ";
  }
  message += "forbidden: ";
  message += why;
  status out = make_status(reason::forbidden, std::move(message));
  out.group = group;
  out.kind = resource;
  out.name = name;
  return out;
}

std::string forbidden_message(const user_info& user, const attributes& what) {
  std::string out = "User " + go_quote(user.name) + " cannot ";
  out += what.verb;
  if (!what.resource_request) {
    out += " path " + go_quote(what.path);
    return escape_html(out);
  }
  std::string resource(what.resource);
  if (!what.subresource.empty()) {
    resource += '/';
    resource += what.subresource;
  }
  out += " resource " + go_quote(resource) + " in API group " + go_quote(what.group);
  out += what.namespace_name.empty() ? std::string(" at the cluster scope")
                                     : " in the namespace " + go_quote(what.namespace_name);
  return escape_html(out);
}

status forbidden_request(const user_info& user, const attributes& what, std::string_view detail) {
  std::string why = forbidden_message(user, what);
  if (!detail.empty()) {
    why += ": ";
    why += detail;
  }
  if (!what.resource_request) return forbidden_status({}, {}, what.name, why);
  return forbidden_status(what.group, what.resource, what.name, why);
}

std::string aggregate_text(const std::vector<std::string>& errors) {
  std::vector<std::string_view> seen;
  std::string joined;
  for (const std::string& error : errors) {
    if (std::find(seen.begin(), seen.end(), error) != seen.end()) continue;
    if (!seen.empty()) joined += ", ";
    joined += error;
    seen.push_back(error);
  }
  return seen.size() > 1 ? "[" + joined + "]" : joined;
}

}  // namespace access_detail
}  // namespace troupe::api
