// PUT and PATCH.
#include <algorithm>
#include <optional>

#include "actors/api_server/pipeline/options.hpp"
#include "actors/api_server/pipeline/respond.hpp"
#include "actors/api_server/registry/body.hpp"
#include "actors/api_server/registry/convert.hpp"
#include "actors/api_server/registry/draft.hpp"
#include "actors/api_server/registry/flows.hpp"
#include "actors/api_server/registry/metadata.hpp"
#include "actors/api_server/registry/object_text.hpp"
#include "actors/api_server/registry/patching.hpp"
#include "messages/schema/codec.hpp"

namespace troupe::api {

namespace {

/// Kinds that a PUT creates where they are absent (AllowCreateOnUpdate).
bool creates_on_update(const request_context& context) {
  constexpr std::string_view plurals[] = {
      "services", "endpoints", "endpointslices", "limitranges",  "leases",
      "events",   "roles",     "clusterroles",   "rolebindings", "clusterrolebindings"};
  return context.verb == request_verb::update && !context.subresource &&
         std::find(std::begin(plurals), std::end(plurals), context.plural()) != std::end(plurals);
}

/// The last finalizer of an object that is being deleted has gone, and no grace period runs: it goes too.
bool ends_with_update(const request_context& context, const node& previous, const node& next) {
  auto* old = metadata_of(previous);
  auto* now = metadata_of(next);
  if (!old || !now || !old->find("deletionTimestamp")) return false;
  auto* finalizers = now->find("finalizers");
  if (finalizers && !finalizers->empty()) return false;
  auto* grace = now->find("deletionGracePeriodSeconds");
  if (grace && grace->integer() > 0) return false;
  if (context.plural() != "namespaces") return true;
  auto* own = next.find("spec", "finalizers");
  return !own || own->empty();
}

/// The object that the client wants, before carry-over: from the body or the patch.
result<document> wanted_object(const request& incoming, request_context& context, const node* previous) {
  auto what = expected_body(context);
  if (context.verb == request_verb::update) {
    auto parsed = parse_body(incoming, what.kind, what.type);
    if (!parsed) return parsed;
    if (auto wrong = accept_object(*parsed, what, context); !wrong.ok()) return wrong;
    return parsed;
  }
  auto how = patch_type_of(incoming.content_type);
  if (!how) return how.error();
  auto patched = apply_patch(*how, what.type, *previous, incoming.body.view());
  if (!patched) return patched;
  if (auto wrong = accept_patched(*patched, what, context, incoming.body.view()); !wrong.ok()) return wrong;
  return patched;
}

result<document> decode_current(const object_ptr& current, const request_context& context) {
  auto parsed = document::parse(current->json.view());
  if (parsed) from_storage_version(*parsed, context.resource);
  return parsed;
}

}  // namespace

/// One decision of the update loop. Not anonymous: coroutines hold it.
class update_decision {
 public:
  update_decision(request_host& host, const request& incoming, request_context& context)
      : host_(host), incoming_(incoming), context_(context) {}

  result<change_plan> operator()(const object_ptr& current, const request_view& view,
                                 const std::vector<std::string>& taken) {
    attempt a{host_, incoming_, context_, view, taken};
    created_ = !current;
    if (!current) return create_instead(a);
    auto previous = decode_current(current, context_);
    if (!previous) return internal_error(previous.error().message);
    auto next = wanted(&previous->root());
    if (!next) return next.error();
    auto plan = plan_update(a, current, *previous, *next);
    if (!plan) return plan;
    if (plan->what == change_plan::kind::write && ends_with_update(context_, previous->root(), next->root())) {
      auto more = plan_delete(a, previous->root());
      if (!more) return more.error();
      plan->what = change_plan::kind::erase;
      plan->writes = std::move(*more);
    }
    return dry(std::move(*plan));
  }

  /// The body as decoded by the check before the first decision, which then need not decode it again.
  void keep(document decoded) { first_.emplace(std::move(decoded)); }
  bool created() const { return created_; }
  /// Of the last decision: what would have been or was stored.
  const std::string& stored() const { return stored_; }

 private:
  result<document> wanted(const node* previous) {
    if (!first_) return wanted_object(incoming_, context_, previous);
    result<document> out(std::move(*first_));
    first_.reset();
    return out;
  }

  result<change_plan> create_instead(const attempt& a) {
    auto next = wanted(nullptr);
    if (!next) return next.error();
    auto version = metadata_text(next->root(), "resourceVersion");
    if (!version.empty() && version != "0")
      return conflict(
          context_.group, context_.plural(), context_.name,
          "StorageError: invalid object, Code: 4, Key: " +
              object_place{context_.info().storage, context_.namespace_name, context_.name}.key() +
              ", ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: , UID in "
              "object meta: ");
    object_place ignored;
    auto plan = plan_create(a, *next, ignored);
    return plan ? dry(std::move(*plan)) : plan;
  }

  result<change_plan> dry(change_plan plan) {
    stored_ = plan.stored;
    if (context_.options.dry_run) plan.what = change_plan::kind::none;
    return plan;
  }

  request_host& host_;
  const request& incoming_;
  request_context& context_;
  std::optional<document> first_;
  bool created_ = false;
  std::string stored_;
};

namespace {

/// The written object as the answer; of a dry run the object as it would be.
response answer_update(const request_context& context, const update_decision& decision, const changed_object& done) {
  std::uint16_t code = decision.created() ? 201 : 200;
  if (context.options.dry_run) {
    auto made = make_object(context.info().storage, decision.stored(), done.before ? done.before->revision : 0,
                            done.before ? done.before->created : 0);
    if (made) return answer_object(context, code, in_version(*made, context.resource));
  }
  // An object whose last finalizer went with this update is shown as it was when it went.
  auto shown = done.now;
  if (!shown) {
    auto made = make_object(context.info().storage, decision.stored(), done.revision, done.before->created);
    shown = made ? *made : done.before;
  }
  return answer_object(context, code, in_version(shown, context.resource));
}

}  // namespace

result<patch_type> patch_type_of(std::string_view content_type) {
  auto type = content_type.substr(0, content_type.find(';'));
  if (type == "application/json-patch+json") return patch_type::json;
  if (type == "application/merge-patch+json") return patch_type::merge;
  if (type == "application/strategic-merge-patch+json") return patch_type::strategic;
  return make_status(reason::unsupported_media_type,
                     "the body of the request was in an unknown format - accepted media types include: "
                     "application/json-patch+json, application/merge-patch+json, "
                     "application/strategic-merge-patch+json");
}

answer_task update_object(request_host& host, const request& incoming, request_context& context) {
  if (auto wrong = check_write_options(context); !wrong.ok()) co_return wrong;
  update_decision decision(host, incoming, context);
  if (context.verb == request_verb::patch) {
    auto how = patch_type_of(incoming.content_type);
    if (!how) co_return how.error();
  } else {
    // A body that is none is refused whether the object exists or not.
    auto parsed = parse_body(incoming, expected_body(context).kind, expected_body(context).type);
    if (!parsed) co_return parsed.error();
    if (auto wrong = accept_object(*parsed, expected_body(context), context); !wrong.ok()) co_return wrong;
    if (auto wrong = check_place(parsed->root(), context); !wrong.ok()) co_return wrong;
    decision.keep(std::move(*parsed));
  }
  object_place where{context.info().storage, context.namespace_name, context.name};
  change_rules rules{creates_on_update(context), context.group, context.plural()};
  change_decision decide = std::ref(decision);
  auto changing = change_object(host, where, rules, decide);
  result<changed_object> done = co_await changing;
  if (!done) co_return done.error();
  co_return answer_update(context, decision, *done);
}

}  // namespace troupe::api
