// Filters of requests.
#include "actors/api_server/registry/filters.hpp"

#include "actors/api_server/pipeline/respond.hpp"
#include "actors/api_server/registry/convert.hpp"

namespace troupe::api {

result<std::shared_ptr<const watch_filter>> make_filter(const request_context& context) {
  auto out = std::make_shared<watch_filter>();
  const auto& options = context.options;
  out->namespace_name = context.namespace_name;
  if (!options.label_selector.empty()) {
    auto labels = label_selector::parse(options.label_selector);
    if (!labels) return labels.error();
    out->labels = std::move(*labels);
  }
  if (!options.field_selector.empty()) {
    auto fields = field_selector::parse(options.field_selector, context.resource);
    if (!fields) return fields.error();
    out->fields = std::move(*fields);
  }
  if (is_converted(context.resource)) out->convert_to = context.resource;
  out->key = std::to_string(context.resource) + '\n' + out->namespace_name + '\n' + options.label_selector + '\n' +
             options.field_selector;
  return std::shared_ptr<const watch_filter>(std::move(out));
}

response with_continue(const request_context& context, const status& expired, const std::string& token) {
  response out = answer_status(context, expired);
  std::string text = to_json(expired);
  auto at = text.find("\"metadata\":{}");
  if (at != std::string::npos) text.replace(at, 13, "\"metadata\":{\"continue\":\"" + token + "\"}");
  auto body = answer_text(context, expired.code, std::move(text));
  out.body = std::move(body.body);
  return out;
}

}  // namespace troupe::api
