// The event recorder: one write after another, none lost that fits its queue.
#include "runtime/event_recorder.hpp"

#include <doctest/doctest.h>

#include <optional>

#include "messages/document.hpp"
#include "tests/actors/runtime/fixture.hpp"

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::testing;

namespace {

class reporter final : public component<api::client_actor> {
 public:
  reporter(caf::actor_config& settings, stable_ref<api::api_server_actor> server, event_recorder** out,
           actor_context** context)
      : component(settings, "reporter"), session_(*this, std::move(server), {}), events_(session_, "reporter") {
    *out = &events_;
    *context = this;
  }
  behavior_type make_behavior() override {
    return {[this](const api::response& answer) { session_.handle(answer); },
            [this](const api::watch_delivery& delivery) { session_.handle(delivery); }};
  }

 private:
  api_session session_;
  event_recorder events_;
};

struct recorder_setup {
  recorder_setup() : world(1) {
    ref = stable_ref<api::api_server_actor>::make(world.system(), "api_server");
    ref.set_target(world.system().spawn<scripted_server>(plan));
    handle = world.system().spawn<reporter>(ref, &events, &context);
    world.run_until_idle();
  }
  void tell(int count, const std::string& reason = "Started") {
    context->post([this, count, reason] {
      for (int i = 0; i < count; ++i)
        events->normal({"Pod", "v1", "default", "p" + std::to_string(i), "u" + std::to_string(i), 1, ""}, reason, "m");
    });
    world.run_until_idle();
  }
  void answer(std::size_t which, const status& why = {}) {
    why.ok() ? script::answer(plan->requests[which], {}) : script::answer_error(plan->requests[which], why);
    world.run_until_idle();
  }

  std::shared_ptr<script> plan = std::make_shared<script>();
  simulation::world world;
  stable_ref<api::api_server_actor> ref;
  event_recorder* events = nullptr;
  actor_context* context = nullptr;
  api::client_actor handle;
};

std::string name_of(const script::asked& one) {
  auto body = document::parse(one.request.body.view());
  auto* name = body ? body->root().find("involvedObject", "name") : nullptr;
  return name ? std::string(name->string()) : std::string();
}

}  // namespace

TEST_CASE("events are written one after another, in order") {
  recorder_setup s;
  s.tell(1000);
  for (std::size_t i = 0; i < 1000; ++i) {
    REQUIRE(s.plan->requests.size() == i + 1);
    CHECK(name_of(s.plan->requests[i]) == "p" + std::to_string(i));
    s.answer(i);
  }
  CHECK(s.plan->requests.size() == 1000);
  CHECK(s.events->dropped() == 0);
}

TEST_CASE("one that is refused does not hold up the next") {
  recorder_setup s;
  s.tell(2);
  s.answer(0, forbidden("", "events", "p0", "no"));
  REQUIRE(s.plan->requests.size() == 2);
  CHECK(name_of(s.plan->requests[1]) == "p1");
}

TEST_CASE("what does not fit the queue is dropped and counted") {
  recorder_setup s;
  s.tell(5000);
  CHECK(s.events->dropped() == 5000 - 1 - 4096);
  CHECK(s.plan->requests.size() == 1);
}
