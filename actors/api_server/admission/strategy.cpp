// The seam to the pipeline: its requests in, the rules' answers out.
#include "actors/api_server/admission/strategy.hpp"

#include <algorithm>

#include "actors/api_server/access/node_authorizer.hpp"
#include "actors/api_server/admission/allocation.hpp"
#include "actors/api_server/admission/plugins.hpp"
#include "actors/api_server/admission/prepare.hpp"
#include "actors/api_server/admission/warnings.hpp"
#include "actors/api_server/defaults/defaults.hpp"
#include "actors/api_server/patch/patch.hpp"
#include "actors/api_server/validation/kinds.hpp"
#include "messages/node_groups.hpp"

namespace troupe::api {
namespace {

/// The cachers' snapshots as the plug-ins see them.
class cluster_objects : public rules::object_source {
 public:
  explicit cluster_objects(const cluster_view& cluster) : cluster_(cluster) {}
  object_ptr find(std::uint16_t resource, std::string_view namespace_name, std::string_view name) const override {
    if (resource == schema::no_index) return nullptr;
    const auto objects = cluster_.objects(resource);
    const object_ptr* found = objects->find(namespace_name, name);
    return found ? *found : nullptr;
  }
  void visit(std::uint16_t resource, std::string_view namespace_name,
             const std::function<bool(const object&)>& f) const override {
    if (resource == schema::no_index) return;
    cluster_.objects(resource)->visit(namespace_name, [&](const object_ptr& o) { return f(*o); });
  }

 private:
  const cluster_view& cluster_;
};

/// The type of the objects a request is about: a subresource with a kind of its own has its own type.
std::uint16_t type_of(const request_context& request) {
  const auto* sub = request.subresource;
  const bool own = sub && sub->type != schema::no_index && sub->kind != request.info().kind;
  return own ? sub->type : request.info().type;
}

rules::admission_request to_request(const admission_context& context, operation what, const node* previous,
                                    document* object, const rules::object_source& others) {
  rules::admission_request out;
  out.action = what == operation::create   ? rules::admission_action::create
               : what == operation::update ? rules::admission_action::update
                                           : rules::admission_action::remove;
  out.info = &context.request.info();
  out.subresource = context.request.subresource_name();
  out.namespace_name = context.request.namespace_name;
  out.name = context.request.name;
  if (object)
    if (const node* name = object->root().find("metadata", "name")) out.name = name->string();
  out.previous = previous;
  out.object = object;
  out.others = &others;
  out.now_ms = context.request.now_ms;
  out.toleration_seconds = context.toleration_seconds;
  if (const auto& user = context.request.user) {
    out.kubelet = node_of(*user);
    out.own_node = std::find(user->groups.begin(), user->groups.end(), own_nodes_group) != user->groups.end();
  }
  return out;
}

/// Who asks for a certificate is what the server knows, not what the request says (certificates' strategy).
void note_requester(const request_context& request, document& doc) {
  auto& spec = doc.set(doc.root(), "spec");
  if (!spec.is_object()) return;
  for (const char* field : {"username", "uid", "groups", "extra"}) doc.remove(spec, field);
  if (!request.user) return;
  doc.set(spec, "username", std::string_view(request.user->name));
  if (!request.user->uid.empty()) doc.set(spec, "uid", std::string_view(request.user->uid));
  auto fill = [&](node& list, const std::vector<std::string>& from) {
    doc.make_array(list);
    for (const auto& text : from) doc.assign(doc.append(list), std::string_view(text));
  };
  if (!request.user->groups.empty()) fill(doc.set(spec, "groups"), request.user->groups);
  if (request.user->extra.empty()) return;
  auto& extra = doc.set(spec, "extra");
  doc.make_object(extra);
  for (const auto& [key, values] : request.user->extra) fill(doc.set(extra, key), values);
}

}  // namespace

void default_object(document& doc, node& object, std::uint16_t type) { rules::apply_defaults(doc, object, type); }

status prepare_for_create(admission_context& context, document& object) {
  rules::prepare_new(type_of(context.request), object, rules::rfc3339(context.request.now_ms));
  if (context.request.info().plural == "certificatesigningrequests") note_requester(context.request, object);
  return {};
}

status prepare_for_update(admission_context& context, const node& previous, document& object) {
  const auto& request = context.request;
  rules::prepare_changed(request.info().type, request.subresource_name(), previous, object);
  if (request.info().plural == "certificatesigningrequests")
    rules::prepare_signing_request_update(request.subresource_name(), previous, object, rules::rfc3339(request.now_ms));
  return {};
}

status admit(admission_context& context, operation what, const node* previous, document* object) {
  const cluster_objects others(context.cluster);
  return rules::run_plugins(to_request(context, what, previous, object, others));
}

status allocate(admission_context& context, operation what, const node* previous, document* object) {
  const auto& info = context.request.info();
  if (!info.group.empty() || info.plural != "services") return {};
  // A Service's end gives back what it has, also when its last finalizer went with its status.
  if (what != operation::delete_ && !context.request.subresource_name().empty()) return {};
  const cluster_objects others(context.cluster);
  const auto request = to_request(context, what, previous, object, others);
  rules::allocation_input input;
  input.request = &request;
  input.random = context.random;
  input.taken = &context.taken;
  input.new_uid = context.new_uid;
  std::vector<rules::reservation> reservations;
  if (status out = rules::allocate_service(input, reservations); !out.ok()) return out;
  for (auto& r : reservations)
    context.writes.push_back({std::move(r.key), r.expected_revision, r.erase, std::move(r.value), r.unconditional});
  return {};
}

std::vector<status_cause> validate_create(const admission_context& context, const node& object) {
  return rules::validate_new(type_of(context.request), context.request.info().namespaced, object).take_causes();
}

std::vector<status_cause> validate_update(const admission_context& context, const node& previous, const node& object) {
  const auto& info = context.request.info();
  return rules::validate_changed(info.type, info.namespaced, context.request.subresource_name(), previous, object)
      .take_causes();
}

void collect_warnings(admission_context& context, const node& object) {
  for (auto& text : rules::warnings_for(type_of(context.request), object)) context.request.warn(std::move(text));
}

bool has_generation(std::uint16_t type) { return rules::counts_generation(type); }

bool generation_changes(std::uint16_t type, const node& previous, const node& object) {
  return rules::counts_generation(type) && rules::spec_changed(type, previous, object);
}

result<document> apply_patch(patch_type how, std::uint16_t type, const node& current, std::string_view patch) {
  switch (how) {
    case patch_type::json:
      return rules::apply_json_patch(current, patch);
    case patch_type::merge:
      return rules::apply_merge_patch(current, patch);
    case patch_type::strategic:
      return rules::apply_strategic_patch(type, current, patch);
    case patch_type::apply:
      break;
  }
  return make_status(reason::unsupported_media_type,
                     "the body of the request was in an unknown format - accepted media types include: "
                     "application/json-patch+json, application/merge-patch+json, "
                     "application/strategic-merge-patch+json");
}

}  // namespace troupe::api
