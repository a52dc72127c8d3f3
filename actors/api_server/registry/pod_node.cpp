// pods/log, exec, attach, portforward: finds the pod and the container, then leaves it to the pod's node.
#include "actors/api_server/pipeline/respond.hpp"
#include "actors/api_server/registry/flows.hpp"
#include "actors/api_server/registry/object_text.hpp"

namespace troupe::api {

namespace {

std::string_view option(const request_context& context, std::string_view key) {
  for (auto& [name, value] : context.options.raw)
    if (name == key) return value;
  return {};
}

std::vector<std::string> names_in(const node& pod, std::string_view list) {
  std::vector<std::string> out;
  auto* containers = pod.find("spec", list);
  for (std::size_t i = 0; containers && i < containers->size(); ++i)
    out.emplace_back(text_at(containers->element(i), "name"));
  return out;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (auto& n : names) out += (out.empty() ? "" : " ") + n;
  return "[" + out + "]";
}

/// The container that the request means; 400 where it must be said or is none of the pod's.
result<std::string> choose_container(const node& pod, const request_context& context) {
  auto plain = names_in(pod, "containers");
  auto initial = names_in(pod, "initContainers");
  auto ephemeral = names_in(pod, "ephemeralContainers");
  std::string wanted(option(context, "container"));
  if (wanted.empty()) {
    if (plain.size() == 1) return plain.front();
    auto text = "a container name must be specified for pod " + context.name + ", choose one of: " + joined(plain);
    if (!initial.empty()) text += " or one of the init containers: " + joined(initial);
    return bad_request(text);
  }
  for (auto* list : {&plain, &initial, &ephemeral})
    for (auto& name : *list)
      if (name == wanted) return wanted;
  return bad_request("container " + wanted + " is not valid for pod " + context.name);
}

bool is_set(const request_context& context, std::string_view key) {
  for (auto& [name, value] : context.options.raw)
    if (name == key) return value != "false" && value != "0";
  return false;
}

/// A WebSocket begins with a GET, which must not be enough to run commands (k8s.io/kubernetes
/// pkg/registry/core/pod/rest authorize.go, feature gate AuthorizePodWebsocketUpgradeCreatePermission).
status may_create(request_host& host, const request_context& context) {
  if (context.verb == request_verb::create) return {};
  auto as_create = context;
  as_create.verb = request_verb::create;
  return authorise(host.judge(), as_create);
}

/// What is wrong with the request before its pod is looked at.
status check_stream(const request& incoming, const request_context& context) {
  if (context.verb != request_verb::get && context.verb != request_verb::create)
    return make_status(reason::method_not_allowed, "the server does not allow this method on the requested resource");
  if (incoming.upgrade.empty()) {
    // k8s.io/apimachinery pkg/util/proxy's words; the second is for clients whose protocols are not ours.
    for (auto& [name, value] : incoming.headers)
      if (name == "sec-websocket-protocol" || name == "x-stream-protocol-version")
        return bad_request("unable to upgrade: none of the requested protocols is supported: " + value);
    return bad_request("Upgrade request required");
  }
  if (context.subresource_name() == "portforward") return {};
  if (context.subresource_name() == "exec" && option(context, "command").empty())
    return bad_request("you must specify at least one command for the container");
  // k8s.io/kubelet pkg/cri/streaming/remotecommand's NewOptions
  if (!is_set(context, "stdin") && !is_set(context, "stdout") && !is_set(context, "stderr"))
    return bad_request("you must specify at least 1 of stdin, stdout, stderr");
  return {};
}

/// The pod as it is now; null when there is none of that name.
object_ptr find_pod(request_host& host, const request_context& context) {
  auto snapshot = host.slots().objects(context.resource);
  auto* found = snapshot->find(context.namespace_name, context.name);
  return found ? *found : nullptr;
}

status out_of_reach(const object& pod, std::string_view what) {
  auto why = make_status(reason::service_unavailable,
                         "node " + std::string(pod.node_name) + " cannot be asked for " + std::string(what));
  why.retry_after_seconds = 1;
  return why;
}

}  // namespace

answer_task read_pod_log(request_host& host, request_context& context) {
  auto waiting = host.fresh(context.resource);
  status readable = co_await waiting;
  if (!readable.ok()) co_return readable;
  auto pod = find_pod(host, context);
  if (!pod) co_return not_found("", "pods", context.name);
  auto parsed = document::parse(pod->json.view());
  if (!parsed) co_return internal_error(parsed.error().message);
  auto container = choose_container(parsed->root(), context);
  if (!container) co_return container.error();
  response out;
  out.id = context.id;
  out.content_type = "text/plain";
  // A pod that is on no node yet has written nothing.
  if (pod->node_name.empty()) co_return std::move(out);
  if (!host.delegate(context, pod, *container)) co_return out_of_reach(*pod, "the logs of its containers");
  out.code = 0;
  co_return std::move(out);
}

answer_task open_pod_stream(request_host& host, const request& incoming, request_context& context) {
  if (auto no = may_create(host, context); !no.ok()) co_return no;
  if (auto wrong = check_stream(incoming, context); !wrong.ok()) co_return wrong;
  auto waiting = host.fresh(context.resource);
  status readable = co_await waiting;
  if (!readable.ok()) co_return readable;
  auto pod = find_pod(host, context);
  if (!pod) co_return not_found("", "pods", context.name);
  auto parsed = document::parse(pod->json.view());
  if (!parsed) co_return internal_error(parsed.error().message);
  result<std::string> container = std::string();
  if (context.subresource_name() != "portforward") container = choose_container(parsed->root(), context);
  if (!container) co_return container.error();
  if (pod->node_name.empty()) co_return bad_request("pod " + context.name + " does not have a host assigned");
  if (!host.delegate(context, pod, *container)) co_return out_of_reach(*pod, "streams of its containers");
  response out;
  out.id = context.id;
  out.code = 0;
  co_return std::move(out);
}

}  // namespace troupe::api
