// Supervision: restart, backoff, intensity, escalation, order of stopping, the tree.
#include "runtime/supervisor.hpp"

#include <doctest/doctest.h>

#include <caf/event_based_actor.hpp>

#include "tests/actors/runtime/fixture.hpp"

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::testing;

namespace {

child_spec worker_child(const std::string& name, const std::shared_ptr<diary>& book,
                        const stable_ref<worker_actor>& reference = {},
                        restart_policy policy = restart_policy::permanent) {
  return child<worker_actor>(
      name, [=](caf::actor_system& system) { return system.spawn<worker>(name, book); }, reference, policy);
}

supervision::actor_info info_of(simulation::world& world, const std::string& path) {
  for (auto& info : world.setup().registry().snapshot(path))
    if (info.path == path) return info;
  return {};
}

}  // namespace

TEST_CASE("a child that throws is started again and keeps its reference") {
  simulation::world world(1);
  auto book = std::make_shared<diary>();
  auto ref = stable_ref<worker_actor>::make(world.system(), "root/a");
  spawn_supervisor(world.system(), "root", {worker_child("a", book, ref)});
  world.run_until_idle();
  CHECK(ref.incarnation() == 1);
  caf::anon_send(ref.handle(), ping{1});
  caf::anon_send(ref.handle(), ping{-1});
  world.run_until_idle();
  CHECK_FALSE(ref.up());
  CHECK(info_of(world, "root/a").state == "backing_off");
  CHECK(info_of(world, "root/a").last_error.find("negative") != std::string::npos);
  caf::anon_send(ref.handle(), ping{2});  // waits for the next incarnation
  world.run_for(10ms);
  CHECK(ref.incarnation() == 2);
  CHECK(book->numbers == std::vector<int>{1, 2});
  CHECK(book->lines.back() == "start root/a 2");
  CHECK(info_of(world, "root/a").state == "running");
  CHECK(info_of(world, "root/a").restarts == 1);
}

TEST_CASE("an ordered crash is obeyed by the component of that path only, and only if allowed") {
  simulation::world world(2);
  auto book = std::make_shared<diary>();
  auto ref_a = stable_ref<worker_actor>::make(world.system(), "root/a");
  auto ref_b = stable_ref<worker_actor>::make(world.system(), "root/b");
  auto root =
      spawn_supervisor(world.system(), "root", {worker_child("a", book, ref_a), worker_child("b", book, ref_b)});
  world.run_until_idle();
  world.setup().allow_crash = false;
  caf::anon_send(root, supervision::crash{"root/b"});
  world.run_for(1s);
  CHECK(ref_b.incarnation() == 1);
  world.setup().allow_crash = true;
  caf::anon_send(root, supervision::crash{"root/b"});
  world.run_for(1s);
  CHECK(ref_a.incarnation() == 1);
  CHECK(ref_b.incarnation() == 2);
}

TEST_CASE("backoff doubles up to its cap, and too many ends escalate") {
  simulation::world world(3);
  auto book = std::make_shared<diary>();
  supervisor_options options;
  options.max_restarts = 6;
  options.window = 60s;
  options.base = 10ms;
  options.cap = 100ms;
  child_spec broken;
  broken.name = "broken";
  broken.start = [&](caf::actor_system&) -> caf::strong_actor_ptr {
    book->starts_us.push_back(world.now_us());
    throw std::runtime_error("cannot start");
  };
  auto root = spawn_supervisor(world.system(), "root", {broken, worker_child("good", book)}, options);
  caf::error reason;
  root->attach_functor([&](const caf::error& why) { reason = why; });
  world.run_for(10s);
  std::vector<std::uint64_t> starts;
  for (auto at : book->starts_us) starts.push_back(at - book->starts_us[0]);
  // the second entry is the good worker's start, at the same time
  CHECK(starts == std::vector<std::uint64_t>{0, 0, 10'000, 30'000, 70'000, 150'000, 250'000, 350'000});
  CHECK(reason == caf::sec::runtime_error);
  CHECK(why_ended(reason) == "root/broken failed again and again, at last with: cannot start");
  CHECK(book->lines == std::vector<std::string>{"start root/good 1", "end root/good"});
}

TEST_CASE("ends outside the window do not add up") {
  simulation::world world(4);
  auto book = std::make_shared<diary>();
  auto ref = stable_ref<worker_actor>::make(world.system(), "root/a");
  supervisor_options options;
  options.max_restarts = 1;
  options.window = 1s;
  auto root = spawn_supervisor(world.system(), "root", {worker_child("a", book, ref)}, options);
  bool ended = false;
  root->attach_functor([&](const caf::error&) { ended = true; });
  for (int i = 0; i < 5; ++i) {
    world.run_for(2s);
    caf::anon_send(ref.handle(), ping{-1});
  }
  world.run_for(2s);
  CHECK(ref.incarnation() == 6);
  CHECK_FALSE(ended);
}

TEST_CASE("a nested supervisor that gives up is started anew; references go on") {
  simulation::world world(5);
  auto book = std::make_shared<diary>();
  auto ref = stable_ref<worker_actor>::make(world.system(), "root/node/pod");
  supervisor_options strict;
  strict.max_restarts = 0;
  spawn_supervisor(world.system(), "root",
                   {supervisor_child("node", {worker_child("pod", book, ref), worker_child("other", book)}, strict)});
  world.run_until_idle();
  caf::anon_send(ref.handle(), ping{-1});
  caf::anon_send(ref.handle(), ping{8});
  world.run_for(1s);
  CHECK(ref.incarnation() == 2);
  CHECK(info_of(world, "root/node").restarts == 1);
  caf::anon_send(ref.handle(), ping{9});
  world.run_until_idle();
  CHECK(book->numbers.back() == 9);
  CHECK(std::count(book->lines.begin(), book->lines.end(), "end root/node/other") == 1);
}

TEST_CASE("what keeps failing deep in the tree ends all of it within a minute, and says so") {
  simulation::world world(12);
  auto book = std::make_shared<diary>();
  auto ref = stable_ref<worker_actor>::make(world.system(), "root/manager/poisoned");
  auto poisoned = worker_child("poisoned", book, ref);
  poisoned.start = [](caf::actor_system&) -> caf::strong_actor_ptr { throw std::runtime_error("bad object"); };
  auto root =
      spawn_supervisor(world.system(), "root", {worker_child("store", book), supervisor_child("manager", {poisoned})});
  caf::error reason;
  root->attach_functor([&](const caf::error& why) { reason = why; });
  world.run_for(25s);
  CHECK_FALSE(reason);
  world.run_for(10s);
  CHECK(why_ended(reason) == "root/manager/poisoned failed again and again, at last with: bad object");
  CHECK(book->lines.back() == "end root/store");
}

TEST_CASE("children stop in reverse order, each after the one started later is gone") {
  simulation::world world(6);
  auto book = std::make_shared<diary>();
  auto ref = stable_ref<worker_actor>::make(world.system(), "root/first");
  auto root = spawn_supervisor(
      world.system(), "root",
      {worker_child("first", book, ref),
       supervisor_child("middle", {worker_child("m1", book), worker_child("m2", book)}), worker_child("last", book)});
  world.run_until_idle();
  book->lines.clear();
  bool ended = false;
  root->attach_functor([&](const caf::error& why) { ended = why == caf::exit_reason::user_shutdown; });
  request_stop(root);
  world.run_for(1s);
  CHECK(book->lines ==
        std::vector<std::string>{"end root/last", "end root/middle/m2", "end root/middle/m1", "end root/first"});
  CHECK(ended);
  CHECK(world.setup().registry().snapshot("root").empty());
  CHECK_FALSE(ref.up());
}

TEST_CASE("a child that does not end in time is killed") {
  using deaf_actor = caf::typed_actor<caf::reacts_to<ping>>;
  struct deaf : component<deaf_actor> {
    explicit deaf(caf::actor_config& settings) : component(settings, "deaf") {
      set_exit_handler([](caf::exit_msg&) {});
    }
    behavior_type make_behavior() override {
      return {[](const ping&) {}};
    }
  };
  simulation::world world(7);
  auto root = spawn_supervisor(world.system(), "root",
                               {child<deaf_actor>("deaf", [](caf::actor_system& s) { return s.spawn<deaf>(); })});
  world.run_until_idle();
  bool ended = false;
  root->attach_functor([&](const caf::error&) { ended = true; });
  request_stop(root);
  world.run_for(4'900ms);
  CHECK_FALSE(ended);
  world.run_for(200ms);
  CHECK(ended);
}

TEST_CASE("a component that throws while it starts is started again; one that gets an unknown message lives on") {
  using plain_actor = caf::typed_actor<caf::reacts_to<ping>>;
  struct late : component<plain_actor> {
    explicit late(caf::actor_config& settings) : component(settings, "late") {}
    behavior_type make_behavior() override {
      if (incarnation() == 1) throw std::runtime_error("not yet");
      return {[](const ping&) {}};
    }
  };
  simulation::world world(11);
  auto book = std::make_shared<diary>();
  auto ref = stable_ref<plain_actor>::make(world.system(), "root/late");
  auto other = stable_ref<worker_actor>::make(world.system(), "root/other");
  spawn_supervisor(world.system(), "root",
                   {child<plain_actor>(
                        "late", [](caf::actor_system& s) { return s.spawn<late>(); }, ref),
                    worker_child("other", book, other)});
  world.run_for(1s);
  CHECK(ref.up());
  CHECK(ref.incarnation() == 2);
  auto to = caf::actor_cast<caf::strong_actor_ptr>(ref.handle());
  auto from = world.setup().registry().find("root/other");
  to->enqueue(caf::make_mailbox_element(from, caf::make_message_id(), {}, supervision::describe{1}), nullptr);
  world.run_for(1s);
  CHECK(ref.incarnation() == 2);
  CHECK(other.incarnation() == 1);
}

TEST_CASE("transient and temporary children") {
  simulation::world world(8);
  auto book = std::make_shared<diary>();
  auto transient = stable_ref<worker_actor>::make(world.system(), "root/transient");
  auto temporary = stable_ref<worker_actor>::make(world.system(), "root/temporary");
  spawn_supervisor(world.system(), "root",
                   {worker_child("transient", book, transient, restart_policy::transient),
                    worker_child("temporary", book, temporary, restart_policy::temporary)});
  world.run_until_idle();
  caf::anon_send(transient.handle(), ping{-1});
  caf::anon_send(temporary.handle(), ping{-1});
  world.run_for(1s);
  CHECK(transient.incarnation() == 2);
  CHECK(temporary.incarnation() == 1);
  CHECK(info_of(world, "root/temporary").path.empty());
  caf::anon_send_exit(world.setup().registry().find("root/transient"), caf::exit_reason::user_shutdown);
  world.run_for(1s);
  CHECK(transient.incarnation() == 2);
  CHECK_FALSE(transient.up());
}

TEST_CASE("children come and go while the supervisor runs") {
  simulation::world world(9);
  auto book = std::make_shared<diary>();
  auto root = spawn_supervisor(world.system(), "pods", {});
  world.run_until_idle();
  auto start = [&](const std::string& name) {
    caf::anon_send(root, start_child{std::make_shared<const child_spec>(worker_child(name, book))});
    world.run_until_idle();
  };
  start("a");
  start("b");
  caf::anon_send(root, stop_child{"a"});
  caf::anon_send(root, stop_child{"unknown"});
  world.run_for(1s);
  CHECK(info_of(world, "pods/a").path.empty());
  CHECK(info_of(world, "pods/b").state == "running");
  start("a");
  CHECK(info_of(world, "pods/a").state == "running");
  CHECK(info_of(world, "pods/a").restarts == 0);
}

TEST_CASE("describe answers the tree with counters") {
  simulation::world world(10);
  auto book = std::make_shared<diary>();
  auto ref = stable_ref<worker_actor>::make(world.system(), "root/nodes/n1");
  auto root =
      spawn_supervisor(world.system(), "root",
                       {worker_child("store", book), supervisor_child("nodes", {worker_child("n1", book, ref)})});
  world.run_until_idle();
  for (int i = 0; i < 3; ++i) caf::anon_send(ref.handle(), ping{i});
  supervision::tree got;
  auto asker = world.system().spawn([&, root](caf::event_based_actor* self) -> caf::behavior {
    self->send(caf::actor_cast<caf::actor>(root), supervision::describe{77});
    return {[&](const supervision::tree& tree) { got = tree; }};
  });
  world.run_for(1s);
  CHECK(got.id == 77);
  std::vector<std::string> paths;
  for (auto& info : got.actors) paths.push_back(info.path);
  CHECK(paths == std::vector<std::string>{"root", "root/nodes", "root/nodes/n1", "root/store"});
  REQUIRE(got.actors.size() == 4);
  world.run_for(1s);
  CHECK(info_of(world, "root/nodes/n1").processed == 3);
  CHECK(info_of(world, "root/nodes/n1").mailbox == 0);
  caf::anon_send_exit(asker, caf::exit_reason::user_shutdown);
}
