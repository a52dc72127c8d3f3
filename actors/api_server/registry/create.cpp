// POST: create an object, or answer a review.
#include "actors/api_server/pipeline/options.hpp"
#include "actors/api_server/pipeline/respond.hpp"
#include "actors/api_server/registry/body.hpp"
#include "actors/api_server/registry/convert.hpp"
#include "actors/api_server/registry/draft.hpp"
#include "actors/api_server/registry/flows.hpp"
#include "actors/api_server/registry/object_text.hpp"
#include "messages/schema/codec.hpp"

namespace troupe::api {

namespace {

constexpr int name_attempts = 8;

result<response> review(request_host& host, request_context& context, document& doc) {
  if (auto wrong = answer_review(host.judge(), context, doc); !wrong.ok()) return wrong;
  std::string text;
  schema::encode(text, doc.root(), expected_body(context).type);
  return answer_text(context, 201, std::move(text));
}

/// A dry run answers with the object as it would have been stored, without a resourceVersion.
response answer_dry_run(const request_context& context, std::uint16_t code, std::string stored) {
  if (!is_converted(context.resource)) return answer_text(context, code, std::move(stored));
  auto parsed = document::parse(stored);
  if (!parsed) return answer_status(context, internal_error(parsed.error().message));
  from_storage_version(*parsed, context.resource);
  std::string text;
  schema::encode(text, parsed->root(), context.info().type);
  return answer_text(context, code, std::move(text));
}

}  // namespace

answer_task create_object(request_host& host, const request& incoming, request_context& context) {
  if (auto wrong = check_write_options(context); !wrong.ok()) co_return wrong;
  auto what = expected_body(context);
  std::vector<std::string> taken;
  for (int attempts = 0;; ++attempts) {
    auto parsed = parse_body(incoming, what.kind, what.type);
    if (!parsed) co_return parsed.error();
    document& doc = *parsed;
    if (auto wrong = accept_object(doc, what, context); !wrong.ok()) co_return wrong;
    host.mark("decoded");
    if (is_review(context.resource) || context.subresource) co_return review(host, context, doc);
    bool generated = metadata_text(doc.root(), "name").empty() && !metadata_text(doc.root(), "generateName").empty();
    object_place place;
    request_view view(host.slots());
    auto plan = plan_create({host, incoming, context, view, taken}, doc, place);
    if (!plan) {
      auto again = refresh(host, view);
      result<bool> newer = co_await again;
      if (newer && *newer && attempts < name_attempts) continue;
      co_return plan.error();
    }
    host.mark("admitted and validated");
    if (context.options.dry_run) {
      auto waiting = host.fresh(place.resource);
      status readable = co_await waiting;
      if (!readable.ok()) co_return readable;
      if (host.slots().objects(place.resource)->find(place.namespace_name, place.name))
        co_return already_exists(context.group, context.plural(), place.name);
      co_return answer_dry_run(context, 201, std::move(plan->stored));
    }
    auto writing = insert_object(host, place, *plan);
    inserted_object written = co_await writing;
    if (!written.error.ok()) co_return written.error;
    if (written.now) co_return answer_object(context, 201, in_version(written.now, context.resource));
    bool again = (written.exists && generated) || (!written.exists && !written.taken.empty());
    if (!again || attempts + 1 >= name_attempts)
      co_return already_exists(context.group, context.plural(), metadata_text(doc.root(), "name"));
    taken.insert(taken.end(), written.taken.begin(), written.taken.end());
  }
}

}  // namespace troupe::api
