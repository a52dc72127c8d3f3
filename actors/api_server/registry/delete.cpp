// DELETE of one object and of collections.
#include <algorithm>

#include "actors/api_server/pipeline/options.hpp"
#include "actors/api_server/pipeline/respond.hpp"
#include "actors/api_server/registry/convert.hpp"
#include "actors/api_server/registry/deletion.hpp"
#include "actors/api_server/registry/filters.hpp"
#include "actors/api_server/registry/flows.hpp"

namespace troupe::api {

namespace {

/// Kinds whose delete answers with the object rather than a Status.
bool shows_deleted(const schema::resource& row) {
  constexpr std::string_view plurals[] = {
      "pods",           "services",          "serviceaccounts",       "podtemplates",
      "resourcequotas", "persistentvolumes", "persistentvolumeclaims"};
  return row.group.empty() && std::find(std::begin(plurals), std::end(plurals), row.plural) != std::end(plurals);
}

}  // namespace

answer_task delete_object(request_host& host, const request& incoming, request_context& context) {
  if (auto wrong = check_write_options(context); !wrong.ok()) co_return wrong;
  auto options = read_delete_options(incoming, context);
  if (!options) co_return options.error();
  auto deleting = delete_one(host, incoming, context, context.namespace_name, context.name, *options);
  result<deleted_object> done = co_await deleting;
  if (!done) co_return done.error();
  std::uint16_t code = !done->gone && options->orphan_dependents && !*options->orphan_dependents ? 202 : 200;
  if (done->gone && !shows_deleted(context.info())) {
    auto out = answer_success(context, code, context.name, done->shown->uid);
    out.object = in_version(done->shown, context.resource);
    co_return std::move(out);
  }
  co_return answer_object(context, code, in_version(done->shown, context.resource));
}

answer_task delete_collection(request_host& host, const request& incoming, request_context& context) {
  if (auto wrong = check_write_options(context); !wrong.ok()) co_return wrong;
  if (auto wrong = check_list_options(context); !wrong.ok()) co_return wrong;
  auto options = read_delete_options(incoming, context);
  if (!options) co_return options.error();
  auto filter = make_filter(context);
  if (!filter) co_return filter.error();
  auto waiting = host.fresh(context.info().storage);
  status readable = co_await waiting;
  if (!readable.ok()) co_return readable;
  auto snapshot = host.slots().objects(context.resource);
  std::vector<object_ptr> chosen;
  snapshot->visit(context.namespace_name, [&](const object_ptr& o) {
    if ((*filter)->matches(*o)) chosen.push_back(o);
    return true;
  });
  std::vector<object_ptr> shown;
  for (auto& o : chosen) {
    std::string space(o->namespace_name);
    std::string name(o->name);
    auto deleting = delete_one(host, incoming, context, space, name, *options);
    result<deleted_object> done = co_await deleting;
    // Whatever went meanwhile need not be deleted.
    if (!done && done.error().why != reason::not_found) co_return done.error();
    if (done) shown.push_back(in_version(done->shown, context.resource));
  }
  co_return answer_list(context, shown, {snapshot->revision(), {}, -1});
}

}  // namespace troupe::api
