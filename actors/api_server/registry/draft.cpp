// The stages between a decoded document and canonical bytes.
#include "actors/api_server/registry/draft.hpp"

#include "actors/api_server/registry/convert.hpp"
#include "actors/api_server/registry/managed_fields.hpp"
#include "actors/api_server/registry/metadata.hpp"
#include "actors/api_server/registry/object_text.hpp"
#include "messages/schema/codec.hpp"

namespace troupe::api {

namespace {

std::string group_version_of(const request_context& context) {
  return context.group.empty() ? std::string(context.version)
                               : std::string(context.group) + "/" + std::string(context.version);
}

void track(const attempt& a, const node* previous, document& next) {
  auto manager = manager_of(a.incoming, a.context);
  auto version = group_version_of(a.context);
  auto now = time_text(a.context.now_ms);
  track_fields(previous, next, a.context.info().type,
               {manager, version, a.context.subresource_name(), std::string_view(now)});
}

std::string encode_stored(document& doc, const request_context& context) {
  to_storage_version(doc, context.resource);
  std::string out;
  out.reserve(4096);
  schema::encode(out, doc.root(), schema::resources()[context.info().storage].type);
  return out;
}

status refused(const request_context& context, std::string_view name, std::vector<status_cause> causes) {
  return invalid(context.group, context.info().kind, name, std::move(causes));
}

bool is_rbac(const request_context& context) { return context.group == "rbac.authorization.k8s.io"; }

}  // namespace

admission_context admission_for(const attempt& a) {
  admission_context out{a.context, a.view, a.host.judge(), a.host.random(), {}, a.taken, {}, 300};
  auto* host = &a.host;
  out.new_uid = [host] { return host->new_uid(); };
  out.toleration_seconds = host->toleration_seconds();
  return out;
}

std::string manager_of(const request& incoming, const request_context& context) {
  if (!context.options.field_manager.empty()) return context.options.field_manager;
  std::string_view agent = incoming.user_agent;
  agent = agent.substr(0, agent.find('/')).substr(0, 128);
  return agent.empty() ? "unknown" : std::string(agent);
}

std::int64_t lease_for(request_host& host, std::uint16_t resource) {
  return schema::resources()[resource].plural == "events" ? host.shared_lease(3600) : 0;
}

result<change_plan> plan_create(const attempt& a, document& doc, object_place& place) {
  auto& context = a.context;
  if (auto wrong = stamp_created(doc, context, a.host.new_uid(), a.host.random()); !wrong.ok()) return wrong;
  auto admission = admission_for(a);
  if (auto no = admit(admission, operation::create, nullptr, &doc); !no.ok()) return no;
  if (is_rbac(context))
    if (auto no = check_escalation(a.host.judge(), context, nullptr, doc.root()); !no.ok()) return no;
  if (auto no = prepare_for_create(admission, doc); !no.ok()) return no;
  if (auto no = allocate(admission, operation::create, nullptr, &doc); !no.ok()) return no;
  collect_warnings(admission, doc.root());
  place.resource = context.info().storage;
  place.namespace_name = context.namespace_name;
  place.name = metadata_text(doc.root(), "name");
  auto causes = validate_create(admission, doc.root());
  if (!causes.empty()) {
    auto shown = place.name.empty() ? metadata_text(doc.root(), "generateName") : std::string_view(place.name);
    return refused(context, shown, std::move(causes));
  }
  track(a, nullptr, doc);
  change_plan plan;
  plan.what = change_plan::kind::write;
  plan.writes = std::move(admission.writes);
  plan.lease = lease_for(a.host, context.resource);
  plan.stored = encode_stored(doc, context);
  return plan;
}

result<change_plan> plan_update(const attempt& a, const object_ptr& current, const document& previous, document& next) {
  auto& context = a.context;
  const auto& old = previous.root();
  if (auto wrong = check_place(next.root(), context); !wrong.ok()) return wrong;
  if (auto wrong = check_preconditions(next.root(), context, current->revision, current->uid); !wrong.ok())
    return wrong;
  carry_metadata(next, old, context);
  carry_other_parts(next, old, context);
  auto admission = admission_for(a);
  if (auto no = admit(admission, operation::update, &old, &next); !no.ok()) return no;
  if (is_rbac(context))
    if (auto no = check_escalation(a.host.judge(), context, &old, next.root()); !no.ok()) return no;
  if (auto no = prepare_for_update(admission, old, next); !no.ok()) return no;
  if (auto no = allocate(admission, operation::update, &old, &next); !no.ok()) return no;
  // A status tells of the specification, it does not change it.
  if (context.subresource_name() != "status") bump_generation(next, old, context.info().type);
  collect_warnings(admission, next.root());
  auto causes = validate_update(admission, old, next.root());
  if (!causes.empty()) return refused(context, context.name, std::move(causes));
  track(a, &old, next);
  change_plan plan;
  plan.writes = std::move(admission.writes);
  plan.stored = encode_stored(next, context);
  bool same = plan.writes.empty() && same_as_stored(*current, plan.stored);
  plan.what = same ? change_plan::kind::none : change_plan::kind::write;
  if (!same) plan.lease = lease_for(a.host, context.resource);
  return plan;
}

result<std::vector<side_write>> plan_delete(const attempt& a, const node& object) {
  auto admission = admission_for(a);
  if (auto no = admit(admission, operation::delete_, &object, nullptr); !no.ok()) return no;
  if (auto no = allocate(admission, operation::delete_, &object, nullptr); !no.ok()) return no;
  return std::move(admission.writes);
}

}  // namespace troupe::api
