// Whether the user may do what the request says.
#include "actors/api_server/access/authorizer_state.hpp"
#include "actors/api_server/access/text.hpp"

namespace troupe::api {

namespace {

std::string_view method_text(method http) {
  switch (http) {
    case method::get:
      return "get";
    case method::head:
      return "head";
    case method::post:
      return "post";
    case method::put:
      return "put";
    case method::patch:
      return "patch";
    case method::del:
      return "delete";
    case method::options:
      return "options";
    case method::other:
      break;
  }
  return "";
}

/// The object's name where the field selector of a list or watch demands exactly one (metadata.name=x).
std::string_view selected_name(std::string_view selector) {
  constexpr std::string_view field = "metadata.name=";
  while (!selector.empty()) {
    auto comma = selector.find(',');
    std::string_view term = selector.substr(0, comma);
    if (term.starts_with(field)) {
      term.remove_prefix(field.size());
      if (term.starts_with('=')) term.remove_prefix(1);
      return term;
    }
    selector = comma == std::string_view::npos ? std::string_view() : selector.substr(comma + 1);
  }
  return {};
}

}  // namespace

attributes attributes_of(const request_context& context) {
  attributes out;
  out.path = context.path;
  if (context.verb == request_verb::nonresource || context.resource == schema::no_index) {
    out.resource_request = false;
    out.verb = method_text(context.http);
    return out;
  }
  out.verb = verb_name(context.verb);
  out.group = context.group;
  out.version = context.version;
  out.resource = context.plural();
  out.subresource = context.subresource_name();
  out.namespace_name = context.namespace_name;
  out.name = context.name;
  // A namespace is judged inside itself, as RequestInfo puts it.
  if (out.resource == "namespaces" && out.group.empty() && out.namespace_name.empty()) out.namespace_name = out.name;
  bool collection = context.verb == request_verb::list || context.verb == request_verb::watch ||
                    context.verb == request_verb::deletecollection;
  if (collection) {
    out.field_selector = context.options.field_selector;
    if (out.name.empty()) out.name = selected_name(out.field_selector);
  }
  return out;
}

status authorise(authorizer& judge, const request_context& context) {
  attributes what = attributes_of(context);
  const decision& verdict = judge.internals().judge(*context.user, what);
  if (verdict.allowed) return {};
  return forbidden_request(*context.user, what, verdict.reason);
}

}  // namespace troupe::api
