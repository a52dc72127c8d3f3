// Informer: list, resume, relist with right differences, backoff.
#include "runtime/informer.hpp"

#include <doctest/doctest.h>

#include "tests/actors/runtime/fixture.hpp"

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::testing;

namespace {

/// A component with one informer that writes down what it is told.
class watcher final : public component<api::client_actor> {
 public:
  watcher(caf::actor_config& settings, stable_ref<api::api_server_actor> server, informer_options options,
          std::shared_ptr<diary> book, informer** out)
      : component(settings, "watcher"),
        book_(std::move(book)),
        session_(*this, std::move(server), {}),
        informer_(session_, std::move(options), handlers()) {
    *out = &informer_;
  }
  behavior_type make_behavior() override {
    informer_.start();
    return {[this](const api::response& answer) { session_.handle(answer); },
            [this](const api::watch_delivery& delivery) { session_.handle(delivery); }};
  }

 private:
  informer_handlers handlers() {
    informer_handlers made;
    made.added = [this](const object_ptr& now) { note("+" + object_key(*now)); };
    made.modified = [this](const object_ptr& before, const object_ptr& now) {
      note("~" + object_key(*now) + " " + (before ? std::to_string(before->revision) : "?") + ">" +
           std::to_string(now->revision));
    };
    made.deleted = [this](const std::string& key, const object_ptr& last) { note("-" + key + (last ? "" : " ?")); };
    made.synced = [this] { note("synced"); };
    return made;
  }
  void note(std::string line) { book_->lines.push_back(std::move(line)); }

  std::shared_ptr<diary> book_;
  api_session session_;
  informer informer_;
};

struct informer_setup {
  explicit informer_setup(bool keep = true) : world(1) {
    ref = stable_ref<api::api_server_actor>::make(world.system(), "api_server");
    start_server();
    informer_options options;
    options.collection = "/api/v1/configmaps";
    options.keep_objects = keep;
    handle = world.system().spawn<watcher>(ref, std::move(options), book, &under_test);
    world.run_until_idle();
  }
  void start_server() {
    server = world.system().spawn<scripted_server>(plan);
    ref.set_target(server);
  }
  /// Accepts the newest watch request under the given id.
  void accept(std::uint64_t id) {
    watch_id = id;
    script::accept_watch(plan->requests.back(), id);
    world.run_until_idle();
  }
  void deliver(std::vector<api::watch_event> events) {
    script::deliver(plan->requests.back(), watch_id, std::move(events));
    world.run_until_idle();
  }
  void close(status why = {}) {
    script::close(plan->requests.back(), watch_id, std::move(why));
    world.run_until_idle();
  }
  std::vector<std::string> told() { return std::exchange(book->lines, {}); }
  const std::string& target() { return plan->requests.back().request.target; }

  simulation::world world;
  std::shared_ptr<script> plan = std::make_shared<script>();
  std::shared_ptr<diary> book = std::make_shared<diary>();
  stable_ref<api::api_server_actor> ref;
  api::api_server_actor server;
  api::client_actor handle;
  informer* under_test = nullptr;
  std::uint64_t watch_id = 0;
};

using lines = std::vector<std::string>;

std::string joined(const lines& all) {
  std::string text;
  for (const auto& line : all) text += line + ";";
  return text;
}

}  // namespace

TEST_CASE("first list, then changes") {
  informer_setup s;
  CHECK(s.target() == initial_watch_target("/api/v1/configmaps"));
  s.accept(1);
  s.deliver({added(config_map("b", 7, "ub")), added(config_map("a", 3, "ua"))});
  CHECK_FALSE(s.under_test->synced());
  CHECK(s.under_test->revision() == 0);
  s.deliver({bookmark(9, true)});
  CHECK(s.under_test->synced());
  CHECK(s.under_test->revision() == 9);
  CHECK(joined(s.told()) == "+default/b;+default/a;synced;");
  s.deliver({modified(config_map("a", 10, "ua")), deleted(config_map("b", 7, "ub"), 11), bookmark(20)});
  CHECK(joined(s.told()) == "~default/a 3>10;-default/b;");
  CHECK(s.under_test->revision() == 20);
  CHECK(s.under_test->objects().size() == 1);
  CHECK(s.under_test->find("default", "a")->revision == 10);
}

TEST_CASE("a watch that ends is resumed from the last revision") {
  informer_setup s;
  s.accept(1);
  s.deliver({bookmark(9, true)});
  s.deliver({added(config_map("a", 12, "ua"))});
  s.close();
  CHECK(s.target() == resume_watch_target("/api/v1/configmaps", 12));
  s.accept(2);
  s.deliver({modified(config_map("a", 13, "ua"))});
  CHECK(joined(s.told()) == "synced;+default/a;~default/a 12>13;");
  CHECK(s.under_test->lists() == 1);
}

TEST_CASE("after 410 a new list gives exactly the differences") {
  informer_setup s;
  s.accept(1);
  s.deliver({added(config_map("same", 1, "u1")), added(config_map("changed", 2, "u2")),
             added(config_map("gone", 3, "u3")), added(config_map("replaced", 4, "u4")), bookmark(9, true)});
  s.told();
  s.close(make_status(reason::expired, "too old resource version"));
  CHECK(s.target() == initial_watch_target("/api/v1/configmaps"));
  s.accept(2);
  s.deliver({added(config_map("same", 1, "u1")), added(config_map("changed", 20, "u2")),
             added(config_map("replaced", 21, "other")), added(config_map("new", 22, "u5"))});
  CHECK(joined(s.told()) == "~default/changed 2>20;-default/replaced;+default/replaced;+default/new;");
  CHECK(s.under_test->find("default/gone"));
  s.deliver({bookmark(30, true)});
  CHECK(joined(s.told()) == "-default/gone;");
  CHECK(s.under_test->objects().size() == 4);
  CHECK(s.under_test->revision() == 30);
  CHECK(s.under_test->lists() == 2);
}

TEST_CASE("a list that breaks off is begun anew and deletes nothing") {
  informer_setup s;
  s.accept(1);
  s.deliver({added(config_map("a", 1, "ua")), added(config_map("b", 2, "ub")), bookmark(5, true)});
  s.close(make_status(reason::gone, "gone"));
  s.accept(2);
  s.deliver({added(config_map("a", 1, "ua"))});
  s.close();
  s.world.run_for(1s);
  CHECK(s.target() == initial_watch_target("/api/v1/configmaps"));
  s.accept(3);
  CHECK(s.under_test->objects().size() == 2);
  s.deliver({added(config_map("b", 2, "ub")), bookmark(8, true)});
  CHECK(joined(s.told()) == "+default/a;+default/b;synced;-default/a;");
}

TEST_CASE("without kept objects the same changes are told") {
  informer_setup s(false);
  s.accept(1);
  s.deliver({added(config_map("a", 1, "ua")), added(config_map("b", 2, "ub")), bookmark(5, true)});
  s.close(make_status(reason::gone, "gone"));
  s.accept(2);
  s.deliver({added(config_map("b", 6, "ub")), bookmark(8, true)});
  CHECK(joined(s.told()) == "+default/a;+default/b;synced;~default/b ?>6;-default/a ?;");
  CHECK(s.under_test->objects().empty());
}

TEST_CASE("errors are retried with growing, bounded pauses") {
  informer_setup s;
  s.plan->on_request = [](const script::asked& a) { script::answer_error(a, make_status(reason::forbidden, "no")); };
  script::answer_error(s.plan->requests.back(), make_status(reason::forbidden, "no"));
  s.world.run_for(10min);
  auto tries = s.plan->requests.size();
  CHECK(tries > 15);  // 30 s apart at most, jittered down to half
  CHECK(tries < 60);
}

TEST_CASE("a server that closes every watch at once is not asked in a loop") {
  informer_setup s;
  std::uint64_t id = 0;
  s.plan->on_request = [&](const script::asked& a) {
    script::accept_watch(a, ++id);
    script::close(a, id);
  };
  script::accept_watch(s.plan->requests.back(), ++id);
  script::close(s.plan->requests.back(), id);
  s.world.run_for(10min);
  CHECK(s.plan->requests.size() < 60);
}

TEST_CASE("a list that always answers 410 is not asked in a loop") {
  informer_setup s;
  s.plan->on_request = [](const script::asked& a) { script::answer_error(a, make_status(reason::gone, "gone")); };
  script::answer_error(s.plan->requests.back(), make_status(reason::gone, "gone"));
  s.world.run_for(10min);
  CHECK(s.plan->requests.size() < 60);
}

TEST_CASE("the api_server's restart is survived by resuming") {
  informer_setup s;
  s.accept(1);
  s.deliver({added(config_map("a", 1, "ua")), bookmark(5, true)});
  s.told();
  caf::anon_send_exit(s.server, caf::exit_reason::kill);
  s.server = nullptr;
  s.world.run_until_idle();
  s.start_server();
  s.world.run_for(1s);
  CHECK(s.target() == resume_watch_target("/api/v1/configmaps", 5));
  s.accept(7);
  s.deliver({modified(config_map("a", 6, "ua"))});
  CHECK(joined(s.told()) == "~default/a 1>6;");
}

TEST_CASE("a stopped informer is silent") {
  informer_setup s;
  s.accept(1);
  s.deliver({bookmark(5, true)});
  s.told();
  context_of(caf::actor_cast<caf::strong_actor_ptr>(s.handle))->post([&] { s.under_test->stop(); });
  s.world.run_until_idle();
  s.deliver({added(config_map("a", 6, "ua"))});
  CHECK(s.told().empty());
  CHECK(s.plan->stopped == std::vector<std::uint64_t>{1});
}
