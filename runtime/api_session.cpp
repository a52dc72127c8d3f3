// Calls: sending, deadlines, retries, loss of the api_server.
#include "runtime/api_session.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "runtime/trace/recorder.hpp"

namespace troupe::runtime {

namespace {

constexpr std::uint64_t tick_ms = 250;  // how late a deadline may be noticed

bool is_read(const api::request& request) {
  return request.verb == api::method::get || request.verb == api::method::head;
}

std::string_view method_name(api::method verb) {
  constexpr std::string_view names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"};
  return names[static_cast<std::size_t>(verb)];
}

bool worth_retrying(const api::response& answer) {
  return answer.error.why == reason::service_unavailable || answer.error.why == reason::too_many_requests;
}

api::response failure(std::uint64_t id, status why) {
  api::response answer;
  answer.id = id;
  answer.code = why.code;
  answer.error = std::move(why);
  return answer;
}

/// What the server asks to wait, in milliseconds; 0 when it does not say.
std::uint64_t retry_after_ms(const api::response& answer) {
  if (answer.error.retry_after_seconds > 0) return static_cast<std::uint64_t>(answer.error.retry_after_seconds) * 1000;
  for (const auto& [name, value] : answer.headers) {
    std::uint32_t seconds = 0;
    if (name == "retry-after" && std::from_chars(value.data(), value.data() + value.size(), seconds).ec == std::errc())
      return std::uint64_t{seconds} * 1000;
  }
  return 0;
}

}  // namespace

api_session::api_session(actor_context& owner, stable_ref<api::api_server_actor> server, session_options options)
    : owner_(owner), server_(std::move(server)), options_(std::move(options)), alive_(std::make_shared<bool>(true)) {
  incarnation_ = server_.incarnation();
  server_.observe(owner_, [this, alive = std::weak_ptr<bool>(alive_)](const supervision::ref_changed& change) {
    if (!alive.expired()) on_server(change);
  });
}

api_session::~api_session() = default;

api_session::handle_id api_session::call(api::request request, callback done, std::chrono::milliseconds deadline) {
  request.level = options_.level;
  return begin(std::move(request), std::move(done), deadline);
}

api_session::handle_id api_session::call_at(urgency level, api::request request, callback done) {
  request.level = level;
  return begin(std::move(request), std::move(done), {});
}

api_session::handle_id api_session::begin(api::request&& request, callback&& done, std::chrono::milliseconds deadline) {
  auto id = next_++;
  if (!request.user) request.user = options_.user;
  if (request.user_agent.empty()) request.user_agent = options_.user_agent;
  request.id = id;
  if (deadline.count() <= 0) deadline = options_.deadline;
  pending_call made;
  made.request = std::move(request);
  made.done = std::move(done);
  made.deadline_ms = now_ms() + static_cast<std::uint64_t>(deadline.count());
  if (owner_.recorder() && !is_read(made.request)) begin_trace(made);
  auto tick = made.deadline_ms / tick_ms + 1;
  wheel_[tick].push_back(id);
  calls_.emplace(id, std::move(made));
  arm_wheel(tick);
  send(id);
  return id;
}

api_session::handle_id api_session::call(api::request request, std::uint64_t token,
                                         std::chrono::milliseconds deadline) {
  return call(
      std::move(request),
      [this, token](const api::response& answer) {
        if (token_handler_) token_handler_(token, answer);
      },
      deadline);
}

void api_session::on_answer(std::function<void(std::uint64_t, const api::response&)> handler) {
  token_handler_ = std::move(handler);
}

void api_session::cancel(handle_id call) {
  auto found = calls_.find(call);
  if (found == calls_.end()) return;
  if (found->second.watch) --opening_;
  calls_.erase(found);
}

void api_session::send(handle_id id) {
  auto& call = calls_.at(id);
  call.waiting = false;
  ++call.tries;
  call.incarnation = server_.reached_incarnation();
  owner_.send_to(server_.handle(), call.request);
}

void api_session::handle(const api::response& answer) {
  auto found = calls_.find(answer.id);
  if (found == calls_.end() || found->second.waiting) {
    if (answer.watch_id != 0) stop_remote(answer.watch_id);
    return;
  }
  if (worth_retrying(answer) && retry(answer.id, answer)) return;
  finish(answer.id, answer);
}

void api_session::finish(handle_id id, const api::response& answer) {
  auto found = calls_.find(id);
  bool watch = found->second.watch;
  auto incarnation = found->second.incarnation;
  if (found->second.begun_us > 0) end_trace(id, found->second, answer);
  auto done = std::move(found->second.done);
  calls_.erase(found);
  if (watch) {
    watch_answered(id, incarnation, answer);
    return;
  }
  if (done) done(answer);
}

void api_session::attribute(std::string component, std::uint64_t step) {
  attributed_.first = std::move(component);
  attributed_.second = step;
}

void api_session::begin_trace(pending_call& call) {
  call.begun_us = owner_.steady_now_us();
  auto given = std::exchange(attributed_, {});
  call.by = given.first.empty() ? owner_.path() : given.first;
  call.step = given.second > 0 ? given.second : owner_.last_step();
}

/// A change that was asked for is a hop: from the step that wanted it to the answer.
void api_session::end_trace(handle_id id, const pending_call& call, const api::response& answer) {
  trace::hop made;
  made.component = owner_.path();
  made.time_us = call.begun_us;
  made.what =
      std::string(method_name(call.request.verb)) + " " + call.request.target.substr(0, call.request.target.find('?'));
  made.revision = answer.revision;
  made.id = id;
  if (call.step > 0) made.causes.push_back({"step", call.by, call.step});
  made.marks.emplace_back("answered " + std::to_string(answer.error.ok() ? answer.code : answer.error.code),
                          owner_.steady_now_us());
  owner_.recorder()->add(made);
}

/// Plans another try; false when there is none left or no time for it.
bool api_session::retry(handle_id id, const api::response& answer) {
  auto& call = calls_.at(id);
  if (call.tries > options_.retries) return false;
  auto delay = retry_after_ms(answer);
  if (delay == 0) {
    auto base = static_cast<std::uint64_t>(options_.retry_base.count()) << std::min(call.tries - 1, 20);
    base = std::min(base, static_cast<std::uint64_t>(options_.retry_cap.count()));
    delay = base / 2 + owner_.random_u64() % (base / 2 + 1);
  }
  if (now_ms() + delay >= call.deadline_ms) return false;
  pause_then_send(id, delay);
  return true;
}

void api_session::pause_then_send(handle_id id, std::uint64_t delay_ms) {
  calls_.at(id).waiting = true;
  owner_.after(std::chrono::milliseconds(delay_ms), [this, id, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    auto found = calls_.find(id);
    if (found != calls_.end() && found->second.waiting) send(id);
  });
}

void api_session::on_server(const supervision::ref_changed& change) {
  incarnation_ = change.incarnation;
  // A target may be replaced without having gone away first.
  fail_in_flight(change.up ? change.incarnation - 1 : change.incarnation);
}

void api_session::fail_in_flight(std::uint64_t incarnation) {
  auto why = make_status(reason::service_unavailable, "the api_server was restarted");
  std::vector<handle_id> lost;
  for (const auto& [id, call] : calls_)
    if (!call.waiting && call.incarnation <= incarnation) lost.push_back(id);
  std::vector<handle_id> watches;
  for (const auto& [id, watch] : watches_)
    if (watch.remote_id != 0 && watch.incarnation <= incarnation) watches.push_back(id);
  for (auto id : lost) {
    auto found = calls_.find(id);
    if (found == calls_.end()) continue;  // cancelled by another one's callback
    auto answer = failure(id, why);
    if (is_read(found->second.request) && retry(id, answer)) continue;
    finish(id, answer);
  }
  for (auto id : watches) close_watch(id, why);
}

void api_session::arm_wheel(std::uint64_t tick) {
  if (armed_tick_ != 0 && armed_tick_ <= tick) return;
  armed_tick_ = tick;
  auto due = tick * tick_ms;
  auto now = now_ms();
  owner_.after(std::chrono::milliseconds(due > now ? due - now : 0), [this, tick, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired() || armed_tick_ != tick) return;
    armed_tick_ = 0;
    turn_wheel();
  });
}

void api_session::turn_wheel() {
  auto now = now_ms();
  std::vector<handle_id> late;
  while (!wheel_.empty() && wheel_.begin()->first * tick_ms <= now) {
    auto& bucket = wheel_.begin()->second;
    late.insert(late.end(), bucket.begin(), bucket.end());
    wheel_.erase(wheel_.begin());
  }
  for (auto id : late)
    if (calls_.count(id) > 0)
      finish(id, failure(id, make_status(reason::timeout, "the api_server did not answer in time")));
  if (!wheel_.empty()) arm_wheel(wheel_.begin()->first);
}

}  // namespace troupe::runtime
