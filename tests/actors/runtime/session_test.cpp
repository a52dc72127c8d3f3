// api_session: answers, deadlines, retries, loss of the api_server, watches.
#include "runtime/api_session.hpp"

#include <doctest/doctest.h>

#include <optional>

#include "tests/actors/runtime/fixture.hpp"

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::testing;

namespace {

/// A component that does with its session what the test says.
class client final : public component<api::client_actor> {
 public:
  client(caf::actor_config& settings, stable_ref<api::api_server_actor> server, session_options options,
         api_session** out, actor_context** context)
      : component(settings, "client"), session_(*this, std::move(server), std::move(options)) {
    *out = &session_;
    *context = this;
  }
  behavior_type make_behavior() override {
    return {[this](const api::response& answer) { session_.handle(answer); },
            [this](const api::watch_delivery& delivery) { session_.handle(delivery); }};
  }

 private:
  api_session session_;
};

/// World, scripted api_server and client.
struct session_setup {
  explicit session_setup(session_options options = {}, std::uint64_t seed = 1) : world(seed) {
    ref = stable_ref<api::api_server_actor>::make(world.system(), "api_server");
    start_server();
    handle = world.system().spawn<client>(ref, std::move(options), &session, &context);
    world.run_until_idle();
  }
  void start_server() {
    server = world.system().spawn<scripted_server>(plan);
    ref.set_target(server);
  }
  void stop_server() {
    caf::anon_send_exit(server, caf::exit_reason::kill);
    server = nullptr;
    world.run_until_idle();
  }
  /// Calls from inside the client.
  void act(std::function<void()> run) {
    context->post(std::move(run));
    world.run_until_idle();
  }
  void call(api::request request, std::chrono::milliseconds deadline = {}) {
    act([this, request = std::move(request), deadline]() mutable {
      session->call(
          std::move(request), [this](const api::response& got) { answers.push_back(got); }, deadline);
    });
  }

  simulation::world world;
  std::shared_ptr<script> plan = std::make_shared<script>();
  stable_ref<api::api_server_actor> ref;
  api::api_server_actor server;
  api::client_actor handle;
  api_session* session = nullptr;
  actor_context* context = nullptr;
  std::vector<api::response> answers;
};

api::response good(std::uint64_t revision) {
  api::response made;
  made.revision = revision;
  return made;
}

}  // namespace

TEST_CASE("a call carries user and agent and gets its answer once") {
  session_setup s({.user = component_user("system:kube-scheduler"), .user_agent = "kube-scheduler"});
  s.call(get("/api/v1/pods"));
  REQUIRE(s.plan->requests.size() == 1);
  CHECK(s.plan->requests[0].request.user->name == "system:kube-scheduler");
  CHECK(s.plan->requests[0].request.user->groups == std::vector<std::string>{"system:authenticated"});
  CHECK(s.plan->requests[0].request.user_agent == "kube-scheduler");
  script::answer(s.plan->requests[0], good(5));
  script::answer(s.plan->requests[0], good(6));
  s.world.run_for(60s);
  REQUIRE(s.answers.size() == 1);
  CHECK(s.answers[0].revision == 5);
  CHECK(s.session->in_flight() == 0);
}

TEST_CASE("answers find their calls in any order; tokens go to the token handler") {
  session_setup s;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> got;
  s.act([&] {
    s.session->on_answer([&](std::uint64_t token, const api::response& r) { got.emplace_back(token, r.revision); });
    s.session->call(get("/a"), 70);
    s.session->call(get("/b"), 80);
  });
  script::answer(s.plan->requests[1], good(2));
  s.world.run_until_idle();
  script::answer(s.plan->requests[0], good(1));
  s.world.run_until_idle();
  CHECK(got == std::vector<std::pair<std::uint64_t, std::uint64_t>>{{80, 2}, {70, 1}});
}

TEST_CASE("deadlines: each call fails after its own, not before") {
  session_setup s;
  s.call(get("/slow"), 10s);
  s.call(get("/fast"), 1s);
  s.world.run_for(999ms);
  CHECK(s.answers.empty());
  s.world.run_for(400ms);
  REQUIRE(s.answers.size() == 1);
  CHECK(s.answers[0].error.why == reason::timeout);
  s.world.run_for(8s);
  CHECK(s.answers.size() == 1);
  s.world.run_for(1s);
  CHECK(s.answers.size() == 2);
  script::answer(s.plan->requests[0], good(1));  // too late
  s.world.run_until_idle();
  CHECK(s.answers.size() == 2);
}

TEST_CASE("overload is retried with growing pauses, then reported") {
  session_setup s({.retries = 3, .retry_base = 100ms});
  s.plan->on_request = [](const script::asked& a) {
    script::answer_error(a, make_status(reason::service_unavailable, "starting"));
  };
  std::vector<std::uint64_t> times;
  s.call(post("/api/v1/namespaces/default/pods", "{}"));
  s.world.run_for(10s);
  CHECK(s.plan->requests.size() == 4);
  REQUIRE(s.answers.size() == 1);
  CHECK(s.answers[0].error.message == "starting");
}

TEST_CASE("Retry-After is obeyed") {
  session_setup s;
  int asked = 0;
  s.plan->on_request = [&](const script::asked& a) {
    if (++asked == 1) {
      auto why = make_status(reason::too_many_requests, "slow down");
      why.retry_after_seconds = 3;
      script::answer_error(a, why);
    } else {
      script::answer(a, good(9));
    }
  };
  s.call(get("/x"));
  s.world.run_for(2'900ms);
  CHECK(asked == 1);
  s.world.run_for(200ms);
  CHECK(asked == 2);
  REQUIRE(s.answers.size() == 1);
  CHECK(s.answers[0].error.ok());
}

TEST_CASE("an error that is no overload is not retried") {
  session_setup s;
  s.plan->on_request = [](const script::asked& a) { script::answer_error(a, make_status(reason::conflict, "no")); };
  s.call(put("/x", "{}"));
  s.world.run_for(10s);
  CHECK(s.plan->requests.size() == 1);
  REQUIRE(s.answers.size() == 1);
  CHECK(s.answers[0].error.why == reason::conflict);
}

TEST_CASE("when the api_server dies, writes in flight fail at once and reads are asked again") {
  session_setup s;
  s.call(post("/w", "{}"));
  s.call(get("/r"));
  REQUIRE(s.plan->requests.size() == 2);
  s.stop_server();
  REQUIRE(s.answers.size() == 1);
  CHECK(s.answers[0].error.why == reason::service_unavailable);
  s.call(post("/later", "{}"));  // sent while it is down: waits
  CHECK(s.answers.size() == 1);
  s.plan->on_request = [](const script::asked& a) { script::answer(a, good(1)); };
  s.start_server();
  s.world.run_for(1s);
  CHECK(s.answers.size() == 3);
  std::vector<std::string> targets;
  for (auto& a : s.plan->requests) targets.push_back(a.request.target);
  CHECK(std::count(targets.begin(), targets.end(), "/w") == 1);
  CHECK(std::count(targets.begin(), targets.end(), "/r") == 2);
  CHECK(std::count(targets.begin(), targets.end(), "/later") == 1);
}

TEST_CASE("an api_server that is replaced without notice fails what went to the old one") {
  session_setup s;
  s.call(post("/w", "{}"));
  auto old = s.server;
  s.start_server();
  s.world.run_until_idle();
  REQUIRE(s.answers.size() == 1);
  CHECK(s.answers[0].error.why == reason::service_unavailable);
  s.call(post("/new", "{}"));
  script::answer(s.plan->requests.back(), good(4));
  s.world.run_until_idle();
  CHECK(s.answers.size() == 2);
}

TEST_CASE("a cancelled call is not answered") {
  session_setup s;
  s.act([&] {
    auto id = s.session->call(get("/x"), [&](const api::response& got) { s.answers.push_back(got); });
    s.session->cancel(id);
  });
  script::answer(s.plan->requests[0], good(1));
  s.world.run_for(60s);
  CHECK(s.answers.empty());
}

TEST_CASE("watch: events before the answer that names it are kept; closing and stopping") {
  session_setup s;
  std::vector<std::string> told;
  api_session::handle_id id = 0;
  auto open = [&] {
    s.act([&] {
      watch_handlers handlers;
      handlers.opened = [&](const api::response&) { told.push_back("opened"); };
      handlers.events = [&](const std::vector<api::watch_event>& events) {
        told.push_back("events " + std::to_string(events.size()));
      };
      handlers.closed = [&](const status& why) { told.push_back("closed " + std::to_string(why.code)); };
      id = s.session->watch("/api/v1/pods?watch=true", std::move(handlers));
    });
  };
  open();
  auto asked = s.plan->requests.at(0);
  script::deliver(asked, 40, {bookmark(3)});
  script::accept_watch(asked, 40);
  s.world.run_until_idle();
  script::deliver(asked, 40, {bookmark(4), bookmark(5)});
  script::close(asked, 40, make_status(reason::expired, "too old"));
  script::deliver(asked, 40, {bookmark(6)});
  s.world.run_until_idle();
  CHECK(told == std::vector<std::string>{"opened", "events 1", "events 2", "closed 410"});

  told.clear();
  open();
  script::accept_watch(s.plan->requests.at(1), 41);
  s.world.run_until_idle();
  s.act([&] { s.session->stop_watch(id); });
  script::deliver(s.plan->requests.at(1), 41, {bookmark(7)});
  s.world.run_until_idle();
  CHECK(told == std::vector<std::string>{"opened"});
  CHECK(s.plan->stopped == std::vector<std::uint64_t>{41});

  told.clear();
  open();
  script::accept_watch(s.plan->requests.at(2), 42);
  s.world.run_until_idle();
  s.stop_server();
  CHECK(told == std::vector<std::string>{"opened", "closed 503"});
}

TEST_CASE("a watch that is answered after it was given up is stopped at the server") {
  session_setup s;
  s.act([&] { s.session->stop_watch(s.session->watch("/w", {})); });
  script::accept_watch(s.plan->requests.at(0), 50);
  s.world.run_until_idle();
  CHECK(s.plan->stopped == std::vector<std::uint64_t>{50});
}

TEST_CASE("targets are encoded") {
  CHECK(list_target("/api/v1/pods", "app in (a,b)", "spec.nodeName=") ==
        "/api/v1/pods?labelSelector=app%20in%20%28a%2Cb%29&fieldSelector=spec.nodeName%3D");
  CHECK(resume_watch_target("/api/v1/pods", 12) ==
        "/api/v1/pods?watch=true&resourceVersion=12&allowWatchBookmarks=true");
  CHECK(initial_watch_target("/api/v1/pods") ==
        "/api/v1/pods?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
}
