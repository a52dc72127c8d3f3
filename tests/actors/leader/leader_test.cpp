// The elector over a scripted api_server that keeps one Lease: when it gives the Lease back, and when it goes.
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

}  // namespace leader_actor_tests
