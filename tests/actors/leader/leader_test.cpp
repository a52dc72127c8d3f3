// The elector over a scripted api_server that keeps one Lease: when it gives the Lease back, and that its children
// never run twice.
#include "actors/leader/leader.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>

#include "messages/document.hpp"
#include "tests/actors/runtime/fixture.hpp"

namespace leader_actor_tests {

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::testing;

namespace {

/// The Lease and its history.
struct kept_lease {
  object_ptr now;
  std::uint64_t revision = 10;
  std::vector<std::string> holders;  // each change
};

std::string holder_of(const std::string& json) {
  auto parsed = document::parse(json);
  const auto* spec = parsed ? parsed->root().find("spec") : nullptr;
  const auto* holder = spec ? spec->find("holderIdentity") : nullptr;
  return holder && holder->is_string() ? std::string(holder->string()) : std::string();
}

void serve(kept_lease& lease, const script::asked& one) {
  api::response out;
  if (one.request.verb != api::method::get) {
    auto given = document::parse(one.request.body.view());
    given->remove(*given->root().find("metadata"), "resourceVersion");  // the stored form has none
    const auto json = to_json(given->root());
    const auto version = ++lease.revision;
    auto made = make_object(schema::find_resource("coordination.k8s.io", "v1", "leases"), json, version, 11);
    if (!made) throw std::runtime_error(made.error().message);
    lease.now = *made;
    const auto holder = holder_of(json);
    if (lease.holders.empty() || lease.holders.back() != holder) lease.holders.push_back(holder);
  }
  if (!lease.now) return script::answer_error(one, make_status(reason::not_found, "no Lease"));
  out.object = lease.now;
  script::answer(one, std::move(out));
}

/// A candidate under a supervisor of its own.
struct candidate {
  explicit candidate(std::vector<child_spec> children) : world(1) {
    world.setup().allow_crash = true;
    plan->on_request = [this](const script::asked& one) { serve(lease, one); };
    auto server = stable_ref<api::api_server_actor>::make(world.system(), "api_server");
    server.set_target(world.system().spawn<scripted_server>(plan));
    const leader::options how{server, "kube-scheduler", "system:kube-scheduler", "me"};
    root = spawn_supervisor(world.system(), "root", {leader::child("planner", how, std::move(children))});
    root->attach_functor([this](const caf::error& why) { ended = why ? why_ended(why) : "well"; });
  }
  simulation::world world;
  std::shared_ptr<script> plan = std::make_shared<script>();
  kept_lease lease;
  local_supervisor root;
  std::string ended;
};

/// Takes its time to end, and tells when two of its kind live at once.
struct lives {
  int now = 0, most = 0, all = 0;
};
class slow_to_end final : public component<worker_actor> {
 public:
  slow_to_end(caf::actor_config& settings, std::shared_ptr<lives> book)
      : component(settings, "work"), book_(std::move(book)) {
    book_->most = std::max(book_->most, ++book_->now);
    ++book_->all;
    set_exit_handler([this](const caf::exit_msg&) { start_timer(std::chrono::seconds(3), 0); });
  }
  behavior_type make_behavior() override {
    return {[](const ping&) {}};
  }
  void on_exit() override { --book_->now; }

 private:
  void on_timer(std::uint64_t) override { quit(caf::exit_reason::user_shutdown); }
  std::shared_ptr<lives> book_;
};

}  // namespace

TEST_CASE("a leader whose work keeps failing gives the Lease back, waits, and in the end goes") {
  child_spec broken;
  broken.name = "work";
  broken.start = [](caf::actor_system&) -> caf::strong_actor_ptr { throw std::runtime_error("cannot work"); };
  candidate c({broken});
  REQUIRE(c.world.run_until([&] { return c.lease.holders == std::vector<std::string>{"me"}; }, 5s));
  REQUIRE(c.world.run_until([&] { return c.lease.holders.size() == 2; }, 30s));
  CHECK(c.lease.holders.back().empty());
  const auto given_back = c.lease.revision;
  c.world.run_for(3s);  // others retry every two seconds
  CHECK(c.lease.revision == given_back);
  REQUIRE(c.world.run_until([&] { return !c.ended.empty(); }, 2min));
  CHECK(c.ended.find("work failed again and again, at last with: cannot work") != std::string::npos);
  CHECK(c.lease.holders == std::vector<std::string>{"me", "", "me", "", "me", ""});
}

TEST_CASE("after a crash of the elector its work begins when that of the one before has ended") {
  auto book = std::make_shared<lives>();
  child_spec work;
  work.name = "work";
  work.start = [book](caf::actor_system& system) {
    return caf::actor_cast<caf::strong_actor_ptr>(system.spawn<slow_to_end>(book));
  };
  candidate c({work});
  REQUIRE(c.world.run_until([&] { return book->all == 1; }, 5s));
  c.world.run_for(5s);
  REQUIRE(c.world.crash("root/planner"));
  c.world.run_for(2s);
  CHECK(book->all == 1);
  CHECK(book->now == 1);
  REQUIRE(c.world.run_until([&] { return book->all == 2; }, 10s));
  CHECK(book->most == 1);
  CHECK(c.lease.holders == std::vector<std::string>{"me"});
  c.world.run_for(30s);
  CHECK(book->all == 2);
  CHECK(c.ended.empty());
}

}  // namespace leader_actor_tests
