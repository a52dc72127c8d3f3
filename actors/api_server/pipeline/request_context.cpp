// Verbs and warnings of a request.
#include "actors/api_server/pipeline/request_context.hpp"

#include <algorithm>

namespace troupe::api {

std::string_view verb_name(request_verb verb) {
  constexpr std::string_view names[] = {
      "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", ""};
  return names[static_cast<std::size_t>(verb)];
}

void request_context::warn(std::string text) {
  if (std::find(warnings.begin(), warnings.end(), text) == warnings.end()) warnings.push_back(std::move(text));
}

}  // namespace troupe::api
