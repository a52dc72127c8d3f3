// The pipeline's head: who asks, may they, and what kind of path it is.
#include "actors/api_server/pipeline/respond.hpp"
#include "actors/api_server/pipeline/store_paths.hpp"
#include "actors/api_server/pipeline/target.hpp"
#include "actors/api_server/pipeline/worker.hpp"
#include "actors/api_server/registry/flows.hpp"

namespace troupe::api {

namespace {

bool is_master(const user_info& user) {
  for (auto& group : user.groups)
    if (group == "system:masters") return true;
  return false;
}

const std::string* header(const api::request& incoming, std::string_view name) {
  for (auto& [key, value] : incoming.headers)
    if (key == name) return &value;
  return nullptr;
}

api::response plain_not_found(const request_context& context) {
  api::response out;
  out.id = context.id;
  out.code = 404;
  out.content_type = "text/plain; charset=utf-8";
  out.headers.emplace_back("x-content-type-options", "nosniff");
  out.body.emplace_back(shared_bytes(std::string("404 page not found\n")));
  out.error = make_status(reason::not_found, "404 page not found");
  return out;
}

}  // namespace

std::vector<health_check> shared_state::health() const {
  bool synced = slots->all_synced();
  bool done = bootstrapped.load();
  return {{"ping", true, true},
          {"log", true, true},
          {"etcd", store.up(), true},
          {"informer-sync", synced, false},
          {"poststarthook/rbac/bootstrap-roles", done, false},
          {"poststarthook/scheduling/bootstrap-system-priority-classes", done, false},
          {"poststarthook/start-system-namespaces-controller", done, false}};
}

result<api::response> worker::answer_path(frame& f) {
  auto& context = f.context;
  if (options_.shared->extra)
    if (auto answer = options_.shared->extra(f.incoming)) {
      answer->id = context.id;
      return std::move(*answer);
    }
  auto health = options_.shared->health();
  std::string_view target = f.incoming.target;
  auto mark = target.find('?');
  auto* match = header(f.incoming, "if-none-match");
  bool reads = f.incoming.verb == method::get || f.incoming.verb == method::head;
  nonresource_request asked{context.path,
                            mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1),
                            f.incoming.accept,
                            match ? std::string_view(*match) : std::string_view(),
                            health,
                            options_.shared->server_address};
  auto answer = answer_nonresource(asked);
  if (answer.code == 404 && answer.body.empty()) return plain_not_found(context);
  if (!reads) return method_not_allowed();
  api::response out;
  out.id = context.id;
  out.code = answer.code;
  out.content_type = std::move(answer.content_type);
  out.headers = std::move(answer.headers);
  if (!answer.body.empty()) out.body.emplace_back(std::move(answer.body));
  return out;
}

task<result<api::response>> worker::serve(frame& f) {
  auto& context = f.context;
  auto parsed = parse_target(f.incoming, context);
  // Impersonation and the rights of everyone but system:masters rest on roles that must be there first; what anybody
  // may write rests on objects that must have been read, such as its namespace.
  if (!started() && context.resource != schema::no_index &&
      !(f.incoming.user && is_master(*f.incoming.user) && options_.shared->slots->all_synced())) {
    auto waiting = startup();
    status outcome = co_await waiting;
    if (!outcome.ok()) co_return outcome;
  }
  if (auto no = authenticate(f.incoming, judge_, context); !no.ok()) co_return no;
  if (auto no = authorise(judge_, context); !no.ok()) co_return no;
  mark("authorised");
  if (!parsed.error.ok()) co_return parsed.error;
  if (is_store_path(context.path)) {
    auto asking = answer_store_path(*this, f.incoming, context);
    result<api::response> answer = co_await asking;
    co_return std::move(answer);
  }
  if (context.resource == schema::no_index) co_return answer_path(f);
  auto handling = handle_resource(*this, f.incoming, context);
  result<api::response> answer = co_await handling;
  co_return std::move(answer);
}

}  // namespace troupe::api
