// Actors run by urgency, on real threads.
#include <doctest/doctest.h>

#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <caf/scoped_actor.hpp>

#include "runtime/priority_scheduler.hpp"
#include "runtime/services.hpp"
#include "runtime/system_config.hpp"
#include "tests/actors/runtime/fixture.hpp"

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::testing;

namespace {

/// Runs a function for each ping.
class doer final : public component<worker_actor> {
 public:
  doer(caf::actor_config& settings, std::function<void(int)> run) : component(settings, "doer"), run_(std::move(run)) {}
  behavior_type make_behavior() override {
    return {[this](const ping& message) { run_(message.number); }};
  }

 private:
  std::function<void(int)> run_;
};

worker_actor spawn_at(caf::actor_system& system, const std::string& path, urgency level, std::function<void(int)> run) {
  spawn_scope scope(path, 1, level);
  return system.spawn<doer>(std::move(run));
}

struct one_thread {
  real_services outside;
  system_config config{outside, 1};
  std::unique_ptr<caf::actor_system> system;
  one_thread() {
    config.schedule_by_urgency();
    system = std::make_unique<caf::actor_system>(config);
  }
};

}  // namespace

TEST_CASE("what serves has a thread of its own; of the others those that decide go before those that report") {
  // The system goes first: its threads may still be inside a promise whose value is here already.
  std::promise<void> begun, served, go, done;
  std::vector<std::string> order;  // of the components' only thread
  one_thread world;
  auto blocker = spawn_at(*world.system, "blocker", urgency::reporting, [&](int) {
    begun.set_value();
    go.get_future().wait();
  });
  auto reports = spawn_at(*world.system, "reports", urgency::reporting, [&](int number) {
    order.push_back("reporting" + std::to_string(number));
    if (number == 2) done.set_value();
  });
  auto decides = spawn_at(*world.system, "decides", urgency::deciding,
                          [&](int number) { order.push_back("deciding" + std::to_string(number)); });
  auto serves = spawn_at(*world.system, "serves", urgency::serving, [&](int) { served.set_value(); });
  caf::scoped_actor self{*world.system};
  self->send(blocker, ping{0});
  begun.get_future().wait();
  for (int i = 1; i <= 2; ++i) {
    self->send(reports, ping{i});
    self->send(decides, ping{i});
  }
  self->send(serves, ping{1});
  served.get_future().wait();
  CHECK(order.empty());
  go.set_value();
  done.get_future().wait();
  CHECK(order == std::vector<std::string>{"deciding1", "deciding2", "reporting1", "reporting2"});
}

TEST_CASE("an actor that never runs out of messages does not keep less urgent ones from theirs") {
  std::promise<void> reached;
  std::optional<worker_actor> busy;
  bool enough = false;  // of the components' only thread
  one_thread world;
  busy = spawn_at(*world.system, "busy", urgency::deciding, [&](int number) {
    if (!enough) caf::anon_send(*busy, ping{number + 1});
  });
  auto reports = spawn_at(*world.system, "reports", urgency::reporting, [&](int) {
    enough = true;
    reached.set_value();
  });
  caf::scoped_actor self{*world.system};
  self->send(*busy, ping{0});
  self->send(reports, ping{1});
  reached.get_future().wait();  // it would never come
  CHECK(enough);
  busy.reset();
}

TEST_CASE("a system of many threads handles every message once and ends") {
  constexpr int each = 500;
  std::atomic<int> left{3 * each};
  std::promise<void> done;
  real_services outside;
  system_config config{outside, 4};
  config.schedule_by_urgency();
  caf::actor_system system{config};
  std::vector<worker_actor> all;
  for (auto level : {urgency::serving, urgency::deciding, urgency::reporting})
    all.push_back(spawn_at(system, "doer" + std::to_string(all.size()), level, [&](int) {
      if (left.fetch_sub(1) == 1) done.set_value();
    }));
  caf::scoped_actor self{system};
  for (int i = 0; i < each; ++i)
    for (auto& one : all) self->send(one, ping{i});
  done.get_future().wait();
  CHECK(left.load() == 0);
}
