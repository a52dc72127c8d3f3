// Taking values out of Secrets.
#include "messages/redaction.hpp"

#include "messages/document.hpp"

namespace troupe {

namespace {

constexpr const char* instead = "REDACTED";
constexpr const char* instead_base64 = "UkVEQUNURUQ=";  // the same, where base64 is wanted

void redact_values(document& doc, node* map, const char* value) {
  if (map == nullptr) return;
  if (!map->is_object()) return doc.assign(*map, value);
  for (auto* at = map->begin_members(); at != map->end_members(); ++at) doc.assign(at->value, value);
}

void redact_one(document& doc, node& root) {
  redact_values(doc, root.find("data"), instead_base64);
  redact_values(doc, root.find("stringData"), instead);
  redact_values(doc, root.find("metadata", "annotations"), instead);
}

}  // namespace

std::string redact_secrets(std::string_view json) {
  auto parsed = document::parse(json);
  if (!parsed) return "redacted";
  auto& root = parsed->root();
  if (root.is_array()) {  // JSON patch
    for (auto* step = root.begin_elements(); step != root.end_elements(); ++step)
      if (auto* value = step->find("value")) parsed->assign(*value, instead);
    return to_json(root);
  }
  redact_one(*parsed, root);
  if (auto* items = root.find("items"); items && items->is_array())
    for (auto* item = items->begin_elements(); item != items->end_elements(); ++item) redact_one(*parsed, *item);
  return to_json(root);
}

std::string traceable_body(std::string_view target, std::string_view body) {
  auto path = target.substr(0, target.find('?'));
  if (path.ends_with("/token")) return "redacted";
  bool secret = path.find("/secrets") != path.npos || body.find("\"kind\":\"Secret") != body.npos;
  return secret ? redact_secrets(body) : std::string(body);
}

}  // namespace troupe
