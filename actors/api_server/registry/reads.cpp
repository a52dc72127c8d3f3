// GET of one object and LIST.
#include <algorithm>
#include <charconv>

#include "actors/api_server/cacher/filter.hpp"
#include "actors/api_server/pipeline/options.hpp"
#include "actors/api_server/pipeline/respond.hpp"
#include "actors/api_server/registry/change.hpp"
#include "actors/api_server/registry/continue_token.hpp"
#include "actors/api_server/registry/convert.hpp"
#include "actors/api_server/registry/filters.hpp"
#include "actors/api_server/registry/flows.hpp"
#include "actors/api_server/registry/keys.hpp"

namespace troupe::api {

namespace {

std::uint64_t to_revision(const std::optional<std::string>& text) {
  std::uint64_t out = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), out);
  return out;
}

std::uint16_t stored_resource(const request_context& context) { return context.info().storage; }

}  // namespace

/// Of a list: what one page is made of. Not anonymous: coroutines hold it.
struct list_page {
  std::vector<object_ptr> items;
  std::uint64_t revision = 0;
  std::string next;  // continue token; empty at the end
  std::int64_t remaining = -1;
};

namespace {

std::string relative_key(const object& o) {
  return o.namespace_name.empty() ? std::string(o.name) : std::string(o.namespace_name) + "/" + std::string(o.name);
}

/// Kubernetes counts what remains only where no selector hides some of it.
void close_page(list_page& out, const watch_filter& filter, std::uint64_t total_left, const object& last) {
  out.next = encode_continue({static_cast<std::int64_t>(out.revision), relative_key(last) + '\0'});
  if (filter.labels.empty() && filter.fields.empty()) out.remaining = static_cast<std::int64_t>(total_left);
}

list_page page_from_snapshot(const snapshot& from, const watch_filter& filter, std::uint64_t limit,
                             std::uint64_t as_of) {
  list_page out;
  out.revision = std::max(as_of, from.revision());
  if (limit == 0 && filter.everything()) out.items.reserve(from.size());
  std::uint64_t left = 0;
  auto take = [&](const object_ptr& o) {
    if (limit > 0 && out.items.size() == limit) {
      ++left;
      return true;
    }
    if (filter.matches(*o)) out.items.push_back(o);
    return true;
  };
  if (auto* name = filter.fields.fixed("metadata.name"); name && !filter.namespace_name.empty()) {
    if (auto* one = from.find(filter.namespace_name, *name)) take(*one);
  } else {
    from.visit(filter.namespace_name, take);
  }
  if (left > 0) close_page(out, filter, left, *out.items.back());
  return out;
}

/// 410 with a token that continues at the newest revision, as Kubernetes offers it.
status expired_continue(const continue_point& point) {
  auto out =
      make_status(reason::expired,
                  "The provided continue parameter is too old to display a consistent list result. You can start "
                  "a new list without the continue parameter, or use the continue token in this response to "
                  "retrieve the remainder of the results. Continuing with the provided token results in an "
                  "inconsistent list - objects that were created, modified, or deleted between the time the first "
                  "chunk was returned and now may show up in the list.");
  (void)point;
  return out;
}

/// Reads one page from the store at a revision (0: the newest).
task<result<list_page>> page_from_store(request_host& host, const request_context& context, const watch_filter& filter,
                                        continue_point from) {
  auto resource = stored_resource(context);
  auto prefix = std::string(storage_prefix(resource));
  if (!filter.namespace_name.empty()) prefix += filter.namespace_name + "/";
  auto limit = context.options.limit;
  list_page out;
  std::string start = from.start.empty() ? prefix : std::string(storage_prefix(resource)) + from.start;
  for (;;) {
    store::range order;
    order.key = start;
    order.range_end = prefix_end(prefix);
    order.revision = from.revision > 0 ? static_cast<std::uint64_t>(from.revision) : 0;
    order.limit = limit > 0 ? limit - out.items.size() : 0;
    auto call = host.read(std::move(order));
    store::range_reply reply = co_await call;
    if (!reply.error.ok()) co_return reply.error;
    if (out.revision == 0)
      out.revision = from.revision > 0 ? static_cast<std::uint64_t>(from.revision) : reply.revision;
    if (from.revision <= 0) from.revision = static_cast<std::int64_t>(out.revision);
    for (auto& kv : reply.kvs) {
      auto made = make_object(resource, kv.value.view(), kv.mod_revision, kv.create_revision);
      if (made && filter.matches(**made)) out.items.push_back(std::move(*made));
    }
    if (!reply.more || reply.kvs.empty()) co_return std::move(out);
    start = reply.kvs.back().key + '\0';
    if (limit == 0 || out.items.size() < limit) continue;
    out.next = encode_continue({from.revision, start.substr(storage_prefix(resource).size())});
    if (filter.labels.empty() && filter.fields.empty())
      out.remaining = static_cast<std::int64_t>(reply.count - reply.kvs.size());
    co_return std::move(out);
  }
}

status too_large(std::uint64_t wanted, std::uint64_t current) {
  auto out = make_status(reason::timeout, "Too large resource version: " + std::to_string(wanted) +
                                              ", current: " + std::to_string(current));
  out.retry_after_seconds = 1;
  out.causes.push_back({"ResourceVersionTooLarge", "Too large resource version", ""});
  return out;
}

/// Waits until reads may be served: consistent without a version, else not older than it.
task<result<read_point>> wait_until_readable(request_host& host, const request_context& context) {
  auto resource = stored_resource(context);
  const auto& version = context.options.resource_version;
  bool any = version && *version == "0";
  auto wanted = any ? 0 : to_revision(version);
  bool beyond = wanted == 0 || wanted > host.slots().now(resource).as_of;
  if (host.slots().shared_store && !any && beyond) {
    auto settling = host.fresh(resource);
    status outcome = co_await settling;
    if (!outcome.ok()) co_return outcome;
  }
  read_point point = host.slots().now(resource);
  if (any) point = {0, 0};
  if (wanted > point.as_of) {
    // The store has not been there for this resource's watch; only waiting can show whether it will be.
    auto waiting = host.at_least(resource, wanted);
    status outcome = co_await waiting;
    if (!outcome.ok()) co_return too_large(wanted, host.slots().now(resource).as_of);
    co_return point;
  }
  auto waiting = host.at_least(resource, point.needed);
  status outcome = co_await waiting;
  if (!outcome.ok()) co_return outcome;
  co_return point;
}

}  // namespace

answer_task get_object(request_host& host, request_context& context) {
  if (auto wrong = check_get_options(context); !wrong.ok()) co_return wrong;
  auto waiting = wait_until_readable(host, context);
  result<read_point> point = co_await waiting;
  if (!point) co_return point.error();
  auto snapshot = host.slots().objects(context.resource);
  auto* found = snapshot->find(context.namespace_name, context.name);
  if (!found) co_return not_found(context.group, context.plural(), context.name);
  co_return answer_object(context, 200, in_version(*found, context.resource));
}

answer_task list_objects(request_host& host, request_context& context) {
  if (auto wrong = check_list_options(context); !wrong.ok()) co_return wrong;
  auto filter = make_filter(context);
  if (!filter) co_return filter.error();
  const auto& options = context.options;
  list_page found;
  bool exact = options.match == version_match::exact || (options.limit > 0 && options.match == version_match::unset &&
                                                         to_revision(options.resource_version) > 0);
  if (!options.continue_token.empty() || exact) {
    continue_point from{static_cast<std::int64_t>(to_revision(options.resource_version)), {}};
    if (!options.continue_token.empty()) {
      if (options.resource_version && !options.resource_version->empty() && *options.resource_version != "0")
        co_return bad_request("specifying resource version is not allowed when using continue");
      auto decoded = decode_continue(options.continue_token);
      if (!decoded) co_return decoded.error();
      from = std::move(*decoded);
    }
    auto reading = page_from_store(host, context, **filter, from);
    result<list_page> read = co_await reading;
    if (!read && read.error().why == reason::gone && !options.continue_token.empty()) {
      auto expired = expired_continue(from);
      expired.uid.clear();
      response out = answer_status(context, expired);
      co_return with_continue(context, expired, encode_continue({-1, from.start}));
    }
    if (!read && read.error().why == reason::gone)
      co_return make_status(reason::expired, "The resourceVersion for the provided list is too old.");
    if (!read) co_return read.error();
    found = std::move(*read);
  } else {
    auto waiting = wait_until_readable(host, context);
    result<read_point> point = co_await waiting;
    if (!point) co_return point.error();
    found = page_from_snapshot(*host.slots().objects(context.resource), **filter, options.limit, point->as_of);
  }
  if (is_converted(context.resource))
    for (auto& item : found.items) item = in_version(item, context.resource);
  list_meta meta{found.revision, found.next, found.remaining};
  co_return answer_list(context, found.items, meta);
}

}  // namespace troupe::api
