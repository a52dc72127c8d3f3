// Which flow a request takes.
#include "actors/api_server/registry/flows.hpp"
#include "actors/api_server/registry/object_text.hpp"

namespace troupe::api {

namespace {

status not_built(const request_context& context) {
  auto sub = std::string(context.subresource_name());
  return make_status(reason::not_implemented, "the server does not support the " + sub + " subresource of " +
                                                  std::string(context.plural()) + " yet");
}

bool holds_object(std::string_view sub) {
  return sub == "status" || sub == "finalize" || sub == "approval" || sub == "ephemeralcontainers" || sub == "resize";
}

/// What only a kubelet could carry out, and ours does not yet.
bool needs_kubelet(std::string_view sub) { return sub == "ephemeralcontainers" || sub == "resize"; }

bool is_stream(std::string_view sub) { return sub == "exec" || sub == "attach" || sub == "portforward"; }

answer_task refuse(status why) { co_return why; }

answer_task handle_subresource(request_host& host, const request& incoming, request_context& context) {
  auto sub = context.subresource_name();
  bool write = context.verb == request_verb::update || context.verb == request_verb::patch;
  if (write && needs_kubelet(sub)) return refuse(not_built(context));
  if (holds_object(sub)) return write ? update_object(host, incoming, context) : get_object(host, context);
  if (sub == "scale") return write ? update_scale(host, incoming, context) : get_scale(host, context);
  if (sub == "binding") return bind_pod(host, incoming, context);
  if (sub == "log") return read_pod_log(host, context);
  if (is_stream(sub) && context.plural() == "pods") return open_pod_stream(host, incoming, context);
  if (sub == "eviction") return evict_pod(host, incoming, context);
  return refuse(not_built(context));
}

/// Every use of a deprecated API says so, reads too (k8s.io/apiserver's WithDeprecationWarning).
void warn_of_deprecation(request_context& context) {
  if (!context.group.empty()) return;
  if (context.plural() == "endpoints")
    context.warn("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice");
  if (context.plural() == "componentstatuses") context.warn("v1 ComponentStatus is deprecated in v1.19+");
}

}  // namespace

answer_task handle_resource(request_host& host, const request& incoming, request_context& context) {
  warn_of_deprecation(context);
  if (context.subresource) return handle_subresource(host, incoming, context);
  if (context.plural() == "bindings" && context.group.empty()) return bind_pod(host, incoming, context);
  switch (context.verb) {
    case request_verb::get:
      return get_object(host, context);
    case request_verb::list:
      return list_objects(host, context);
    case request_verb::watch:
      return watch_objects(host, context, incoming);
    case request_verb::create:
      return create_object(host, incoming, context);
    case request_verb::update:
    case request_verb::patch:
      return update_object(host, incoming, context);
    case request_verb::delete_:
      return delete_object(host, incoming, context);
    case request_verb::deletecollection:
      return delete_collection(host, incoming, context);
    default:
      return refuse(
          make_status(reason::method_not_allowed, "the server does not allow this method on the requested resource"));
  }
}

}  // namespace troupe::api
