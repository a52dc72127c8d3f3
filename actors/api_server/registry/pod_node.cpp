// pods/log: finds the pod and the container, then leaves it to the pod's node.
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

}  // namespace

answer_task read_pod_log(request_host& host, request_context& context) {
  auto waiting = host.fresh(context.resource);
  status readable = co_await waiting;
  if (!readable.ok()) co_return readable;
  auto snapshot = host.slots().objects(context.resource);
  auto* found = snapshot->find(context.namespace_name, context.name);
  if (!found) co_return not_found("", "pods", context.name);
  object_ptr pod = *found;
  auto parsed = document::parse(pod->json.view());
  if (!parsed) co_return internal_error(parsed.error().message);
  auto container = choose_container(parsed->root(), context);
  if (!container) co_return container.error();
  response out;
  out.id = context.id;
  out.content_type = "text/plain";
  // A pod that is on no node yet has written nothing.
  if (pod->node_name.empty()) co_return std::move(out);
  if (!host.delegate(context, pod, *container)) {
    auto why = make_status(reason::service_unavailable,
                           "node " + std::string(pod->node_name) + " cannot be asked for the logs of its containers");
    why.retry_after_seconds = 1;
    co_return why;
  }
  out.code = 0;
  co_return std::move(out);
}

}  // namespace troupe::api
