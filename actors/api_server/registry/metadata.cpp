// Rules of metadata that hold for every kind.
#include "actors/api_server/registry/metadata.hpp"

#include <algorithm>

#include "actors/api_server/admission/strategy.hpp"
#include "actors/api_server/registry/object_text.hpp"

namespace troupe::api {

namespace {

/// Kinds whose PUT must say which version it replaces (AllowUnconditionalUpdate is false).
bool needs_version(const schema::resource& row) {
  constexpr std::string_view plurals[] = {"leases",
                                          "customresourcedefinitions",
                                          "mutatingwebhookconfigurations",
                                          "validatingwebhookconfigurations",
                                          "validatingadmissionpolicies",
                                          "validatingadmissionpolicybindings",
                                          "mutatingadmissionpolicies",
                                          "mutatingadmissionpolicybindings",
                                          "flowschemas",
                                          "prioritylevelconfigurations",
                                          "runtimeclasses",
                                          "volumeattachments",
                                          "storageversionmigrations",
                                          "clustertrustbundles",
                                          "apiservices",
                                          "leasecandidates"};
  return std::find(std::begin(plurals), std::end(plurals), row.plural) != std::end(plurals);
}

status check_namespace(const node& object, const request_context& context) {
  auto given = metadata_text(object, "namespace");
  if (given.empty() || !context.info().namespaced || given == context.namespace_name) return {};
  return bad_request("the namespace of the provided object does not match the namespace sent on the request");
}

}  // namespace

status stamp_created(document& doc, const request_context& context, const std::string& uid, std::uint64_t random) {
  if (auto wrong = check_namespace(doc.root(), context); !wrong.ok()) return wrong;
  auto& metadata = metadata_of(doc);
  auto version = text_at(metadata, "resourceVersion");
  if (!version.empty() && version != "0") {
    status wrong;
    wrong.code = 500;
    wrong.message = "resourceVersion should not be set on objects to be created";
    return wrong;
  }
  for (auto key : {"resourceVersion", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"})
    doc.remove(metadata, key);
  if (context.info().namespaced) doc.set(metadata, "namespace", std::string_view(context.namespace_name));
  doc.set(metadata, "uid", std::string_view(uid));
  doc.set(metadata, "creationTimestamp", std::string_view(time_text(context.now_ms)));
  if (has_generation(context.info().type)) doc.set(metadata, "generation", 1);
  auto base = text_at(metadata, "generateName");
  if (text_at(metadata, "name").empty() && !base.empty())
    doc.set(metadata, "name", std::string_view(generate_name(base, random)));
  return {};
}

status check_place(const node& object, const request_context& context) {
  auto name = metadata_text(object, "name");
  if (name.empty())
    return bad_request("the name of the object (" + context.name +
                       " based on URL) was undeterminable: name must be provided");
  if (name != context.name)
    return bad_request("the name of the object (" + std::string(name) + ") does not match the name on the URL (" +
                       context.name + ")");
  auto space = metadata_text(object, "namespace");
  if (!space.empty() && !context.namespace_name.empty() && space != context.namespace_name)
    return bad_request("the namespace of the object (" + std::string(space) +
                       ") does not match the namespace on the request (" + context.namespace_name + ")");
  return {};
}

status check_preconditions(const node& object, const request_context& context, std::uint64_t revision,
                           std::string_view uid) {
  auto given_uid = metadata_text(object, "uid");
  if (!given_uid.empty() && given_uid != uid)
    return conflict(context.group, context.plural(), context.name,
                    "Precondition failed: UID in precondition: " + std::string(given_uid) +
                        ", UID in object meta: " + std::string(uid));
  auto version = metadata_text(object, "resourceVersion");
  if (version.empty() || version == "0") {
    if (context.verb != request_verb::update || !needs_version(context.info())) return {};
    return invalid(
        context.group, context.info().kind, context.name,
        {{"FieldValueInvalid", "Invalid value: 0: must be specified for an update", "metadata.resourceVersion"}});
  }
  if (version == std::to_string(revision)) return {};
  return conflict(context.group, context.plural(), context.name,
                  "the object has been modified; please apply your changes to the latest version and try again");
}

void carry_metadata(document& next, const node& previous, const request_context& context) {
  auto& metadata = metadata_of(next);
  auto* old = metadata_of(previous);
  if (!old) return;
  // Left out means unchanged; another value is refused by validation.
  for (auto key : {"uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "namespace"})
    if (!metadata.find(key)) carry_over(next, metadata, *old, key);
  // The version was judged before; validation sees what it was decided on, and what is stored leaves it out.
  for (auto key : {"generation", "selfLink", "resourceVersion"}) carry_over(next, metadata, *old, key);
  auto sub = context.subresource_name();
  if (sub.empty()) return;
  auto plural = context.plural();
  if (sub == "status" && plural == "pods") carry_over(next, metadata, *old, "ownerReferences");
  if (sub == "status" && plural == "deployments") carry_over(next, metadata, *old, "labels");
  if (sub != "status") {
    auto* managed = metadata.find("managedFields");
    node kept = managed ? next.clone(*managed) : node();
    carry_over(next, next.root(), previous, "metadata");
    if (managed) next.set(metadata_of(next), "managedFields", kept);
  }
}

void carry_other_parts(document& next, const node& previous, const request_context& context) {
  auto& root = next.root();
  auto sub = context.subresource_name();
  auto plural = context.plural();
  if (sub.empty()) {
    if (context.info().find_subresource("status")) carry_over(next, root, previous, "status");
    if (plural == "namespaces") carry_over(next, root, previous, "spec");
    return;
  }
  if (sub == "finalize" || sub == "ephemeralcontainers" || sub == "resize") {
    carry_over(next, root, previous, "status");
    return;
  }
  // status and approval: everything but the status stays.
  for (auto* m = previous.begin_members(); m != previous.end_members(); ++m)
    if (m->key != "metadata" && m->key != "status") carry_over(next, root, previous, m->key);
  std::vector<std::string> extra;
  for (auto* m = root.begin_members(); m != root.end_members(); ++m)
    if (m->key != "metadata" && m->key != "status" && !previous.find(m->key)) extra.emplace_back(m->key);
  for (auto& key : extra) next.remove(root, key);
  auto* old_status = previous.find("status");
  if (sub == "approval" && old_status) {
    auto& status = next.set(root, "status");
    if (!status.is_object()) next.make_object(status);
    carry_over(next, status, *old_status, "certificate");
  }
}

void bump_generation(document& next, const node& previous, std::uint16_t type) {
  if (!has_generation(type)) return;
  if (!generation_changes(type, previous, next.root())) return;
  auto* old = previous.find("metadata", "generation");
  next.set(metadata_of(next), "generation", (old ? old->integer() : 0) + 1);
}

}  // namespace troupe::api
