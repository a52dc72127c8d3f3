// The scheduler's shell against a small api_server.
#include "actors/scheduler/scheduler.hpp"

#include <doctest/doctest.h>

#include "runtime/simulation/world.hpp"
#include "runtime/supervisor.hpp"
#include "tests/actors/small_api.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using troupe::runtime::stable_ref;
using troupe::testing::small_api;
using troupe::testing::small_world;

namespace {

struct setup {
  setup() : world(1) {
    world.setup().allow_crash = true;
    server = stable_ref<api::api_server_actor>::make(world.system(), "api_server");
    api_actor = world.system().spawn<small_api>(state);
    server.set_target(api_actor);
    auto make = [this](caf::actor_system& system) {
      scheduler::scheduler_options options;
      options.server = server;
      return scheduler::spawn_scheduler(system, options);
    };
    root = runtime::spawn_supervisor(world.system(), "root",
                                     {runtime::child<scheduler::scheduler_actor>("scheduler", make)});
    world.run_for(1s);
  }
  void post(const std::string& target, const std::string& body) {
    api::request r;
    r.verb = api::method::post;
    r.target = target;
    r.body = shared_bytes(body);
    caf::anon_send(api_actor, std::move(r));
    world.run_for(100ms);
  }
  void node(const std::string& name, const std::string& cpu, const std::string& spec = "") {
    post("/api/v1/nodes", R"({"apiVersion":"v1","kind":"Node","metadata":{"name":")" + name + R"("},"spec":{)" + spec +
                              R"(},"status":{"allocatable":{"cpu":")" + cpu + R"(","memory":"8Gi","pods":"110"}}})");
  }
  void pod(const std::string& name, const std::string& cpu, const std::string& scheduler = "default-scheduler") {
    post("/api/v1/namespaces/default/pods",
         R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name +
             R"(","namespace":"default"},"spec":{"schedulerName":")" + scheduler +
             R"(","containers":[{"name":"c","image":"i","resources":{"requests":{"cpu":")" + cpu + R"("}}}]}})");
  }
  std::string node_of(const std::string& name) const {
    auto found = state->objects.find("/api/v1/namespaces/default/pods/" + name);
    return found == state->objects.end() ? "(gone)" : std::string(found->second->node_name);
  }

  std::shared_ptr<small_world> state = std::make_shared<small_world>();
  runtime::simulation::world world;
  api::api_server_actor api_actor;
  stable_ref<api::api_server_actor> server;
  runtime::local_supervisor root;
};

}  // namespace

TEST_CASE("pods are bound, unschedulable ones explained, and bound when a node comes") {
  setup t;
  t.node("small", "500m");
  t.pod("fits", "100m");
  CHECK(t.node_of("fits") == "small");
  t.pod("big", "2");
  t.pod("foreign", "1m", "other");
  CHECK(t.node_of("big") == "");
  CHECK(t.node_of("foreign") == "");
  auto json = std::string(t.state->objects["/api/v1/namespaces/default/pods/big"]->json.view());
  CHECK(json.find("0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are "
                  "available: 1 Preemption is not helpful for scheduling.") != std::string::npos);
  t.world.run_for(2s);
  t.node("large", "4");
  t.world.run_for(2s);
  CHECK(t.node_of("big") == "large");
  auto& events = t.state->events;
  std::string all;
  for (auto& e : events) all += e + "\n";
  CAPTURE(all);
  CHECK(std::count(events.begin(), events.end(), "Scheduled Successfully assigned default/big to large") == 1);
}

TEST_CASE("a crashed scheduler goes on where it was, without binding twice") {
  setup t;
  t.node("n", "1");
  t.pod("a", "600m");
  t.world.crash("root/scheduler");
  t.world.run_for(2s);
  t.pod("b", "600m");
  CHECK(t.node_of("a") == "n");
  CHECK(t.node_of("b") == "");
  auto bindings = std::count_if(t.state->requests.begin(), t.state->requests.end(),
                                [](auto& r) { return r.find("/binding") != std::string::npos; });
  CHECK(bindings == 1);
}

TEST_CASE("a binding that fails is tried again") {
  setup t;
  t.node("n", "1");
  int refusals = 0;
  t.state->refuse = [&](const api::request& r) {
    if (r.target.find("/binding") == std::string::npos || ++refusals > 2) return status{};
    return make_status(reason::internal_error, "no");
  };
  t.pod("a", "100m");
  CHECK(t.node_of("a") == "");
  t.world.run_for(10s);
  CHECK(t.node_of("a") == "n");
}
