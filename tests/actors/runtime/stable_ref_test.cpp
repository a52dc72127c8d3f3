// Stable references: parking, order, bounds, observers, closing.
#include "runtime/stable_ref.hpp"

#include <doctest/doctest.h>

#include <caf/event_based_actor.hpp>

#include "tests/actors/runtime/fixture.hpp"

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::testing;

namespace {

using observer_actor = caf::typed_actor<caf::reacts_to<ping>>;

/// Notes what it hears of a reference.
class observer final : public component<observer_actor> {
 public:
  observer(caf::actor_config& settings, stable_ref<worker_actor> ref, std::shared_ptr<diary> book)
      : component(settings, "observer"), ref_(std::move(ref)), book_(std::move(book)) {}
  behavior_type make_behavior() override {
    ref_.observe(*this, [this](const supervision::ref_changed& change) {
      book_->lines.push_back((change.up ? "up " : "down ") + std::to_string(change.incarnation));
    });
    return {[](const ping&) {}};
  }

 private:
  stable_ref<worker_actor> ref_;
  std::shared_ptr<diary> book_;
};

}  // namespace

TEST_CASE("what is sent before the target exists reaches it, in order") {
  simulation::world world(1);
  auto book = std::make_shared<diary>();
  auto ref = stable_ref<worker_actor>::make(world.system(), "w");
  for (int i = 0; i < 100; ++i) caf::anon_send(ref.handle(), ping{i});
  world.run_until_idle();
  CHECK(book->numbers.empty());
  ref.set_target(world.system().spawn<worker>("w", book));
  caf::anon_send(ref.handle(), ping{100});
  world.run_until_idle();
  REQUIRE(book->numbers.size() == 101);
  CHECK(std::is_sorted(book->numbers.begin(), book->numbers.end()));
}

TEST_CASE("no more than the bound is parked, requests beyond it are refused") {
  simulation::world world(2);
  auto book = std::make_shared<diary>();
  auto ref = stable_ref<worker_actor>::make(world.system(), "w", 2);
  caf::anon_send(ref.handle(), ping{1});
  caf::anon_send(ref.handle(), ping{2});
  caf::anon_send(ref.handle(), ping{3});
  caf::error refused;
  auto asker = world.system().spawn([&, ref](caf::event_based_actor* self) {
    self->request(caf::actor_cast<caf::actor>(ref.handle()), caf::infinite, ping{4})
        .then([] {}, [&](const caf::error& why) { refused = why; });
  });
  world.run_until_idle();
  CHECK(refused == caf::sec::request_receiver_down);
  ref.set_target(world.system().spawn<worker>("w", book));
  world.run_until_idle();
  CHECK(book->numbers == std::vector<int>{1, 2});
}

TEST_CASE("observers hear of every change, late ones of the present") {
  simulation::world world(3);
  auto book = std::make_shared<diary>();
  auto heard = std::make_shared<diary>();
  auto ref = stable_ref<worker_actor>::make(world.system(), "w");
  auto first = world.system().spawn<observer>(ref, heard);
  world.run_until_idle();
  CHECK(heard->lines.empty());
  ref.set_target(world.system().spawn<worker>("w", book));
  world.run_until_idle();
  caf::anon_send(ref.handle(), ping{-1});
  world.run_until_idle();
  ref.set_target(world.system().spawn<worker>("w", book));
  world.run_until_idle();
  CHECK(heard->lines == std::vector<std::string>{"up 1", "down 1", "up 2"});
  auto late = std::make_shared<diary>();
  auto second = world.system().spawn<observer>(ref, late);
  world.run_until_idle();
  CHECK(late->lines == std::vector<std::string>{"up 2"});
}

TEST_CASE("observers that have ended are not kept, though the target never changes") {
  simulation::world world(6);
  auto book = std::make_shared<diary>();
  auto ref = stable_ref<worker_actor>::make(world.system(), "w");
  ref.set_target(world.system().spawn<worker>("w", book));
  std::vector<caf::weak_actor_ptr> gone;
  auto watch_and_end = [&] {
    auto heard = std::make_shared<diary>();
    auto one = world.system().spawn<observer>(ref, heard);
    world.run_until_idle();
    CHECK(heard->lines == std::vector<std::string>{"up 1"});
    gone.push_back(caf::actor_cast<caf::weak_actor_ptr>(one));
    caf::anon_send_exit(one, caf::exit_reason::kill);
    one = nullptr;
    world.run_until_idle();
  };
  for (int i = 0; i < 20; ++i) watch_and_end();
  // Whoever else holds the address of an observer counts; the last one is found dead by the next that comes.
  gone.pop_back();
  for (const auto& one : gone) CHECK(one.get()->weak_refs == 1);
}

TEST_CASE("a target that is dead already is dropped at once") {
  simulation::world world(4);
  auto book = std::make_shared<diary>();
  auto dead = world.system().spawn<worker>("w", book);
  caf::anon_send_exit(dead, caf::exit_reason::user_shutdown);
  world.run_until_idle();
  auto ref = stable_ref<worker_actor>::make(world.system(), "w");
  ref.set_target(dead);
  CHECK_FALSE(ref.up());
  CHECK(ref.reached_incarnation() == 2);
  caf::anon_send(ref.handle(), ping{5});
  ref.set_target(world.system().spawn<worker>("w", book));
  world.run_until_idle();
  CHECK(book->numbers == std::vector<int>{5});
}

TEST_CASE("a closed reference refuses what is parked and what comes") {
  simulation::world world(5);
  auto ref = stable_ref<worker_actor>::make(world.system(), "w");
  int refused = 0;
  auto ask = [&] {
    world.system().spawn([&, ref](caf::event_based_actor* self) {
      self->request(caf::actor_cast<caf::actor>(ref.handle()), caf::infinite, ping{4})
          .then([] {}, [&](const caf::error&) { ++refused; });
    });
    world.run_until_idle();
  };
  ask();
  CHECK(refused == 0);
  ref.any()->close();
  world.run_until_idle();
  CHECK(refused == 1);
  ask();
  CHECK(refused == 2);
}
