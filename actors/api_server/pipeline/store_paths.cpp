// Reading and compacting the store as a whole.
#include "actors/api_server/pipeline/store_paths.hpp"

#include <charconv>
#include <string>

#include <msgpack.hpp>

#include "actors/api_server/pipeline/target.hpp"

namespace troupe::api {

namespace {

constexpr std::string_view store_prefix = "/troupe/store/";
constexpr std::uint64_t largest_page = 1000;  // keys

std::string_view query_of(const request& incoming) {
  std::string_view target = incoming.target;
  auto mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

/// A parameter as it stands in the query, percent-decoded; empty when it is missing.
std::string parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    auto end = query.find('&');
    auto one = query.substr(0, end);
    if (one.size() > name.size() && one.starts_with(name) && one[name.size()] == '=') {
      std::string out;
      return percent_decode(one.substr(name.size() + 1), true, out) ? out : std::string();
    }
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
  }
  return {};
}

/// 0 when it is missing; an error when it is no number.
template <class Number>
result<Number> number_parameter(std::string_view query, std::string_view name) {
  auto text = parameter(query, name);
  Number out = 0;
  if (text.empty()) return out;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error == std::errc() && end == text.data() + text.size()) return out;
  std::string why(name);
  return bad_request(why.append(": must be a number, not \"").append(text).append("\""));
}

template <class Message>
response packed(const request_context& context, const Message& what) {
  msgpack::sbuffer bytes;
  msgpack::pack(bytes, what);
  response out;
  out.id = context.id;
  out.content_type = "application/msgpack";
  out.body.emplace_back(shared_bytes(std::string(bytes.data(), bytes.size())));
  return out;
}

answer_task refuse_path(status why) { co_return why; }

answer_task answer_range(request_host& host, std::string_view query, request_context& context) {
  auto revision = number_parameter<std::uint64_t>(query, "revision");
  if (!revision) co_return revision.error();
  auto limit = number_parameter<std::uint64_t>(query, "limit");
  if (!limit) co_return limit.error();
  store::range order;
  order.key = parameter(query, "key");
  order.range_end = parameter(query, "end");
  order.revision = *revision;
  order.limit = *limit == 0 || *limit > largest_page ? largest_page : *limit;
  auto reading = host.read(std::move(order));
  store::range_reply reply = co_await reading;
  if (!reply.error.ok()) co_return reply.error;
  co_return packed(context, reply);
}

answer_task answer_lease(request_host& host, std::string_view query, request_context& context) {
  auto id = number_parameter<std::int64_t>(query, "id");
  if (!id) co_return id.error();
  store::lease order;
  order.action = store::lease_action::time_to_live;
  order.lease_id = *id;
  auto asking = host.control(order);
  store::ack reply = co_await asking;
  if (!reply.error.ok()) co_return reply.error;
  co_return packed(context, reply);
}

answer_task answer_compact(request_host& host, std::string_view query, request_context& context) {
  auto revision = number_parameter<std::uint64_t>(query, "revision");
  if (!revision) co_return revision.error();
  store::compact order;
  order.revision = *revision;
  if (order.revision == 0) {
    auto asking = host.control(store::sync{});
    store::ack now = co_await asking;
    if (!now.error.ok()) co_return now.error;
    order.revision = now.revision;
  }
  auto asking = host.control(order);
  store::ack reply = co_await asking;
  if (!reply.error.ok()) co_return reply.error;
  response out;
  out.id = context.id;
  out.body.emplace_back(shared_bytes("{\"revision\":" + std::to_string(order.revision) + "}"));
  co_return std::move(out);
}

}  // namespace

bool is_store_path(std::string_view path) { return path.starts_with(store_prefix); }

answer_task answer_store_path(request_host& host, const request& incoming, request_context& context) {
  auto what = std::string_view(context.path).substr(store_prefix.size());
  auto query = query_of(incoming);
  bool reads = incoming.verb == method::get;
  if (what == "range" && reads) return answer_range(host, query, context);
  if (what == "lease" && reads) return answer_lease(host, query, context);
  if (what == "compact" && incoming.verb == method::post) return answer_compact(host, query, context);
  bool known = what == "range" || what == "lease" || what == "compact";
  return refuse_path(known ? method_not_allowed()
                           : make_status(reason::not_found, "the server could not find the requested resource"));
}

}  // namespace troupe::api
