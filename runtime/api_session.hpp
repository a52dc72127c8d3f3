// A component's client of the api_server: calls with deadline and retry, watches, and quick failure when the api_server
// is restarted. The component's interface lists what api::client_actor lists and passes both messages on:
//
//   api_session session_{*this, server, {.user = user("system:kube-scheduler")}};
//   ... return {[this](const api::response& r) { session_.handle(r); },
//               [this](const api::watch_delivery& d) { session_.handle(d); }};
//   session_.call(get("/api/v1/namespaces/default/pods/a"), [this](const api::response& r) { ... });
//
// Every call gets exactly one answer, unless it is cancelled or the component ends. What goes wrong on the way
// arrives as a response whose `error` is set, with no body: reason timeout (deadline), service_unavailable (lost with
// an incarnation of the api_server; a write may or may not have happened).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "messages/api_server.hpp"
#include "runtime/actor_context.hpp"
#include "runtime/stable_ref.hpp"

namespace troupe::runtime {

/// The in-process identity of a component; every one is also in system:authenticated.
api::user_ptr component_user(std::string name, std::vector<std::string> groups = {});
/// The identity of a service account, with its groups.
api::user_ptr service_account_user(const std::string& namespace_name, const std::string& name);

// Requests, ready to be called. Bodies are JSON.
api::request get(std::string target);
api::request post(std::string target, std::string body);
api::request put(std::string target, std::string body);
api::request del(std::string target, std::string body = {});
/// `type`: application/merge-patch+json, application/json-patch+json, application/strategic-merge-patch+json.
api::request patch(std::string target, std::string body, std::string type = "application/merge-patch+json");

/// A path segment or query value with everything but unreserved characters percent-encoded.
std::string url_encode(std::string_view text);

/// How a session behaves; per-call values override it.
struct session_options {
  api::user_ptr user = {};
  api::user_ptr watch_user = {};  // who watches; null: user
  std::string user_agent = "troupe";
  urgency level = urgency::deciding;  // of calls that do not name one
  std::chrono::milliseconds deadline{30'000};
  /// Further tries after service_unavailable and too_many_requests, and of reads lost with an api_server.
  int retries = 5;
  std::chrono::milliseconds retry_base{50};  // doubles each time, with jitter; a Retry-After wins
  std::chrono::milliseconds retry_cap{5'000};
};

/// What a watch reports. Exactly one `closed` ends it, unless it is stopped.
struct watch_handlers {
  /// The watch is accepted; its events follow.
  std::function<void(const api::response&)> opened = {};
  std::function<void(const std::vector<api::watch_event>&)> events = {};
  /// The watch is over: refused, ended by the server (error may be ok), or lost with the api_server.
  std::function<void(const status&)> closed = {};
};

/// See the top of this file. Lives in a component and is used in its handlers only.
class api_session {
 public:
  using callback = std::function<void(const api::response&)>;
  using handle_id = std::uint64_t;

  api_session(actor_context& owner, stable_ref<api::api_server_actor> server, session_options options);
  ~api_session();
  api_session(const api_session&) = delete;
  api_session& operator=(const api_session&) = delete;

  /// Sends the request; `done` gets the answer. id and, where empty, user and user_agent are filled in. `deadline`
  /// zero: the session's. Returns a handle for cancel().
  handle_id call(api::request request, callback done, std::chrono::milliseconds deadline = {});
  /// The same at another level than the session's.
  handle_id call_at(urgency level, api::request request, callback done);
  /// The same without an own callback: the answer goes to the token handler.
  handle_id call(api::request request, std::uint64_t token, std::chrono::milliseconds deadline = {});
  void on_answer(std::function<void(std::uint64_t token, const api::response&)> handler);
  /// Forgets the call; an answer is ignored.
  void cancel(handle_id call);

  /// Opens a watch; `target` is the complete GET target with its watch parameters (see watch_target).
  handle_id watch(std::string target, watch_handlers handlers);
  /// The next call is made on behalf of that step of another component's core (actor_context::last_step), for traces.
  void attribute(std::string component, std::uint64_t step);
  /// Ends a watch; no handler is called any more.
  void stop_watch(handle_id watch);

  // The component passes these on.
  void handle(const api::response& answer);
  void handle(const api::watch_delivery& delivery);

  std::size_t in_flight() const { return calls_.size(); }
  actor_context& owner() { return owner_; }
  std::uint64_t server_incarnation() const { return incarnation_; }

 private:
  handle_id begin(api::request&& request, callback&& done, std::chrono::milliseconds deadline);

  struct pending_call {
    api::request request;
    callback done;
    std::uint64_t deadline_ms = 0;  // steady
    std::uint64_t incarnation = 0;  // of the api_server that the last try reaches
    int tries = 0;
    bool waiting = false;  // for its next try
    bool watch = false;
    // For traces: when it began, zero if it is not recorded, and the step that caused it.
    std::uint64_t begun_us = 0;
    std::string by;
    std::uint64_t step = 0;
  };
  struct open_watch {
    watch_handlers handlers;
    std::uint64_t remote_id = 0;    // 0 until accepted
    std::uint64_t incarnation = 0;  // of the api_server that accepted it
  };

  void send(handle_id id);
  void begin_trace(pending_call& call);
  void end_trace(handle_id id, const pending_call& call, const api::response& answer);
  void finish(handle_id id, const api::response& answer);
  bool retry(handle_id id, const api::response& answer);
  void on_server(const supervision::ref_changed& change);
  /// What went to that incarnation or an earlier one.
  void fail_in_flight(std::uint64_t incarnation);
  void arm_wheel(std::uint64_t tick);
  void pause_then_send(handle_id id, std::uint64_t delay_ms);
  void turn_wheel();
  void watch_answered(handle_id id, std::uint64_t incarnation, const api::response& answer);
  void stop_remote(std::uint64_t remote_id);
  void deliver(const api::watch_batch& batch);
  void close_watch(handle_id id, const status& why);
  std::uint64_t now_ms() const { return owner_.steady_now_us() / 1000; }

  actor_context& owner_;
  stable_ref<api::api_server_actor> server_;
  session_options options_;
  std::function<void(std::uint64_t, const api::response&)> token_handler_;
  std::map<handle_id, pending_call> calls_;
  std::map<std::uint64_t, std::vector<handle_id>> wheel_;  // calls by the tick of their deadline
  std::uint64_t armed_tick_ = 0;                           // the tick for which a timer runs; 0: none
  std::map<handle_id, open_watch> watches_;
  std::unordered_map<std::uint64_t, handle_id> by_remote_;
  /// Deliveries that came before the answer that names their watch, while such answers are outstanding.
  std::map<std::uint64_t, std::vector<api::watch_batch>> early_;
  std::size_t opening_ = 0;
  handle_id next_ = 1;
  std::uint64_t incarnation_ = 0;
  std::pair<std::string, std::uint64_t> attributed_;  // see attribute()
  std::shared_ptr<bool> alive_;
};

/// A list target such as "/api/v1/pods" with selectors (unencoded; may be empty).
std::string list_target(std::string_view collection, std::string_view label_selector = {},
                        std::string_view field_selector = {});
/// The same as a watch that starts with everything there is, then a bookmark marked as the end of the initial events.
std::string initial_watch_target(std::string_view collection, std::string_view label_selector = {},
                                 std::string_view field_selector = {});
/// The same as a watch that continues after a revision.
std::string resume_watch_target(std::string_view collection, std::uint64_t revision,
                                std::string_view label_selector = {}, std::string_view field_selector = {});

}  // namespace troupe::runtime
