// WATCH: checks options, waits until the cacher is as new as it must be, and hands the watch over.
#include <algorithm>
#include <charconv>

#include "actors/api_server/pipeline/options.hpp"
#include "actors/api_server/registry/filters.hpp"
#include "actors/api_server/registry/flows.hpp"

namespace troupe::api {

namespace {

/// Kubernetes' default: 30 to 60 minutes, spread so that clients do not all come back together.
std::int64_t timeout_of(const query_options& options, std::uint64_t random) {
  if (options.timeout_seconds && *options.timeout_seconds > 0) return *options.timeout_seconds * 1000;
  return 1'800'000 + static_cast<std::int64_t>(random % 1'800'000);
}

cacher::open_watch make_order(const query_options& options) {
  cacher::open_watch order;
  bool initial = options.send_initial_events.value_or(false);
  bool newest = !options.resource_version || options.resource_version->empty() || *options.resource_version == "0";
  if (options.resource_version)
    std::from_chars(options.resource_version->data(),
                    options.resource_version->data() + options.resource_version->size(), order.revision);
  if (initial || (newest && !options.send_initial_events))
    order.start = cacher::watch_start::current_state;
  else
    order.start = newest ? cacher::watch_start::now : cacher::watch_start::after_revision;
  order.mark_initial_end = initial && options.allow_bookmarks;
  order.bookmarks = options.allow_bookmarks;
  return order;
}

/// The cacher must be as new as the watch's start, else the watch would hear again of what its client has seen; a watch
/// without a version starts no earlier than now.
task<status> wait_for_start(request_host& host, std::uint16_t resource, cacher::open_watch& order) {
  bool resumes = order.start == cacher::watch_start::after_revision;
  if (host.slots().shared_store && (!resumes || order.revision > host.slots().now(resource).as_of)) {
    auto settling = host.fresh(resource);
    status outcome = co_await settling;
    if (!outcome.ok()) co_return outcome;
  }
  auto point = host.slots().now(resource);
  bool known = order.revision <= point.as_of;
  if (resumes && !known) co_return status();  // of a future, or of another store: there is nothing to repeat
  auto needed = known ? point.needed : order.revision;
  auto waiting = host.at_least(resource, resumes ? std::min(needed, order.revision) : needed);
  status outcome = co_await waiting;
  // Nothing of the resource happened between the snapshot and this revision: the end mark may name it.
  if (outcome.ok() && !resumes && known) order.revision = point.as_of;
  co_return outcome;
}

}  // namespace

answer_task watch_objects(request_host& host, request_context& context, const request&) {
  if (auto wrong = check_list_options(context); !wrong.ok()) co_return wrong;
  auto filter = make_filter(context);
  if (!filter) co_return filter.error();
  auto order = make_order(context.options);
  bool any = context.options.resource_version && *context.options.resource_version == "0";
  if (!any) {
    auto waiting = wait_for_start(host, context.info().storage, order);
    status outcome = co_await waiting;
    if (!outcome.ok()) co_return outcome;
  }
  order.watch_id = host.new_watch_id(context.resource);
  order.filter = std::move(*filter);
  order.timeout_ms = timeout_of(context.options, host.random());
  response out;
  out.id = context.id;
  out.watch_id = order.watch_id;
  if (context.form == output_form::table) out.format = watch_format::table;
  if (context.form == output_form::partial_metadata) out.format = watch_format::partial_metadata;
  if (context.form == output_form::table)
    out.table_options = context.options.include_object == table_objects::none     ? "None"
                        : context.options.include_object == table_objects::object ? "Object"
                                                                                  : "Metadata";
  host.open_watch(context.resource, std::move(order));
  co_return std::move(out);
}

}  // namespace troupe::api
