// The pods' own subresources: binding and eviction.
#include "actors/api_server/pipeline/options.hpp"
#include "actors/api_server/pipeline/respond.hpp"
#include "actors/api_server/registry/body.hpp"
#include "actors/api_server/registry/deletion.hpp"
#include "actors/api_server/registry/draft.hpp"
#include "actors/api_server/registry/flows.hpp"
#include "actors/api_server/registry/managed_fields.hpp"
#include "actors/api_server/registry/object_text.hpp"
#include "actors/api_server/selectors/label_selector.hpp"
#include "messages/schema/codec.hpp"

namespace troupe::api {

namespace {

std::uint16_t pods_resource() {
  static const auto index = schema::find_resource("", "v1", "pods");
  return index;
}

status check_binding(const node& binding) {
  std::vector<status_cause> causes;
  auto* target = binding.find("target");
  auto kind = target ? text_at(*target, "kind") : std::string_view();
  if (!kind.empty() && kind != "Node")
    causes.push_back({"FieldValueNotSupported",
                      "Unsupported value: " + json_string(kind) + ": supported values: \"Node\", \"<empty>\"",
                      "target.kind"});
  if (!target || text_at(*target, "name").empty())
    causes.push_back({"FieldValueRequired", "Required value", "target.name"});
  if (causes.empty()) return {};
  return invalid("", "Binding", metadata_text(binding, "name"), std::move(causes));
}

/// Sets a condition of a pod, keeping its transition time when the status stays.
void set_condition(document& doc, std::string_view type, std::string_view value, std::string_view now) {
  auto& root = doc.root();
  auto& list = doc.set(doc.set(root, "status"), "conditions");
  node* found = nullptr;
  for (std::size_t i = 0; i < list.size() && !found; ++i)
    if (text_at(list.element(i), "type") == type) found = &list.element(i);
  if (!found) {
    found = &doc.append(list);
    doc.make_object(*found);
    doc.set(*found, "type", type);
  }
  if (text_at(*found, "status") != value) doc.set(*found, "lastTransitionTime", now);
  doc.set(*found, "status", value);
  doc.remove(*found, "reason");
  doc.remove(*found, "message");
  if (auto* generation = root.find("metadata", "generation"))
    doc.set(*found, "observedGeneration", generation->integer());
}

/// Why the pod cannot be bound now, or ok.
status unbindable(const node& pod, std::string_view name) {
  auto refuse = [&](const std::string& why) { return conflict("", "pods/binding", name, why); };
  if (pod.find("metadata", "deletionTimestamp"))
    return refuse("pod " + std::string(name) + " is being deleted, cannot be assigned to a host");
  auto* spec = pod.find("spec");
  auto node_name = spec ? text_at(*spec, "nodeName") : std::string_view();
  if (!node_name.empty())
    return refuse("pod " + std::string(name) + " is already assigned to node " + json_string(node_name));
  auto* gates = spec ? spec->find("schedulingGates") : nullptr;
  if (gates && !gates->empty()) return refuse("pod " + std::string(name) + " has non-empty .spec.schedulingGates");
  return {};
}

/// One decision of the binding loop.
result<change_plan> plan_binding(const request& incoming, const request_context& context, const object_ptr& current,
                                 const node& binding) {
  auto uid = metadata_text(binding, "uid");
  if (!uid.empty() && uid != current->uid)
    return conflict("", "pods/binding", current->name,
                    "Precondition failed: UID in precondition: " + std::string(uid) +
                        ", UID in object meta: " + std::string(current->uid));
  auto previous = document::parse(current->json.view());
  if (!previous) return internal_error(previous.error().message);
  if (auto no = unbindable(previous->root(), current->name); !no.ok()) return no;
  auto next = document::parse(current->json.view());
  auto now = time_text(context.now_ms);
  next->set(next->set(next->root(), "spec"), "nodeName", text_at(*binding.find("target"), "name"));
  if (auto* notes = binding.find("metadata", "annotations"))
    for (auto* m = notes->begin_members(); m != notes->end_members(); ++m)
      next->set(next->set(metadata_of(*next), "annotations"), m->key, m->value.string());
  set_condition(*next, "PodScheduled", "True", now);
  auto manager = manager_of(incoming, context);
  auto type = schema::resources()[pods_resource()].type;
  track_fields(&previous->root(), *next, type, {manager, "v1", "binding", now});
  change_plan plan;
  plan.what = context.options.dry_run ? change_plan::kind::none : change_plan::kind::write;
  schema::encode(plan.stored, next->root(), type);
  return plan;
}

std::uint16_t budgets_resource() {
  static const auto index = schema::find_resource("policy", "v1", "poddisruptionbudgets");
  return index;
}

/// Disruption budgets that select the pod.
std::vector<object_ptr> budgets_of(const object& pod, const request_view& view) {
  std::vector<object_ptr> out;
  view.objects(budgets_resource())->visit(pod.namespace_name, [&](const object_ptr& o) {
    auto parsed = document::parse(o->json.view());
    if (!parsed) return true;
    auto* selector = parsed->root().find("spec", "selector");
    if (selector && label_selector::from(selector).matches(pod)) out.push_back(o);
    return true;
  });
  return out;
}

status over_budget(std::string why, std::int32_t retry_after_seconds = 0) {
  auto out =
      make_status(reason::too_many_requests, "Cannot evict pod as it would violate the pod's disruption budget.");
  out.causes.push_back({"DisruptionBudget", std::move(why), ""});
  out.retry_after_seconds = retry_after_seconds;
  return out;
}

bool is_ready(const object& pod) {
  auto parsed = document::parse(pod.json.view());
  auto* conditions = parsed ? parsed->root().find("status", "conditions") : nullptr;
  for (std::size_t i = 0; conditions && i < conditions->size(); ++i)
    if (text_at(conditions->element(i), "type") == "Ready") return text_at(conditions->element(i), "status") == "True";
  return false;
}

/// A running pod that is not ready serves nobody: it may go whenever the policy says so, or the others are enough.
bool spares_unready(const object& budget) {
  auto doc = document::parse(budget.json.view());
  if (!doc) return false;
  auto* spec = doc->root().find("spec");
  if (spec && text_at(*spec, "unhealthyPodEvictionPolicy") == "AlwaysAllow") return true;
  auto number = [&](std::string_view key) {
    auto* value = doc->root().find("status", key);
    return value ? value->integer() : 0;
  };
  return number("desiredHealthy") > 0 && number("currentHealthy") >= number("desiredHealthy");
}

/// Takes one disruption from the budget, or says that there is none left.
result<change_plan> plan_disruption(const object_ptr& budget, std::string_view pod, std::int64_t now_ms) {
  auto doc = document::parse(budget->json.view());
  if (!doc) return internal_error(doc.error().message);
  auto& status = doc->set(doc->root(), "status");
  auto* generation = doc->root().find("metadata", "generation");
  auto* observed = status.find("observedGeneration");
  if (generation && generation->integer() > (observed ? observed->integer() : 0))
    return over_budget(
        "The disruption budget " + std::string(budget->name) + " is still being processed by the server.", 10);
  auto* allowed = status.find("disruptionsAllowed");
  auto number = [&](std::string_view key) {
    auto* value = status.find(key);
    return std::to_string(value ? value->integer() : 0);
  };
  if (!allowed || allowed->integer() <= 0)
    return over_budget("The disruption budget " + std::string(budget->name) + " needs " + number("desiredHealthy") +
                       " healthy pods and has " + number("currentHealthy") + " currently");
  doc->set(status, "disruptionsAllowed", allowed->integer() - 1);
  doc->set(doc->set(status, "disruptedPods"), pod, std::string_view(time_text(now_ms)));
  change_plan plan;
  plan.what = change_plan::kind::write;
  schema::encode(plan.stored, doc->root(), schema::resources()[budget->resource].type);
  return plan;
}

/// Pods that have ended or have not started may always go.
bool needs_budget(const object& pod) {
  auto parsed = document::parse(pod.json.view());
  if (!parsed) return true;
  auto* status = parsed->root().find("status");
  auto phase = status ? text_at(*status, "phase") : std::string_view();
  return phase != "Succeeded" && phase != "Failed" && phase != "Pending" &&
         !parsed->root().find("metadata", "deletionTimestamp");
}

}  // namespace

answer_task bind_pod(request_host& host, const request& incoming, request_context& context) {
  if (auto wrong = check_write_options(context); !wrong.ok()) co_return wrong;
  auto type = schema::find_type("core/v1.Binding");
  auto parsed = parse_body(incoming, "Binding", schema::find_type("core/v1.Binding"));
  if (!parsed) co_return parsed.error();
  if (auto wrong = accept_object(*parsed, {"", "v1", "Binding", type}, context); !wrong.ok()) co_return wrong;
  const node& binding = parsed->root();
  std::string name(metadata_text(binding, "name"));
  if (context.subresource && !name.empty() && name != context.name)
    co_return bad_request("name in URL does not match name in Binding object");
  if (context.subresource) name = context.name;
  if (auto wrong = check_binding(binding); !wrong.ok()) co_return wrong;
  object_place where{pods_resource(), context.namespace_name, name};
  change_rules rules{false, "", "pods"};
  change_decision decide = [&](const object_ptr& current, const request_view&, const std::vector<std::string>&) {
    return plan_binding(incoming, context, current, binding);
  };
  auto changing = change_object(host, where, rules, decide);
  result<changed_object> done = co_await changing;
  if (!done) co_return done.error();
  auto out = answer_success(context, 201, {}, {});
  out.object = done->now;
  out.revision = done->revision;
  co_return std::move(out);
}

answer_task evict_pod(request_host& host, const request& incoming, request_context& context) {
  if (auto wrong = check_write_options(context); !wrong.ok()) co_return wrong;
  auto what = expected_body(context);
  auto parsed = parse_body(incoming, what.kind, what.type);
  if (!parsed) co_return parsed.error();
  if (auto wrong = accept_object(*parsed, what, context); !wrong.ok()) co_return wrong;
  auto named = metadata_text(parsed->root(), "name");
  if (!named.empty() && named != context.name)
    co_return bad_request("name in URL does not match name in Eviction object");
  auto options = delete_options_from(parsed->root().find("deleteOptions"));
  options.dry_run = options.dry_run || context.options.dry_run;
  // A budget that was acknowledged before this request counts.
  for (auto resource : {pods_resource(), budgets_resource()}) {
    auto waiting = host.fresh(resource);
    status readable = co_await waiting;
    if (!readable.ok()) co_return readable;
  }
  request_view view(host.slots());
  auto snapshot = view.objects(pods_resource());
  auto* pod = snapshot->find(context.namespace_name, context.name);
  if (!pod) co_return not_found("", "pods", context.name);
  auto budgets = needs_budget(**pod) ? budgets_of(**pod, view) : std::vector<object_ptr>();
  if (budgets.size() > 1)
    co_return internal_error(
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
  bool free = budgets.size() == 1 && !is_ready(**pod) && spares_unready(*budgets[0]);
  if (budgets.size() == 1 && !free && !options.dry_run) {
    object_place where{budgets[0]->resource, context.namespace_name, std::string(budgets[0]->name)};
    change_rules rules{false, "policy", "poddisruptionbudgets"};
    change_decision decide = [&](const object_ptr& current, const request_view&, const std::vector<std::string>&) {
      return plan_disruption(current, context.name, context.now_ms);
    };
    auto changing = change_object(host, where, rules, decide);
    result<changed_object> taken = co_await changing;
    if (!taken) co_return taken.error();
  }
  auto deleting = delete_one(host, incoming, context, context.namespace_name, context.name, options);
  result<deleted_object> done = co_await deleting;
  if (!done) co_return done.error();
  co_return answer_success(context, 201, {}, {});
}

}  // namespace troupe::api
