// Reading and checking of options.
#include "actors/api_server/pipeline/options.hpp"

#include <algorithm>
#include <array>

#include "actors/api_server/pipeline/target.hpp"
#include "messages/document.hpp"
#include "messages/number.hpp"

namespace troupe::api {

namespace {

status read_integer(std::string_view text, std::int64_t& out) {
  const auto number = number_in<std::int64_t>(text);
  if (!number) return bad_request("strconv.ParseInt: parsing " + json_string(text) + ": invalid syntax");
  out = *number;
  return {};
}

/// As apimachinery reads query booleans: absent value, anything but "false" and "0" is true.
bool read_boolean(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower != "false" && lower != "0";
}

status read_one(std::string_view key, const std::string& value, query_options& o) {
  std::int64_t number = 0;
  auto integer = [&] { return read_integer(value, number); };
  if (key == "labelSelector") o.label_selector = value;
  if (key == "fieldSelector") o.field_selector = value;
  if (key == "continue") o.continue_token = value;
  if (key == "resourceVersion") o.resource_version = value;
  if (key == "fieldManager") o.field_manager = value;
  if (key == "propagationPolicy") o.propagation_policy = value;
  if (key == "watch") o.watch = read_boolean(value);
  if (key == "force") o.force = read_boolean(value);
  if (key == "pretty") o.pretty = read_boolean(value);
  if (key == "allowWatchBookmarks") o.allow_bookmarks = read_boolean(value);
  if (key == "sendInitialEvents") o.send_initial_events = read_boolean(value);
  if (key == "orphanDependents") o.orphan_dependents = read_boolean(value);
  if (key == "limit" && !value.empty()) {
    if (auto wrong = integer(); !wrong.ok()) return wrong;
    o.limit = number > 0 ? static_cast<std::uint64_t>(number) : 0;
  }
  if (key == "timeoutSeconds" && !value.empty()) {
    if (auto wrong = integer(); !wrong.ok()) return wrong;
    o.timeout_seconds = number;
  }
  if (key == "gracePeriodSeconds" && !value.empty()) {
    if (auto wrong = integer(); !wrong.ok()) return wrong;
    o.grace_period_seconds = number;
  }
  if (key == "resourceVersionMatch")
    o.match = value == "Exact"          ? version_match::exact
              : value == "NotOlderThan" ? version_match::not_older_than
                                        : version_match::unset;
  if (key == "includeObject")
    o.include_object = value == "None"     ? table_objects::none
                       : value == "Object" ? table_objects::object
                                           : table_objects::metadata;
  if (key == "fieldValidation")
    o.validation = value == "Strict"   ? field_validation::strict
                   : value == "Ignore" ? field_validation::ignore
                                       : field_validation::warn;
  if (key == "dryRun") o.dry_run = o.dry_run || value == "All";
  return {};
}

const std::string* raw_option(const query_options& o, std::string_view key) {
  for (auto& [name, value] : o.raw)
    if (name == key) return &value;
  return nullptr;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// One clause of Accept: media type and the parameters that choose a form.
struct media_clause {
  std::string_view type, as, group, version;
};

media_clause read_clause(std::string_view text) {
  media_clause out;
  for (bool first = true; !text.empty(); first = false) {
    auto semicolon = text.find(';');
    auto part = trim(text.substr(0, semicolon));
    text = semicolon == std::string_view::npos ? std::string_view() : text.substr(semicolon + 1);
    if (first) {
      out.type = part;
      continue;
    }
    if (part.starts_with("as=")) out.as = part.substr(3);
    if (part.starts_with("g=")) out.group = part.substr(2);
    if (part.starts_with("v=")) out.version = part.substr(2);
  }
  return out;
}

bool take_clause(const media_clause& c, request_context& context) {
  bool json = c.type.empty() || c.type == "application/json" || c.type == "*/*" || c.type == "application/*";
  bool yaml = c.type == "application/yaml";
  if (!json && !yaml) return false;
  if (!c.as.empty()) {
    bool known = c.group == "meta.k8s.io" && (c.version == "v1" || c.version == "v1beta1");
    bool table = c.as == "Table";
    if (!known || (!table && !c.as.starts_with("PartialObjectMetadata"))) return false;
    // What cannot be listed (reviews, bindings) has no columns either.
    if (table && context.resource != schema::no_index && (context.info().verbs & schema::verb_list) == 0) return false;
    context.form = table ? output_form::table : output_form::partial_metadata;
  }
  context.yaml = yaml;
  return true;
}

status invalid_options(std::string_view kind, std::string why, std::string_view field, std::string message) {
  return invalid("meta.k8s.io", kind, "", {{std::move(why), std::move(message), std::string(field)}});
}

status forbidden_option(std::string_view field, std::string detail) {
  return invalid_options("ListOptions", "FieldValueForbidden", field, "Forbidden: " + std::move(detail));
}

bool is_revision(const std::string& text) {
  return text.empty() || std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

status check_watch_options(const query_options& o) {
  auto* match = raw_option(o, "resourceVersionMatch");
  if (!o.send_initial_events) {
    if (match && !match->empty())
      return forbidden_option("resourceVersionMatch",
                              "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    return {};
  }
  if (!match || o.match != version_match::not_older_than)
    return match && !match->empty()
               ? invalid_options("ListOptions", "FieldValueNotSupported", "resourceVersionMatch",
                                 "Unsupported value: " + json_string(*match) + ": supported values: \"NotOlderThan\"")
               : forbidden_option("resourceVersionMatch",
                                  "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
  if (!o.continue_token.empty()) return forbidden_option("continue", "sendInitialEvents is forbidden with continue");
  return {};
}

status check_plain_list_options(const query_options& o) {
  auto* match = raw_option(o, "resourceVersionMatch");
  if (o.send_initial_events) return forbidden_option("sendInitialEvents", "sendInitialEvents is forbidden for list");
  if (!match || match->empty()) return {};
  if (!o.resource_version || o.resource_version->empty())
    return forbidden_option("resourceVersionMatch",
                            "resourceVersionMatch is forbidden unless resourceVersion is provided");
  if (!o.continue_token.empty())
    return forbidden_option("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided");
  if (o.match == version_match::unset)
    return invalid_options(
        "ListOptions", "FieldValueNotSupported", "resourceVersionMatch",
        "Unsupported value: " + json_string(*match) + ": supported values: \"Exact\", \"NotOlderThan\"");
  if (o.match == version_match::exact && *o.resource_version == "0")
    return forbidden_option("resourceVersionMatch",
                            "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
  return {};
}

}  // namespace

status read_options(std::string_view query, query_options& options) {
  while (!query.empty()) {
    auto amp = query.find('&');
    auto pair = query.substr(0, amp);
    query = amp == std::string_view::npos ? std::string_view() : query.substr(amp + 1);
    if (pair.empty()) continue;
    auto equals = pair.find('=');
    std::string key, value;
    if (!percent_decode(pair.substr(0, equals), true, key)) return bad_request("invalid URL escape in query");
    if (equals != std::string_view::npos && !percent_decode(pair.substr(equals + 1), true, value))
      return bad_request("invalid URL escape in query");
    bool repeated = raw_option(options, key) != nullptr;
    options.raw.emplace_back(key, value);
    if (repeated && key != "dryRun") continue;  // the first one counts
    if (auto wrong = read_one(key, value, options); !wrong.ok()) return wrong;
  }
  return {};
}

bool read_accept(std::string_view accept, request_context& context) {
  if (trim(accept).empty()) return true;
  while (!accept.empty()) {
    auto comma = accept.find(',');
    auto clause = read_clause(trim(accept.substr(0, comma)));
    if (take_clause(clause, context)) return true;
    accept = comma == std::string_view::npos ? std::string_view() : accept.substr(comma + 1);
  }
  return false;
}

status check_write_options(const request_context& context) {
  const auto& o = context.options;
  std::string_view kind = context.verb == request_verb::create   ? "CreateOptions"
                          : context.verb == request_verb::update ? "UpdateOptions"
                          : context.verb == request_verb::patch  ? "PatchOptions"
                                                                 : "DeleteOptions";
  if (auto* dry = raw_option(o, "dryRun"); dry && *dry != "All" && !dry->empty())
    return invalid_options(kind, "FieldValueNotSupported", "dryRun",
                           "Unsupported value: [" + json_string(*dry) + "]: supported values: \"All\"");
  if (o.field_manager.size() > 128)
    return invalid_options(kind, "FieldValueTooLong", "fieldManager", "Too long: may not be more than 128 bytes");
  if (auto* level = raw_option(o, "fieldValidation");
      level && !level->empty() && *level != "Strict" && *level != "Warn" && *level != "Ignore")
    return invalid_options(
        kind, "FieldValueNotSupported", "fieldValidation",
        "Unsupported value: " + json_string(*level) + ": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"");
  return {};
}

namespace {
status check_revision(const query_options& o, std::string_view kind) {
  if (!o.resource_version || is_revision(*o.resource_version)) return {};
  return invalid_options(kind, "FieldValueInvalid", "resourceVersion",
                         "Invalid value: " + json_string(*o.resource_version) + ": strconv.ParseUint: parsing " +
                             json_string(*o.resource_version) + ": invalid syntax");
}
}  // namespace

status check_get_options(const request_context& context) { return check_revision(context.options, "GetOptions"); }

status check_list_options(const request_context& context) {
  const auto& o = context.options;
  if (auto wrong = check_revision(o, "ListOptions"); !wrong.ok()) return wrong;
  return context.verb == request_verb::watch ? check_watch_options(o) : check_plain_list_options(o);
}

}  // namespace troupe::api
