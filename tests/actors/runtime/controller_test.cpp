// The shared controller shell: queue, writes, caches that catch up, backoff, events, replay.
#include "runtime/controller.hpp"

#include <doctest/doctest.h>

#include <filesystem>

#include "messages/document.hpp"
#include "runtime/supervisor.hpp"
#include "runtime/trace/controller_replay.hpp"
#include "tests/actors/runtime/fixture.hpp"

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::testing;

namespace {

/// Wants a config map "copy-X" for each config map "X".
class copier final : public controller::core {
 public:
  explicit copier(std::shared_ptr<diary> book, bool wrong = false) : book_(std::move(book)), wrong_(wrong) {}
  std::string_view name() const override { return "copier"; }
  std::vector<controller::source> sources() const override { return {{.collection = "/api/v1/configmaps"}}; }

  std::vector<controller::effect> observe(const controller::object_changed& change,
                                          const controller::caches&) override {
    auto key = change.key;
    auto copy = key.find("/copy-");
    if (copy != std::string::npos) key.erase(copy + 1, 5);
    return {controller::enqueue{key}};
  }

  std::vector<controller::effect> reconcile(const controller::key_due& due, const controller::caches& view) override {
    if (book_) book_->lines.push_back("look " + due.key);
    auto slash = due.key.find('/');
    auto copy_key = due.key.substr(0, slash + 1) + "copy-" + due.key.substr(slash + 1);
    auto original = view.find(0, due.key);
    auto copy = view.find(0, copy_key);
    std::vector<controller::effect> effects;
    if (original && !copy) {
      controller::write write;
      write.tag = 1;
      write.request.verb = api::method::post;
      write.request.target = wrong_ ? "/wrong" : "/api/v1/namespaces/default/configmaps";
      write.request.body = shared_bytes(copy_key);
      write.seen_by = 0;
      effects.emplace_back(std::move(write));
      effects.emplace_back(controller::note{original, false, "Copied", "made " + copy_key});
    } else if (!original && copy) {
      controller::write write;
      write.tag = 2;
      write.request.verb = api::method::del;
      write.request.target = "/api/v1/namespaces/default/configmaps/" + std::string(copy->name);
      write.tolerated = {reason::not_found};
      effects.emplace_back(std::move(write));
    }
    return effects;
  }

  std::vector<controller::effect> written(const controller::write_done& done, const controller::caches&) override {
    if (book_) book_->lines.push_back("written " + std::to_string(done.tag) + " " + std::to_string(done.error.code));
    return {};
  }

 private:
  std::shared_ptr<diary> book_;
  bool wrong_;
};

/// World, scripted api_server that keeps Events apart, and the controller.
struct controller_setup {
  explicit controller_setup(trace::recorder* recorder = nullptr) : world(1, recorder) {
    plan->on_request = [this](const script::asked& a) {
      if (a.request.target.find("watch=true") != std::string::npos) {
        watcher = a;
        script::accept_watch(a, ++watch_id);
      } else if (a.request.target.find("/events") != std::string::npos) {
        events.push_back(a);
        script::answer(a, {});
      } else {
        writes.push_back(a);
        if (on_write) on_write(a);
      }
    };
    ref = stable_ref<api::api_server_actor>::make(world.system(), "api_server");
    server = world.system().spawn<scripted_server>(plan);
    ref.set_target(server);
    auto server_ref = ref;
    auto notes = book;
    controller_options how;
    how.account = "copy-controller";
    root = spawn_supervisor(world.system(), "root", {child<controller_actor>("copier", [=](caf::actor_system& system) {
                              return spawn_controller(
                                  system, server_ref, [notes] { return std::make_unique<copier>(notes); }, how);
                            })});
    world.run_until_idle();
  }
  void deliver(std::vector<api::watch_event> what) {
    script::deliver(watcher, watch_id, std::move(what));
    world.run_until_idle();
  }
  void done(const script::asked& a, std::uint64_t revision) {
    api::response answer;
    answer.revision = revision;
    script::answer(a, answer);
    world.run_until_idle();
  }
  std::string told() {
    std::string text;
    for (auto& line : std::exchange(book->lines, {})) text += line + ";";
    return text;
  }

  simulation::world world;
  std::shared_ptr<script> plan = std::make_shared<script>();
  std::shared_ptr<diary> book = std::make_shared<diary>();
  std::function<void(const script::asked&)> on_write;
  std::vector<script::asked> writes, events;
  script::asked watcher;
  std::uint64_t watch_id = 0;
  stable_ref<api::api_server_actor> ref;
  api::api_server_actor server;
  local_supervisor root;
};

}  // namespace

TEST_CASE("nothing is decided before the first list is complete") {
  controller_setup s;
  s.deliver({added(config_map("a", 1, "ua"))});
  CHECK(s.told() == "");
  s.deliver({bookmark(2, true)});
  CHECK(s.told() == "look default/a;");
  REQUIRE(s.writes.size() == 1);
  // Who watches is shared by all controllers; who writes is the controller's own account.
  CHECK(s.watcher.request.user->name == "system:kube-controller-manager");
  CHECK(s.watcher.request.user->groups == std::vector<std::string>{"system:authenticated"});
  CHECK(s.writes[0].request.user->name == "system:serviceaccount:kube-system:copy-controller");
  CHECK(s.writes[0].request.user->groups == std::vector<std::string>{"system:serviceaccounts",
                                                                     "system:serviceaccounts:kube-system",
                                                                     "system:authenticated"});
  CHECK(s.writes[0].request.user_agent == "kube-controller-manager/copier");
}

TEST_CASE("a key is not looked at again before the cache shows what was written") {
  controller_setup s;
  s.deliver({added(config_map("a", 1, "ua")), bookmark(2, true)});
  s.told();
  s.deliver({modified(config_map("a", 5, "ua"))});  // while the write is under way
  CHECK(s.told() == "");
  s.done(s.writes[0], 9);
  CHECK(s.told() == "written 1 0;");
  s.deliver({modified(config_map("a", 8, "ua"))});
  CHECK(s.told() == "");
  s.deliver({added(config_map("copy-a", 9, "uc"))});
  CHECK(s.told() == "look default/a;");
  CHECK(s.writes.size() == 1);
}

TEST_CASE("a write that never shows in the cache is not waited for without end") {
  controller_setup s;
  s.deliver({added(config_map("a", 1, "ua")), bookmark(2, true)});
  s.done(s.writes[0], 9);
  s.deliver({modified(config_map("a", 5, "ua"))});
  s.told();
  s.world.run_for(6s);
  CHECK(s.told() == "look default/a;");
}

TEST_CASE("failed writes are tried again with growing pauses; tolerated errors are successes") {
  controller_setup s;
  s.on_write = [](const script::asked& a) { script::answer_error(a, make_status(reason::conflict, "no")); };
  s.deliver({added(config_map("a", 1, "ua")), added(config_map("copy-b", 2, "ub")), bookmark(3, true)});
  s.world.run_for(100ms);
  auto first = s.writes.size();
  CHECK(first >= 4);
  s.world.run_for(20s);
  CHECK(s.writes.size() - first < 20);
  s.on_write = [](const script::asked& a) { script::answer_error(a, make_status(reason::not_found, "gone")); };
  s.world.run_for(60s);
  std::size_t deletions = 0;
  for (auto& write : s.writes) deletions += write.request.verb == api::method::del;
  s.world.run_for(600s);
  std::size_t later = 0;
  for (auto& write : s.writes) later += write.request.verb == api::method::del;
  CHECK(later == deletions);
}

TEST_CASE("events are written once and counted afterwards") {
  controller_setup s;
  s.on_write = [](const script::asked& a) { script::answer_error(a, make_status(reason::conflict, "no")); };
  s.deliver({added(config_map("a", 1, "ua")), bookmark(3, true)});
  s.world.run_for(2s);
  REQUIRE(s.events.size() > 2);
  CHECK(s.events[0].request.verb == api::method::post);
  CHECK(s.events[0].request.target == "/api/v1/namespaces/default/events");
  auto body = document::parse(s.events[0].request.body.view());
  REQUIRE(body);
  CHECK(body->root().find("involvedObject", "kind")->string() == "ConfigMap");
  CHECK(body->root().find("reason")->string() == "Copied");
  CHECK(body->root().find("source", "component")->string() == "copier");
  CHECK(s.events[1].request.verb == api::method::patch);
  CHECK(s.events[1].request.body.view().find("\"count\":2") != std::string::npos);
  s.world.run_for(24h);
  CHECK(s.events.size() < 25 + 24 * 12 + 2);  // 25 at once, then one in 5 minutes
}

TEST_CASE("a controller that crashes starts over from a new list") {
  controller_setup s;
  s.deliver({added(config_map("a", 1, "ua")), bookmark(3, true)});
  CHECK(s.world.crash("root/copier"));
  s.world.run_for(1s);
  CHECK(s.watcher.request.target == initial_watch_target("/api/v1/configmaps"));
  s.deliver({added(config_map("a", 1, "ua")), added(config_map("copy-a", 4, "uc")), bookmark(5, true)});
  CHECK(s.told() == "look default/a;look default/a;");
}

TEST_CASE("a recorded controller replays in a fresh core, a changed one is found") {
  char pattern[] = "/tmp/troupe-trace-XXXXXX";
  std::string place = mkdtemp(pattern);
  auto recorder = trace::recorder::open({.directory = place});
  REQUIRE(recorder);
  {
    controller_setup s(recorder->get());
    s.on_write = [](const script::asked& a) {
      api::response answer;
      answer.revision = 6;
      script::answer(a, answer);
    };
    s.deliver({added(config_map("a", 1, "ua")), added(config_map("copy-b", 2, "ub")), bookmark(3, true)});
    s.deliver({added(config_map("copy-a", 6, "uc")), deleted(config_map("copy-b", 2, "ub"), 7)});
    s.world.run_for(1s);
    (*recorder)->flush();
  }
  auto replay = [&](bool changed) {
    trace::replay_registry cores;
    cores.add(trace::make_replayable_controller(
        "copier", [changed](std::string_view) { return std::make_unique<copier>(nullptr, changed); }));
    auto report = trace::replay(place, cores);
    REQUIRE(report.problem == "");
    REQUIRE(report.components.size() == 1);
    return report;
  };
  auto good = replay(false);
  CHECK(good.components[0].problem == "");
  CHECK(good.matched());
  CHECK(good.components[0].component == "root/copier");
  CHECK(good.components[0].events >= 8);
  auto bad = replay(true);
  CHECK_FALSE(bad.matched());
  CHECK(bad.components[0].problem.find("/wrong") != std::string::npos);
  std::filesystem::remove_all(place);
}
