// WATCH: checks options, waits until the cacher is as new as it must be, and hands the watch over.
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

}  // namespace

answer_task watch_objects(request_host& host, request_context& context, const request&) {
  if (auto wrong = check_list_options(context); !wrong.ok()) co_return wrong;
  auto filter = make_filter(context);
  if (!filter) co_return filter.error();
  auto order = make_order(context.options);
  bool any = context.options.resource_version && *context.options.resource_version == "0";
  if (order.start != cacher::watch_start::after_revision && !any) {
    auto point = host.slots().now(context.info().storage);
    if (order.revision <= point.as_of) {
      auto waiting = host.at_least(context.info().storage, point.needed);
      status outcome = co_await waiting;
      if (!outcome.ok()) co_return outcome;
      // Nothing of the resource happened between the snapshot and this revision: the end mark may name it.
      order.revision = point.as_of;
    } else {
      auto waiting = host.at_least(context.info().storage, order.revision);
      status outcome = co_await waiting;
      if (!outcome.ok()) co_return outcome;
    }
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
