// The character rules of names. Scanners, not regular expressions: every object passes here.
#include "actors/api_server/validation/names.hpp"

#include <algorithm>

namespace troupe::api::rules {
namespace {

bool lower(char c) { return c >= 'a' && c <= 'z'; }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool alpha(char c) { return lower(c) || (c >= 'A' && c <= 'Z'); }
bool alnum(char c) { return alpha(c) || digit(c); }

bool is_label(std::string_view s) {
  if (s.empty() || !lower_alnum(s.front()) || !lower_alnum(s.back())) return false;
  return std::all_of(s.begin(), s.end(), [](char c) { return lower_alnum(c) || c == '-'; });
}

template <class F>
bool all_parts(std::string_view s, F&& good) {
  for (;;) {
    const auto dot = s.find('.');
    if (!good(s.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    s.remove_prefix(dot + 1);
  }
}

bool is_subdomain(std::string_view s) { return all_parts(s, is_label); }

bool is_underscore_label(std::string_view s) {
  if (!s.empty() && s.front() == '_') s.remove_prefix(1);
  if (s.empty() || !lower_alnum(s.front()) || !lower_alnum(s.back())) return false;
  return std::all_of(s.begin(), s.end(), [](char c) { return lower_alnum(c) || c == '-' || c == '_'; });
}

bool is_name_part(std::string_view s) {
  if (s.empty() || !alnum(s.front()) || !alnum(s.back())) return false;
  return std::all_of(s.begin(), s.end(), [](char c) { return alnum(c) || c == '-' || c == '_' || c == '.'; });
}

std::string max_length(std::size_t length, const char* unit) {
  return "must be no more than " + std::to_string(length) + " " + unit;
}

std::string pattern(std::string_view what, std::string_view regex, std::initializer_list<std::string_view> examples) {
  std::string out(what);
  out.append(" (e.g. ");
  bool first = true;
  for (auto example : examples) {
    if (!first) out.append(" or ");
    first = false;
    out.append("'").append(example).append("', ");
  }
  return out.append("regex used for validation is '").append(regex).append("')");
}

constexpr std::string_view label_regex = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
constexpr std::string_view subdomain_regex = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
constexpr std::string_view key_regex = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
constexpr std::string_view subdomain_words =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character";
constexpr std::string_view key_words =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

messages subdomain(std::string_view value, const char* unit) {
  messages out;
  if (value.size() > 253) out.push_back(max_length(253, unit));
  if (!is_subdomain(value)) out.push_back(pattern(subdomain_words, subdomain_regex, {"example.com"}));
  return out;
}

void check_dots(messages& out, std::string_view value) {
  if (value == ".")
    out.push_back("must not be '.'");
  else if (value == "..")
    out.push_back("must not be '..'");
  else if (value.starts_with(".."))
    out.push_back("must not start with '..'");
}

/// A prefix may end in a dash, since a suffix follows.
std::string masked(std::string_view name, bool prefix) {
  if (prefix && name.size() > 1 && name.back() == '-') return std::string(name.substr(0, name.size() - 2)) + "a";
  return std::string(name);
}

}  // namespace

std::string lower_case(std::string_view value) {
  std::string out(value);
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

messages dns1123_label(std::string_view value) {
  messages out;
  if (value.size() > 63) out.push_back(max_length(63, "characters"));
  if (is_label(value)) return out;
  if (is_subdomain(value))
    out.push_back("must not contain dots");
  else
    out.push_back(
        pattern("a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
                "must start and end with an alphanumeric character",
                label_regex, {"my-name", "123-abc"}));
  return out;
}

messages dns1123_subdomain(std::string_view value) { return subdomain(value, "characters"); }

messages dns1123_subdomain_with_underscore(std::string_view value) {
  messages out;
  if (value.size() > 253) out.push_back(max_length(253, "characters"));
  if (!all_parts(value, is_underscore_label))
    out.push_back(
        pattern("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' "
                "or '.', and must start and end with an alphanumeric character",
                "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*", {"example.com"}));
  return out;
}

messages wildcard_dns1123_subdomain(std::string_view value) {
  messages out;
  if (value.size() > 253) out.push_back(max_length(253, "characters"));
  if (!value.starts_with("*.") || !is_subdomain(value.substr(2)))
    out.push_back(
        pattern("a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which "
                "must consist of lower case alphanumeric characters, '-' or '.' and end with an "
                "alphanumeric character",
                "\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", {"*.example.com"}));
  return out;
}

messages dns1035_label(std::string_view value) {
  messages out;
  if (value.size() > 63) out.push_back(max_length(63, "characters"));
  if (!is_label(value) || !lower(value.front()))
    out.push_back(
        pattern("a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
                "alphabetic character, and end with an alphanumeric character",
                "[a-z]([-a-z0-9]*[a-z0-9])?", {"my-name", "abc-123"}));
  return out;
}

messages qualified_name(std::string_view value) {
  messages out;
  std::string_view name = value;
  const auto slash = value.find('/');
  if (slash != std::string_view::npos) {
    if (value.find('/', slash + 1) != std::string_view::npos) {
      out.push_back("a valid label key " + pattern(key_words, key_regex, {"MyName", "my.name", "123-abc"}) +
                    " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')");
      return out;
    }
    name = value.substr(slash + 1);
    if (slash == 0)
      out.push_back("prefix part must be non-empty");
    else
      for (auto& text : subdomain(value.substr(0, slash), "bytes")) out.push_back("prefix part " + text);
  }
  if (name.empty())
    out.push_back("name part must be non-empty");
  else if (name.size() > 63)
    out.push_back("name part " + max_length(63, "bytes"));
  if (!is_name_part(name))
    out.push_back("name part " + pattern(key_words, key_regex, {"MyName", "my.name", "123-abc"}));
  return out;
}

messages label_value(std::string_view value) {
  messages out;
  if (value.size() > 63) out.push_back(max_length(63, "bytes"));
  if (!value.empty() && !is_name_part(value))
    out.push_back(
        pattern("a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
                "'.', and must start and end with an alphanumeric character",
                "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?", {"MyValue", "my_value", "12345"}));
  return out;
}

messages path_segment_prefix(std::string_view value) {
  messages out;
  if (value.find('/') != std::string_view::npos) out.push_back("may not contain '/'");
  if (value.find('%') != std::string_view::npos) out.push_back("may not contain '%'");
  return out;
}

messages path_segment_name(std::string_view value) {
  if (value == "." || value == "..") return {"may not be '" + std::string(value) + "'"};
  return path_segment_prefix(value);
}

messages c_identifier(std::string_view value) {
  const bool good = !value.empty() && !digit(value.front()) &&
                    std::all_of(value.begin(), value.end(), [](char c) { return alnum(c) || c == '_'; });
  if (good) return {};
  return {
      pattern("a valid C identifier must start with alphabetic character or '_', followed by a string of "
              "alphanumeric characters or '_'",
              "[A-Za-z_][A-Za-z0-9_]*", {"my_name", "MY_NAME", "MyName"})};
}

messages port_name(std::string_view value) {
  messages out;
  if (value.size() > 15) out.push_back(max_length(15, "characters"));
  if (value.empty() || !std::all_of(value.begin(), value.end(), [](char c) { return lower_alnum(c) || c == '-'; }))
    out.push_back("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (std::none_of(value.begin(), value.end(), lower)) out.push_back("must contain at least one letter (a-z)");
  if (value.find("--") != std::string_view::npos) out.push_back("must not contain consecutive hyphens");
  if (!value.empty() && (value.front() == '-' || value.back() == '-'))
    out.push_back("must not begin or end with a hyphen");
  return out;
}

std::string range_message(std::int64_t low, std::int64_t high) {
  return "must be between " + std::to_string(low) + " and " + std::to_string(high) + ", inclusive";
}

messages in_range(std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value >= low && value <= high) return {};
  return {range_message(low, high)};
}

messages port_number(std::int64_t value) { return in_range(value, 1, 65535); }
messages user_id(std::int64_t value) { return in_range(value, 0, 2147483647); }
messages group_id(std::int64_t value) { return in_range(value, 0, 2147483647); }

messages percent(std::string_view value) {
  const bool good = value.size() > 1 && value.back() == '%' && std::all_of(value.begin(), value.end() - 1, digit);
  if (good) return {};
  return {
      pattern("a valid percent string must be a numeric string followed by an ending '%'", "[0-9]+%", {"1%", "93%"})};
}

messages http_header_name(std::string_view value) {
  if (!value.empty() && std::all_of(value.begin(), value.end(), [](char c) { return alnum(c) || c == '-'; })) return {};
  return {pattern("a valid HTTP header must consist of alphanumeric characters or '-'", "[-A-Za-z0-9]+",
                  {"X-Header-Name"})};
}

messages environment_name(std::string_view value) {
  messages out;
  if (value.empty()) out.push_back("environment variable name must be non-empty");
  if (!std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7f && c != '='; }))
    out.push_back("a valid environment variable name must consist only of printable ASCII characters other than '='");
  return out;
}

messages config_map_key(std::string_view value) {
  messages out;
  if (value.size() > 253) out.push_back(max_length(253, "characters"));
  const bool good = !value.empty() && std::all_of(value.begin(), value.end(),
                                                  [](char c) { return alnum(c) || c == '-' || c == '_' || c == '.'; });
  if (!good)
    out.push_back(pattern("a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
                          "[-._a-zA-Z0-9]+", {"key.name", "KEY_NAME", "key-name"}));
  check_dots(out, value);
  return out;
}

messages name_is_subdomain(std::string_view name, bool prefix) { return dns1123_subdomain(masked(name, prefix)); }
messages name_is_label(std::string_view name, bool prefix) { return dns1123_label(masked(name, prefix)); }
messages name_is_dns1035_label(std::string_view name, bool prefix) { return dns1035_label(masked(name, prefix)); }
messages name_is_path_segment(std::string_view name, bool prefix) {
  return prefix ? path_segment_prefix(name) : path_segment_name(name);
}
messages name_is_anything(std::string_view, bool) { return {}; }

}  // namespace troupe::api::rules
