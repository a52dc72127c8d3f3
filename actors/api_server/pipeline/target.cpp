// Paths and verbs.
#include "actors/api_server/pipeline/target.hpp"

#include <algorithm>

#include "actors/api_server/pipeline/options.hpp"

namespace troupe::api {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Path segments, decoded; empty ones (doubled slashes) are skipped.
bool split_path(std::string_view path, std::vector<std::string>& out) {
  while (!path.empty()) {
    auto slash = path.find('/');
    auto part = path.substr(0, slash);
    if (!part.empty()) {
      std::string text;
      if (!percent_decode(part, false, text)) return false;
      out.push_back(std::move(text));
    }
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return true;
}

request_verb write_verb(method m, bool named) {
  switch (m) {
    case method::post:
      return request_verb::create;
    case method::put:
      return request_verb::update;
    case method::patch:
      return request_verb::patch;
    case method::del:
      return named ? request_verb::delete_ : request_verb::deletecollection;
    default:
      return request_verb::get;
  }
}

std::uint16_t verb_bit(request_verb verb) {
  switch (verb) {
    case request_verb::get:
      return schema::verb_get;
    case request_verb::list:
      return schema::verb_list;
    case request_verb::watch:
      return schema::verb_watch;
    case request_verb::create:
      return schema::verb_create;
    case request_verb::update:
      return schema::verb_update;
    case request_verb::patch:
      return schema::verb_patch;
    case request_verb::delete_:
      return schema::verb_delete;
    case request_verb::deletecollection:
      return schema::verb_deletecollection;
    default:
      return 0;
  }
}

bool known_group_version(std::string_view group, std::string_view version) {
  auto all = schema::group_versions();
  return std::any_of(all.begin(), all.end(),
                     [&](const auto& gv) { return gv.group == group && gv.version == version; });
}

/// Streams of a node that a pod's or node's subresource opens with any method.
bool is_connect(std::string_view subresource) {
  return subresource == "exec" || subresource == "attach" || subresource == "portforward" || subresource == "proxy";
}

/// Subresources whose answer is no API object: Accept is between the client and whoever answers.
bool chooses_own_media(const request_context& context) {
  return context.subresource && (is_connect(context.subresource->name) || context.subresource->name == "log");
}

/// The segments behind the group version, as resource, names and subresource.
struct resource_path {
  std::string plural;
  std::string subresource;
  std::size_t used = 0;
};

resource_path take_names(const std::vector<std::string>& parts, std::size_t at, request_context& context) {
  resource_path out;
  auto left = parts.size() - at;
  auto sub_of_namespace = [&] { return parts[at + 2] == "status" || parts[at + 2] == "finalize"; };
  if (parts[at] == "namespaces" && left > 2 && !sub_of_namespace()) {
    context.namespace_name = parts[at + 1];
    at += 2;
    left -= 2;
  }
  out.plural = parts[at];
  if (left > 1) context.name = parts[at + 1];
  if (left > 2) out.subresource = parts[at + 2];
  out.used = at + std::min<std::size_t>(left, 3);
  return out;
}

parsed_target resolve(const resource_path& found, const std::vector<std::string>& parts, request_context& context) {
  parsed_target out;
  const auto& row = context.info();
  for (auto i = found.used; i < parts.size(); ++i) context.subpath += "/" + parts[i];
  if (!found.subresource.empty()) {
    context.subresource = row.find_subresource(found.subresource);
    if (!context.subresource || (!context.subpath.empty() && context.subresource->name != "proxy")) {
      context.resource = schema::no_index;
      out.error = unknown_resource();
      return out;
    }
  }
  bool scope_fits = context.namespace_name.empty() || row.namespaced;
  bool needs_namespace = row.namespaced && context.namespace_name.empty() &&
                         (!context.name.empty() || context.verb == request_verb::deletecollection ||
                          (context.verb == request_verb::create && !context.subresource));
  if (!scope_fits || (needs_namespace && !context.name.empty())) {
    out.error = unknown_resource();
    context.resource = schema::no_index;
    return out;
  }
  auto verbs = context.subresource ? context.subresource->verbs : row.verbs;
  bool connects = context.subresource && is_connect(context.subresource->name);
  // Everything but create, list and deletecollection is about one object.
  bool needs_name = context.verb == request_verb::update || context.verb == request_verb::patch;
  bool wrong_place = needs_namespace || (needs_name && context.name.empty()) ||
                     (context.verb == request_verb::create && !context.name.empty() && !context.subresource);
  if (!connects && ((verbs & verb_bit(context.verb)) == 0 || wrong_place)) out.error = method_not_allowed();
  return out;
}

}  // namespace

bool percent_decode(std::string_view text, bool query, std::string& out) {
  out.reserve(out.size() + text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size()) return false;
      int high = hex_digit(text[i + 1]);
      int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return false;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += query && text[i] == '+' ? ' ' : text[i];
    }
  }
  return true;
}

status method_not_allowed() {
  return make_status(reason::method_not_allowed, "the server does not allow this method on the requested resource");
}

status not_acceptable() {
  return make_status(reason::not_acceptable,
                     "only the following media types are accepted: application/json, application/yaml");
}

status unknown_resource() { return make_status(reason::not_found, "the server could not find the requested resource"); }

parsed_target parse_target(const request& incoming, request_context& context) {
  parsed_target out;
  std::string_view target = incoming.target;
  auto mark = target.find('?');
  auto path = target.substr(0, mark);
  auto query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  context.path = path;
  context.http = incoming.verb;
  std::vector<std::string> parts;
  if (!split_path(path, parts)) {
    out.error = bad_request("invalid URL escape in path");
    return out;
  }
  bool core = !parts.empty() && parts[0] == "api";
  bool grouped = !parts.empty() && parts[0] == "apis";
  std::size_t at = core ? 2 : 3;
  out.plain = true;
  if ((!core && !grouped) || parts.size() <= at) return out;  // a nonresource path
  std::string_view group = core ? std::string_view() : std::string_view(parts[1]);
  if (!known_group_version(group, parts[at - 1])) return out;
  out.plain = false;
  bool legacy_watch = parts[at] == "watch" && parts.size() > at + 1;
  auto found = take_names(parts, at + (legacy_watch ? 1 : 0), context);
  context.resource = schema::find_resource(group, parts[at - 1], found.plural);
  if (context.resource == schema::no_index) {
    out.error = unknown_resource();
    return out;
  }
  context.group = context.info().group;
  context.version = context.info().version;
  auto wrong = read_options(query, context.options);
  bool read = incoming.verb == method::get || incoming.verb == method::head;
  if (legacy_watch) context.options.watch = true;
  if (legacy_watch && !context.name.empty()) {
    context.options.field_selector = "metadata.name=" + context.name;
    context.name.clear();
  }
  if (!read)
    context.verb = write_verb(incoming.verb, !context.name.empty());
  else if (!context.name.empty())
    context.verb = request_verb::get;
  else
    context.verb = context.options.watch ? request_verb::watch : request_verb::list;
  if (incoming.verb == method::other || incoming.verb == method::options) out.error = method_not_allowed();
  auto resolved = resolve(found, parts, context);
  if (!resolved.error.ok()) return resolved;
  bool acceptable = read_accept(incoming.accept, context) || chooses_own_media(context);
  if (out.error.ok() && !acceptable) out.error = not_acceptable();
  if (out.error.ok()) out.error = std::move(wrong);
  return out;
}

}  // namespace troupe::api
