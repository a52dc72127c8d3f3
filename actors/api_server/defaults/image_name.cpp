// A reader of distribution's reference grammar, as far as the pull policy depends on it.
#include "actors/api_server/defaults/image_name.hpp"

#include <algorithm>

#include "actors/api_server/validation/names.hpp"

namespace troupe::api::rules {
namespace {

bool word(char c) { return lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '_'; }

/// alphanumerics separated by '.', '_', '__' or dashes.
bool path_component(std::string_view s) {
  if (s.empty() || !lower_alnum(s.front()) || !lower_alnum(s.back())) return false;
  for (std::size_t i = 0; i < s.size();) {
    if (lower_alnum(s[i])) {
      ++i;
      continue;
    }
    const char separator = s[i];
    if (separator != '.' && separator != '_' && separator != '-') return false;
    std::size_t run = 0;
    while (i < s.size() && s[i] == separator) ++i, ++run;
    if ((separator == '.' && run > 1) || (separator == '_' && run > 2)) return false;
  }
  return true;
}

/// The first part is a registry when it looks like a host: a dot, a port, capitals or "localhost".
bool host_like(std::string_view s) {
  return s.find_first_of(".:") != std::string_view::npos || s == "localhost" ||
         std::any_of(s.begin(), s.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool repository(std::string_view name) {
  if (const auto slash = name.find('/'); slash != std::string_view::npos && host_like(name.substr(0, slash)))
    name.remove_prefix(slash + 1);
  for (;;) {
    const auto slash = name.find('/');
    if (!path_component(name.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

bool valid_tag(std::string_view tag) {
  return !tag.empty() && tag.size() <= 128 && word(tag.front()) &&
         std::all_of(tag.begin(), tag.end(), [](char c) { return word(c) || c == '.' || c == '-'; });
}

}  // namespace

std::string_view image_tag(std::string_view image) {
  const auto at = image.find('@');
  const bool digest = at != std::string_view::npos;
  std::string_view name = image.substr(0, at), tag;
  const auto colon = name.rfind(':');
  if (colon != std::string_view::npos && name.find('/', colon) == std::string_view::npos) {
    tag = name.substr(colon + 1);
    name = name.substr(0, colon);
    if (!valid_tag(tag)) return {};
  }
  if (!repository(name)) return {};
  if (tag.empty() && !digest) return "latest";
  return tag;
}

}  // namespace troupe::api::rules
