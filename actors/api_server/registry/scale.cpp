// The scale subresource of workloads: autoscaling/v1 Scale made from, and written back to, the object.
#include "actors/api_server/pipeline/options.hpp"
#include "actors/api_server/pipeline/respond.hpp"
#include "actors/api_server/printers/printers.hpp"
#include "actors/api_server/registry/body.hpp"
#include "actors/api_server/registry/draft.hpp"
#include "actors/api_server/registry/flows.hpp"
#include "actors/api_server/registry/managed_fields.hpp"
#include "actors/api_server/registry/metadata.hpp"
#include "actors/api_server/registry/object_text.hpp"
#include "actors/api_server/registry/patching.hpp"
#include "messages/schema/codec.hpp"

namespace troupe::api {

namespace {

std::uint16_t scale_type() {
  static const auto index = schema::find_type("autoscaling/v1.Scale");
  return index;
}

/// The selector as kubectl and autoscalers read it: "a=b,c in (d,e)".
std::string selector_text(const node* selector) {
  std::string out;
  auto add = [&](const std::string& term) { out += (out.empty() ? "" : ",") + term; };
  if (!selector) return out;
  auto* labels = selector->find("matchLabels");
  auto* expressions = selector->find("matchExpressions");
  if (!labels && !expressions) labels = selector;  // ReplicationController's plain map
  for (auto* m = labels ? labels->begin_members() : nullptr; labels && m != labels->end_members(); ++m)
    if (m->value.is_string()) add(std::string(m->key) + "=" + std::string(m->value.string()));
  for (std::size_t i = 0; expressions && i < expressions->size(); ++i) {
    const node& e = expressions->element(i);
    std::string key(text_at(e, "key"));
    auto how = text_at(e, "operator");
    std::string values;
    if (auto* list = e.find("values"))
      for (std::size_t v = 0; v < list->size(); ++v)
        values += (values.empty() ? "" : ",") + std::string(list->element(v).string());
    add(how == "Exists"         ? key
        : how == "DoesNotExist" ? "!" + key
                                : key + (how == "In" ? " in (" : " notin (") + values + ")");
  }
  return out;
}

document scale_of(const node& object, std::uint64_t revision) {
  document doc;
  auto& root = doc.root();
  doc.make_object(root);
  doc.set(root, "kind", "Scale");
  doc.set(root, "apiVersion", "autoscaling/v1");
  auto& metadata = metadata_of(doc);
  if (auto* from = metadata_of(object))
    for (auto key : {"name", "namespace", "uid", "creationTimestamp"}) carry_over(doc, metadata, *from, key);
  doc.set(metadata, "resourceVersion", std::string_view(std::to_string(revision)));
  auto number = [&](std::string_view part, std::int64_t fallback) {
    auto* value = object.find(part, "replicas");
    return value ? value->integer() : fallback;
  };
  doc.set(doc.set(root, "spec"), "replicas", number("spec", 1));
  auto& status = doc.set(root, "status");
  doc.set(status, "replicas", number("status", 0));
  auto selector = selector_text(object.find("spec", "selector"));
  if (!selector.empty()) doc.set(status, "selector", std::string_view(selector));
  return doc;
}

response answer_scale(const request_context& context, document& scale) {
  std::string text;
  if (context.form == output_form::table) {
    append_scale_table(text, scale.root(), context.options.include_object, context.now_ms);
    return answer_text(context, 200, std::move(text));
  }
  schema::encode(text, scale.root(), scale_type(), false);
  return answer_text(context, 200, std::move(text));
}

status check_replicas(const node& scale, std::string_view name) {
  auto* replicas = scale.find("spec", "replicas");
  auto wanted = replicas ? replicas->integer() : 0;
  if (wanted >= 0) return {};
  return invalid(
      "autoscaling", "Scale", name,
      {{"FieldValueInvalid", "Invalid value: " + std::to_string(wanted) + ": must be greater than or equal to 0",
        "spec.replicas"}});
}

/// The Scale that the client wants, from the body or as a patch of the present one.
result<document> wanted_scale(const request& incoming, request_context& context, const document& present) {
  expected_object what{"autoscaling", "v1", "Scale", scale_type()};
  if (context.verb == request_verb::update) {
    auto parsed = parse_body(incoming, "Scale", schema::find_type("autoscaling/v1.Scale"));
    if (!parsed) return parsed;
    if (auto wrong = accept_object(*parsed, what, context); !wrong.ok()) return wrong;
    return parsed;
  }
  auto how = patch_type_of(incoming.content_type);
  if (!how) return how.error();
  auto patched = apply_patch(*how, scale_type(), present.root(), incoming.body.view());
  if (!patched) return patched;
  if (auto wrong = accept_patched(*patched, what, context, incoming.body.view()); !wrong.ok()) return wrong;
  return patched;
}

result<change_plan> plan_scale(const attempt& a, const object_ptr& current) {
  auto& context = a.context;
  auto previous = document::parse(current->json.view());
  auto next = document::parse(current->json.view());
  if (!previous || !next) return internal_error("stored object is not JSON");
  auto present = scale_of(previous->root(), current->revision);
  auto wanted = wanted_scale(a.incoming, context, present);
  if (!wanted) return wanted.error();
  if (auto wrong = check_place(wanted->root(), context); !wrong.ok()) return wrong;
  if (auto wrong = check_preconditions(wanted->root(), context, current->revision, current->uid); !wrong.ok())
    return wrong;
  if (auto wrong = check_replicas(wanted->root(), context.name); !wrong.ok()) return wrong;
  auto* replicas = wanted->root().find("spec", "replicas");
  next->set(next->set(next->root(), "spec"), "replicas", replicas ? replicas->integer() : 0);
  bump_generation(*next, previous->root(), context.info().type);
  auto admission = admission_for(a);
  if (auto no = admit(admission, operation::update, &previous->root(), &*next); !no.ok()) return no;
  auto manager = manager_of(a.incoming, context);
  auto now = time_text(context.now_ms);
  std::string version = context.group.empty() ? std::string(context.version)
                                              : std::string(context.group) + "/" + std::string(context.version);
  track_fields(&previous->root(), *next, context.info().type, {manager, version, "scale", now});
  change_plan plan;
  schema::encode(plan.stored, next->root(), context.info().type);
  bool same = context.options.dry_run || same_as_stored(*current, plan.stored);
  plan.what = same ? change_plan::kind::none : change_plan::kind::write;
  return plan;
}

}  // namespace

answer_task get_scale(request_host& host, request_context& context) {
  auto waiting = host.fresh(context.resource);
  status readable = co_await waiting;
  if (!readable.ok()) co_return readable;
  auto snapshot = host.slots().objects(context.resource);
  auto* found = snapshot->find(context.namespace_name, context.name);
  if (!found) co_return not_found(context.group, context.plural(), context.name);
  auto parsed = document::parse((*found)->json.view());
  if (!parsed) co_return internal_error(parsed.error().message);
  auto scale = scale_of(parsed->root(), (*found)->revision);
  co_return answer_scale(context, scale);
}

answer_task update_scale(request_host& host, const request& incoming, request_context& context) {
  if (auto wrong = check_write_options(context); !wrong.ok()) co_return wrong;
  object_place where{context.resource, context.namespace_name, context.name};
  change_rules rules{false, context.group, context.plural()};
  std::string planned;
  change_decision decide = [&](const object_ptr& current, const request_view& view,
                               const std::vector<std::string>& taken) {
    auto plan = plan_scale({host, incoming, context, view, taken}, current);
    if (plan) planned = plan->stored;
    return plan;
  };
  auto changing = change_object(host, where, rules, decide);
  result<changed_object> done = co_await changing;
  if (!done) co_return done.error();
  auto parsed = document::parse(planned);
  if (!parsed) co_return internal_error(parsed.error().message);
  auto scale = scale_of(parsed->root(), done->revision);
  co_return answer_scale(context, scale);
}

}  // namespace troupe::api
