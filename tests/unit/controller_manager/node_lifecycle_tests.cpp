// Nodes that fall silent: marked, tainted at their zone's pace, their pods evicted; and when nobody is heard of.
#include "actors/controller_manager/node_lifecycle/core.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "tests/unit/controller_manager/fixture.hpp"

using namespace troupe;
using namespace troupe::controllers;
using namespace troupe::controllers::testing;

namespace {

constexpr const char* tainted =
    R"([{"key":"node.kubernetes.io/unreachable","effect":"NoSchedule"},)"
    R"({"key":"node.kubernetes.io/unreachable","effect":"NoExecute","timeAdded":"2026-01-01T00:00:00Z"}])";

std::string node_of_zone(const std::string& name, const std::string& ready, const std::string& zone = "",
                         const std::string& taints = "[]") {
  std::string others;
  for (const char* type : {"MemoryPressure", "DiskPressure", "PIDPressure"})
    others += fmt::format(R"(,{{"type":"{}","status":"{}"}})", type, ready == "Unknown" ? "Unknown" : "False");
  auto labels = zone.empty() ? std::string() : R"("topology.kubernetes.io/zone":")" + zone + "\"";
  return R"({"kind":"Node","apiVersion":"v1","metadata":{"name":")" + name + R"(","uid":"n-)" + name +
         R"(","labels":{)" + labels + R"(}},"spec":{"taints":)" + taints +
         R"(},"status":{"conditions":[{"type":"Ready","status":")" + ready + R"(","reason":")" +
         (ready == "Unknown" ? "NodeStatusUnknown" : "KubeletReady") + "\"}" + others + "]}}";
}

std::string lease_of(const std::string& name, const std::string& renewed) {
  return R"({"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":")" + name +
         R"(","namespace":"kube-node-lease","uid":"l-1"},"spec":{"renewTime":")" + renewed + R"("}})";
}

std::string pod_on(const std::string& node, std::int64_t bears) {
  return R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"n","uid":"p-1"},"spec":{"nodeName":")" +
         node +
         R"(","tolerations":[{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute",)"
         R"("tolerationSeconds":)" +
         std::to_string(bears) + R"(}]},"status":{"phase":"Running","podIP":"10.0.0.1"}})";
}

/// Whether the node's turn gives it the taint that evicts.
bool evicted(stage& on, const std::string& name) {
  for (const auto& one : on.turn(name)) {
    const auto* write = std::get_if<controller::write>(&one);
    if (write && write->request.target == "/api/v1/nodes/" + name &&
        write->request.body.view().find("NoExecute") != std::string_view::npos)
      return true;
  }
  return false;
}

std::size_t deletions(stage& on, const std::string& node) {
  auto all = stage::writes(on.turn(node));
  return static_cast<std::size_t>(std::count(all.begin(), all.end(), "DELETE /api/v1/namespaces/n/pods/p"));
}

/// Milliseconds after which the node's turn asks for the next one.
std::uint64_t asks_again(stage& on, const std::string& name) {
  for (const auto& one : on.turn(name))
    if (const auto* again = std::get_if<controller::enqueue>(&one); again && again->key == name) return again->after_ms;
  return 0;
}

}  // namespace

TEST_CASE("a node without heartbeat becomes unknown after the grace period, and not before") {
  node_lifecycle_core core(40);
  stage on(core);
  on.put(0, node_of_zone("a", "True"));
  on.put(1, lease_of("a", "2026-01-01T00:00:00.000000Z"));
  CHECK(stage::writes(on.turn("a")).empty());
  on.now_ms += 39'000;
  CHECK(stage::writes(on.turn("a")).empty());
  on.put(1, lease_of("a", "2026-01-01T00:00:39.000000Z"));
  on.now_ms += 39'000;
  CHECK(stage::writes(on.turn("a")).empty());
  on.now_ms += 41'000;
  auto effects = on.turn("a");
  auto status = stage::body(effects, "/nodes/a/status");
  CHECK(text(status, {"status", "conditions"})
            .find(R"("type":"Ready","status":"Unknown","reason":"NodeStatusUnknown")") != std::string::npos);
}

TEST_CASE("an unknown node is tainted, and its pods go when they have borne it long enough") {
  node_lifecycle_core core(40);
  stage on(core);
  on.put(0, node_of_zone("a", "Unknown"));
  on.put(0, node_of_zone("b", "True"));
  on.put(2, pod_on("a", 5));
  CHECK(evicted(on, "a"));
  CHECK(evicted(on, "a"));  // a write without an answer is repeated as it was
  on.put(0, node_of_zone("a", "Unknown", "", tainted));
  on.now_ms += 4'000;
  CHECK(deletions(on, "a") == 0);
  on.now_ms += 2'000;
  CHECK(deletions(on, "a") == 1);
}

TEST_CASE("pods of a node that does not exist are removed, after a while") {
  node_lifecycle_core core(40);
  stage on(core);
  on.put(2, pod_on("a", 5));
  CHECK(stage::writes(on.turn("a")).empty());
  on.now_ms += 41'000;
  CHECK(stage::writes(on.turn("a")) == std::vector<std::string>{"DELETE /api/v1/namespaces/n/pods/p"});
}

TEST_CASE("of a zone one node in ten seconds is tainted, of another zone one besides") {
  node_lifecycle_core core(40);
  stage on(core);
  for (const char* name : {"a", "b"}) on.put(0, node_of_zone(name, "Unknown", "east"));
  for (const char* name : {"c", "d", "e"}) on.put(0, node_of_zone(name, "True", "east"));
  on.put(0, node_of_zone("w", "Unknown", "west"));  // no node of its zone is ready: evicted at the usual pace
  CHECK(evicted(on, "a"));
  CHECK(!evicted(on, "b"));
  CHECK(asks_again(on, "b") == 10'000);
  CHECK(evicted(on, "w"));
  on.now_ms += 9'999;
  CHECK(!evicted(on, "b"));
  on.now_ms += 1;
  CHECK(evicted(on, "b"));
}

TEST_CASE("taints that do not evict have no pace") {
  node_lifecycle_core core(40);
  stage on(core);
  for (const char* name : {"a", "b"}) on.put(0, node_of_zone(name, "Unknown"));
  for (const char* name : {"c", "d"}) on.put(0, node_of_zone(name, "True"));
  CHECK(evicted(on, "a"));
  auto body = stage::body(on.turn("b"), "/nodes/b");
  CHECK(text(body, {"spec", "taints"}) == R"([{"key":"node.kubernetes.io/unreachable","effect":"NoSchedule"}])");
}

TEST_CASE("when most of a zone is silent, a small one evicts nobody and a large one slowly") {
  for (std::size_t size : {10u, 60u}) {
    node_lifecycle_core core(40);
    stage on(core);
    const auto silent = size * 6 / 10;
    for (std::size_t i = 0; i < size; ++i)
      on.put(0, node_of_zone(fmt::format("n{:02}", i), i < silent ? "Unknown" : "True"));
    if (size == 10) {
      CHECK(!evicted(on, "n00"));
      CHECK(asks_again(on, "n00") == 5'000);
      // Enough are back: the pace begins anew.
      on.put(0, node_of_zone("n05", "True"));
      CHECK(asks_again(on, "n00") == 10'000);
      on.now_ms += 10'000;
      CHECK(evicted(on, "n00"));
    } else {
      CHECK(evicted(on, "n00"));
      CHECK(asks_again(on, "n01") == 40'001);  // the grace period comes before the 100 seconds
      on.now_ms += 99'999;
      CHECK(!evicted(on, "n01"));
      on.now_ms += 1;
      CHECK(evicted(on, "n01"));
    }
  }
}

TEST_CASE("two silent nodes are no disruption, however few there are") {
  node_lifecycle_core core(40);
  stage on(core);
  for (const char* name : {"a", "b"}) on.put(0, node_of_zone(name, "Unknown"));
  on.put(0, node_of_zone("c", "True"));
  CHECK(evicted(on, "a"));
}

TEST_CASE("when no node is heard of, taints that evict are taken away and nobody is evicted") {
  node_lifecycle_core core(40);
  stage on(core);
  on.put(0, node_of_zone("a", "Unknown", "east"));
  on.put(0, node_of_zone("b", "True", "west"));
  on.put(2, pod_on("a", 5));
  CHECK(evicted(on, "a"));
  on.put(0, node_of_zone("a", "Unknown", "east", tainted));
  on.turn("a");
  on.put(0, node_of_zone("b", "Unknown", "west"));
  on.now_ms += 60'000;
  auto effects = on.turn("b");
  // All others are looked at, too.
  CHECK(std::any_of(effects.begin(), effects.end(), [](const auto& one) {
    const auto* woken = std::get_if<controller::enqueue>(&one);
    return woken && woken->key == "a" && woken->after_ms == 0;
  }));
  CHECK(!evicted(on, "b"));
  CHECK(deletions(on, "a") == 0);  // though its taint has not gone yet
  CHECK(text(stage::body(on.turn("a"), "/nodes/a"), {"spec", "taints"}) ==
        R"([{"key":"node.kubernetes.io/unreachable","effect":"NoSchedule"}])");
  on.put(0,
         node_of_zone("a", "Unknown", "east", R"([{"key":"node.kubernetes.io/unreachable","effect":"NoSchedule"}])"));
  on.now_ms += 3'600'000;
  CHECK(!evicted(on, "a"));
  CHECK(deletions(on, "a") == 0);
}

TEST_CASE("when one is heard of again, every node has its grace and the pace anew") {
  node_lifecycle_core core(40);
  stage on(core);
  for (const char* name : {"a", "b", "c"}) on.put(0, node_of_zone(name, "Unknown"));
  for (const char* name : {"a", "b", "c"}) on.turn(name);
  on.now_ms += 600'000;
  on.put(0, node_of_zone("b", "True"));
  on.put(0, node_of_zone("c", "True"));
  CHECK(stage::writes(on.turn("c")).empty());  // silent for ten minutes, but nobody could know
  CHECK(!evicted(on, "a"));
  CHECK(asks_again(on, "a") == 10'000);
  on.now_ms += 10'000;
  CHECK(evicted(on, "a"));
  on.now_ms += 31'000;
  CHECK(stage::writes(on.turn("c")) == std::vector<std::string>{"PATCH /api/v1/nodes/c/status"});
}

TEST_CASE("a node that is excluded from disruption says nothing of its zone") {
  node_lifecycle_core core(40);
  stage on(core);
  auto excluded = node_of_zone("a", "True");
  excluded.replace(excluded.find(R"("labels":{)"), 10, R"("labels":{"node.kubernetes.io/exclude-disruption":"")");
  on.put(0, excluded);
  on.put(0, node_of_zone("b", "Unknown"));
  CHECK(!evicted(on, "b"));
}

TEST_CASE("a node that fails in another way has its taint exchanged at once") {
  node_lifecycle_core core(40);
  stage on(core);
  on.put(0, node_of_zone("a", "Unknown"));
  on.put(0, node_of_zone("b", "Unknown"));
  on.put(0, node_of_zone("c", "True"));
  CHECK(evicted(on, "a"));
  on.put(0, node_of_zone("b", "False", "", tainted));
  auto body = stage::body(on.turn("b"), "/nodes/b");
  CHECK(text(body, {"spec", "taints"}).find(R"("key":"node.kubernetes.io/not-ready","effect":"NoExecute")") !=
        std::string::npos);
}
