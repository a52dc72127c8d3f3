// The simulated world: the same seed gives the same run, faults happen, time passes only when told.
#include "runtime/simulation/world.hpp"

#include <doctest/doctest.h>

#include <set>

#include "runtime/api_session.hpp"
#include "tests/actors/runtime/fixture.hpp"

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::testing;

namespace {

/// Asks the server something whenever its random timer is due.
class chatter final : public component<api::client_actor> {
 public:
  chatter(caf::actor_config& settings, const std::string& name, stable_ref<api::api_server_actor> server)
      : component(settings, name), session_(*this, std::move(server), {}) {}
  behavior_type make_behavior() override {
    ask_later();
    return {[this](const api::response& answer) { session_.handle(answer); },
            [this](const api::watch_delivery& delivery) { session_.handle(delivery); }};
  }
  void on_timer(std::uint64_t) override {
    session_.call(get("/api/v1/pods/" + new_uid()), [](const api::response&) {});
    ask_later();
  }

 private:
  void ask_later() { start_timer(std::chrono::milliseconds(random_u64() % 50), 1); }
  api_session session_;
};

struct run_result {
  std::uint64_t digest, messages, dropped;
  std::vector<std::string> targets;
};

run_result run(std::uint64_t seed, bool faults) {
  simulation::world world(seed);
  auto plan = std::make_shared<script>();
  plan->on_request = [](const script::asked& a) { script::answer(a, {}); };
  auto ref = stable_ref<api::api_server_actor>::make(world.system(), "api_server");
  auto server = world.system().spawn<scripted_server>(plan);
  ref.set_target(server);
  std::vector<api::client_actor> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(world.system().spawn<chatter>("client-" + std::to_string(i), ref));
  if (faults) {
    world.partition("client-3", "api_server");
    world.jitter(20ms);
  }
  world.run_for(5s);
  run_result got{world.digest(), world.messages(), world.dropped(), {}};
  for (auto& asked : plan->requests) got.targets.push_back(asked.request.target);
  return got;
}

}  // namespace

TEST_CASE("same seed, same digest; another seed, another") {
  for (bool faults : {false, true}) {
    auto first = run(42, faults);
    auto second = run(42, faults);
    CHECK(first.messages > 500);
    CHECK(first.digest == second.digest);
    CHECK(first.targets == second.targets);
    CHECK(run(43, faults).digest != first.digest);
    CHECK((first.dropped > 0) == faults);
  }
}

TEST_CASE("jitter never reorders what one actor sends another") {
  using sender_actor = caf::typed_actor<caf::reacts_to<ping>>;
  struct sender : component<sender_actor> {
    sender(caf::actor_config& settings, worker_actor target)
        : component(settings, "sender"), target_(std::move(target)) {}
    behavior_type make_behavior() override {
      start_timer(1ms, 1);
      return {[](const ping&) {}};
    }
    void on_timer(std::uint64_t) override {
      for (int i = 0; i < 5; ++i) send(target_, ping{next_++});
      if (next_ < 200) start_timer(1ms, 1);
    }
    worker_actor target_;
    int next_ = 0;
  };
  simulation::world world(5);
  auto book = std::make_shared<diary>();
  world.jitter(10ms);
  auto target = world.system().spawn<worker>("w", book);
  auto from = world.system().spawn<sender>(target);
  world.run_for(1s);
  CHECK(book->numbers.size() == 200);
  CHECK(std::is_sorted(book->numbers.begin(), book->numbers.end()));
}

TEST_CASE("what is sent when a late message is due stays behind it") {
  using sender_actor = caf::typed_actor<caf::reacts_to<ping>>;
  struct sender : component<sender_actor> {
    sender(caf::actor_config& settings, worker_actor target)
        : component(settings, "sender"), target_(std::move(target)) {}
    behavior_type make_behavior() override {
      start_timer(4ms, 1);  // first in line at its time
      send(target_, ping{0});
      return {[](const ping&) {}};
    }
    void on_timer(std::uint64_t) override { send(target_, ping{1}); }
    worker_actor target_;
  };
  simulation::world world(5);
  auto book = std::make_shared<diary>();
  world.add_fault([seen = 0](const simulation::message_on_way& way, std::mt19937_64&) mutable {
    message_hooks::fate decided;
    if (way.from == "sender" && seen++ == 0) decided.delay = 4ms;
    return decided;
  });
  auto target = world.system().spawn<worker>("w", book);
  auto from = world.system().spawn<sender>(target);
  world.run_for(1s);
  CHECK(book->numbers == std::vector<int>{0, 1});
}

TEST_CASE("run_until stops at the condition, in virtual time") {
  simulation::world world(6);
  auto book = std::make_shared<diary>();
  auto target = world.system().spawn<worker>("w", book);
  caf::delayed_anon_send(target, 3s, ping{1});
  auto begun = world.now_us();
  CHECK(world.run_until([&] { return !book->numbers.empty(); }, 10s));
  CHECK(world.now_us() - begun == 3'000'000);
  CHECK_FALSE(world.run_until([&] { return book->numbers.size() > 1; }, 10s));
}

TEST_CASE("uids are version 4 and differ; the wall clock follows virtual time") {
  simulated_services outside(7);
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    auto uid = outside.new_uid();
    REQUIRE(uid.size() == 36);
    CHECK(uid[14] == '4');
    CHECK(std::string("89ab").find(uid[19]) != std::string::npos);
    seen.insert(uid);
  }
  CHECK(seen.size() == 1000);
  simulation::world world(8);
  auto before = world.outside().wall_now_ms();
  world.run_for(90s);
  CHECK(world.outside().wall_now_ms() - before == 90'000);
  world.outside().jump_wall(-10'000);
  CHECK(world.outside().wall_now_ms() - before == 80'000);
}
