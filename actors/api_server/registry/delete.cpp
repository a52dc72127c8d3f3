// DELETE of one object and of collections.
#include <algorithm>
#include <exception>
#include <string>
#include <vector>

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

/// The deletion of a collection, shared by the lanes that work on it. Not anonymous: coroutines hold it.
struct collection_deletion {
  request_host& host;
  const request& incoming;
  request_context& context;
  const delete_options& options;
  std::vector<object_ptr> chosen;
  std::vector<object_ptr> shown;  // by index of chosen; null: went meanwhile
  std::size_t next = 0;
  status problem;
  std::exception_ptr thrown;

  bool more() const { return next < chosen.size() && problem.ok() && !thrown; }
};

namespace {

/// Deletes one object after the other while there are any.
task<status> delete_lane(collection_deletion& all, gate& end) {
  try {
    while (all.more()) {
      auto index = all.next++;
      std::string space(all.chosen[index]->namespace_name);
      std::string name(all.chosen[index]->name);
      auto deleting = delete_one(all.host, all.incoming, all.context, space, name, all.options);
      result<deleted_object> done = co_await deleting;
      // Whatever went meanwhile need not be deleted.
      if (!done && done.error().why != reason::not_found) all.problem = done.error();
      if (done) all.shown[index] = in_version(done->shown, all.context.resource);
    }
  } catch (...) {
    all.thrown = std::current_exception();
  }
  auto last = end.leave();
  co_await last;
  co_return status();
}

/// Deletions under way at the same time: with one alone, each would wait for its own commit.
constexpr std::size_t lanes_of_deletion = 16;

}  // namespace

answer_task delete_object(request_host& host, const request& incoming, request_context& context) {
  if (auto wrong = check_write_options(context); !wrong.ok()) co_return wrong;
  auto options = read_delete_options(incoming, context);
  if (!options) co_return options.error();
  auto deleting = delete_one(host, incoming, context, context.namespace_name, context.name, *options);
  result<deleted_object> done = co_await deleting;
  if (!done) co_return done.error();
  std::uint16_t code = !done->gone && options->orphan_dependents == false ? 202 : 200;
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
  collection_deletion all{host, incoming, context, *options, {}, {}, 0, {}, {}};
  snapshot->visit(context.namespace_name, [&](const object_ptr& o) {
    if ((*filter)->matches(*o)) all.chosen.push_back(o);
    return true;
  });
  all.shown.resize(all.chosen.size());
  gate end(lanes_of_deletion);
  std::vector<task<status>> lanes;
  lanes.reserve(lanes_of_deletion);
  for (std::size_t i = 0; i < lanes_of_deletion; ++i) lanes.push_back(delete_lane(all, end));
  for (auto& lane : lanes) lane.start();
  co_await end;
  if (all.thrown) std::rethrow_exception(all.thrown);
  if (!all.problem.ok()) co_return all.problem;
  std::erase(all.shown, nullptr);
  co_return answer_list(context, all.shown, {snapshot->revision(), {}, -1});
}

}  // namespace troupe::api
