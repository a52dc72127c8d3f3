// Whole flows of the troupe, the same wherever it is placed. TROUPE_FLOWS says where: in the simulation (or nothing)
// each runs twice with the same seed and must do exactly the same, and a failure prints the one line that reproduces it
// (TROUPE_SIM_SEED replaces the seeds below); "local" is one real process, "cluster" a control plane and a process of
// nodes with the link between them.
#include <doctest/doctest.h>

#include <cstdlib>
#include <random>
#include <set>

#include "tests/flows/placed.hpp"
#include "tests/flows/simulated.hpp"

using namespace troupe;
using namespace troupe::flows;

namespace {

std::vector<std::uint64_t> seeds() {
  if (const char* given = std::getenv("TROUPE_SIM_SEED")) return {std::strtoull(given, nullptr, 10)};
  return {1, 7, 4242};
}

/// What a flow leaves behind.
struct outcome {
  std::uint64_t digest = 0;
  std::vector<pod_row> pods;
  std::uint64_t ended_us = 0;
};

using flow = std::function<void(cluster&, std::mt19937_64& chance)>;

outcome run_once(const flow& what, std::uint64_t seed, std::size_t nodes) {
  simulated troupe({.seed = seed, .nodes = nodes});
  std::mt19937_64 chance(seed * 31);
  what(troupe, chance);
  outcome seen;
  seen.pods = troupe.pods();
  seen.digest = troupe.world.digest();
  seen.ended_us = troupe.world.now_us();
  return seen;
}

/// Whether the flows run where processes run.
bool is_placed() {
  const char* placement = std::getenv("TROUPE_FLOWS");
  return placement && placement != std::string("simulation");
}

void run_flow(const char* name, const flow& what, std::size_t nodes = 2) {
  if (is_placed()) {
    auto troupe = place(std::getenv("TROUPE_FLOWS"), nodes);
    std::mt19937_64 chance(1);
    return what(*troupe, chance);
  }
  for (auto seed : seeds()) {
    auto reproduce = "reproduce: ./dev sim " + std::to_string(seed) + " " + name;
    INFO(reproduce);
    auto first = run_once(what, seed, nodes);
    auto second = run_once(what, seed, nodes);
    CHECK(first.digest == second.digest);
    CHECK(first.ended_us == second.ended_us);
    CHECK(first.pods == second.pods);
  }
}

void create_deployment(cluster& troupe, int replicas, const std::string& image = "nginx:1") {
  REQUIRE(troupe.post(deployments_path, deployment_json(replicas, image)).code == 201);
}

std::chrono::microseconds some_time(std::mt19937_64& chance, std::uint64_t most_ms) {
  return std::chrono::microseconds(chance() % (most_ms * 1000));
}

}  // namespace

/// A pod is created and runs.
TEST_CASE("flow: pod") {
  run_flow("pod", [](cluster& troupe, std::mt19937_64&) {
    REQUIRE(troupe.post(pods_path, pod_json("one")).code == 201);
    CHECK(troupe.settles(1, 30s));
    CHECK_FALSE(troupe.pods().front().node.empty());
  });
}

/// A Deployment of three runs, rolls and scales.
TEST_CASE("flow: deployment") {
  run_flow("deployment", [](cluster& troupe, std::mt19937_64&) {
    create_deployment(troupe, 3);
    CHECK(troupe.settles(3, 60s));
    auto before = troupe.pods();
    auto target = std::string(deployments_path) + "/web";
    REQUIRE(troupe.merge(target, R"({"spec":{"template":{"metadata":{"annotations":{"v":"2"}}}}})").code == 200);
    CHECK(troupe.wait(
        [&] {
          auto now = troupe.pods();
          std::set<std::string> uids;
          for (auto& pod : now) uids.insert(pod.uid);
          return now.size() == 3 && std::none_of(before.begin(), before.end(),
                                                 [&](const pod_row& old) { return uids.count(old.uid) > 0; });
        },
        180s));
    REQUIRE(troupe.merge(target, R"({"spec":{"replicas":5}})").code == 200);
    CHECK(troupe.settles(5, 60s));
  });
}

/// A node falls silent, its pods are replaced elsewhere.
TEST_CASE("flow: silent_node") {
  run_flow(
      "silent_node",
      [](cluster& troupe, std::mt19937_64& chance) {
        create_deployment(troupe, 4);
        REQUIRE(troupe.settles(4, 60s));
        auto silent = "hollow-" + std::to_string(chance() % 3);
        troupe.cut_off(silent);
        // The grace of 40 seconds, then the 300 seconds that DefaultTolerationSeconds gives every pod.
        CHECK(troupe.wait(
            [&] {
              std::size_t elsewhere = 0;
              for (auto& pod : troupe.pods()) elsewhere += pod.ready && !pod.deleting && pod.node != silent;
              return elsewhere == 4;
            },
            420s));
      },
      3);
}

/// The control plane hears of no node any more: it evicts nobody, and afterwards everything is as it was. Simulated
/// only: elsewhere nodes are not found silent within the second that their pods are given there.
TEST_CASE("flow: cut_off") {
  if (is_placed()) return;
  run_flow("cut_off", [](cluster& troupe, std::mt19937_64&) {
    create_deployment(troupe, 4);
    REQUIRE(troupe.settles(4, 60s));
    auto before = troupe.pods();
    for (const char* node : {"hollow-0", "hollow-1"}) troupe.cut_off(node);
    troupe.pass(1200s);
    auto meanwhile = troupe.pods();
    CHECK(
        std::none_of(meanwhile.begin(), meanwhile.end(), [](const pod_row& pod) { return pod.ready || pod.deleting; }));
    troupe.clear_faults();
    CHECK(troupe.crash("root/api_server/cacher-pods"));  // what was lost is not sent again: watches end, as links do
    CHECK(troupe.settles(4, 120s));
    CHECK(troupe.pods() == before);
  });
}

/// Every component crashes at some moment, everything converges.
TEST_CASE("flow: crashes") {
  constexpr const char* paths[] = {"root/store",
                                   "root/api_server/worker-0",
                                   "root/api_server/worker-1",
                                   "root/api_server/cacher-pods",
                                   "root/api_server/cacher-deployments.apps",
                                   "root/scheduler",
                                   "root/controller_manager/deployment/deployment-controller",
                                   "root/controller_manager/replicaset/replicaset-controller",
                                   "root/controller_manager/node_lifecycle/node-controller",
                                   "root/nodes/hollow-0/kubelet",
                                   "root/nodes/hollow-1/kubelet"};
  run_flow("crashes", [&](cluster& troupe, std::mt19937_64& chance) {
    int replicas = 2;
    create_deployment(troupe, replicas);
    for (const char* path : paths) {
      INFO("crashed: " << path);
      ++replicas;
      auto target = std::string(deployments_path) + "/web";
      REQUIRE(troupe.merge(target, "{\"spec\":{\"replicas\":" + std::to_string(replicas) + "}}").code == 200);
      troupe.pass(some_time(chance, 1500));
      CHECK(troupe.crash(path));
      CHECK(troupe.settles(static_cast<std::size_t>(replicas), 120s));
    }
    // And the actor of one pod.
    auto pods = troupe.pods();
    const auto& pod = pods[chance() % pods.size()];
    auto worker = "root/nodes/" + pod.node + "/kubelet/pods/" + pod.uid;
    // What is stored says that it runs; its kubelet was the last to crash.
    CHECK(troupe.wait([&] { return troupe.crash(worker); }, 10s));
    troupe.pass(5s);
    CHECK(troupe.pods() == pods);
  });
}

/// Messages are late.
TEST_CASE("flow: late") {
  run_flow("late", [](cluster& troupe, std::mt19937_64&) {
    troupe.add_fault(runtime::simulation::late_by_up_to(30ms));
    create_deployment(troupe, 6);
    CHECK(troupe.settles(6, 60s));
  });
}

/// Requests and answers are lost for a while, then everything converges.
TEST_CASE("flow: lost") {
  run_flow("lost", [](cluster& troupe, std::mt19937_64&) {
    create_deployment(troupe, 3);
    troupe.add_fault([](const runtime::simulation::message_on_way& way, std::mt19937_64& random) {
      runtime::message_hooks::fate decided;
      bool call = way.type == "troupe::api::request" || way.type == "troupe::api::response";
      decided.drop = call && way.from != "kubectl" && way.to != "kubectl" && random() % 10 == 0;
      return decided;
    });
    CHECK(troupe.wait([&] { return troupe.dropped() >= 3; }, 60s));
    troupe.clear_faults();
    CHECK(troupe.settles(3, 300s));
  });
}
