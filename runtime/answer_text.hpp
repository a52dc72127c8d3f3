// What an answer of the api_server says, as text.
#pragma once

#include <string>

#include "messages/api_server.hpp"

namespace troupe::runtime {

/// The JSON of its object where it carries one, else its body.
inline std::string answer_text(const api::response& answer) {
  std::string out;
  if (answer.object) return out.append(answer.object->json.view());
  for (const auto& part : answer.body) out.append(part.view());
  return out;
}

}  // namespace troupe::runtime
