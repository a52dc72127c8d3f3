// Node lifecycle, endpoint slices, namespaces and garbage collection.
#include "actors/controller_manager/endpointslice/core.hpp"
#include "actors/controller_manager/garbage_collector/core.hpp"
#include "actors/controller_manager/namespace/core.hpp"
#include "actors/controller_manager/node_lifecycle/core.hpp"
#include "tests/unit/controller_manager/fixture.hpp"

using namespace troupe;
using namespace troupe::controllers;
using namespace troupe::controllers::testing;

namespace {

std::string node_json(const std::string& ready, const std::string& taints = "[]") {
  return R"({"kind":"Node","apiVersion":"v1","metadata":{"name":"a","uid":"n-1"},"spec":{"taints":)" + taints +
         R"(},"status":{"conditions":[{"type":"Ready","status":")" + ready + R"(","reason":")" +
         (ready == "Unknown" ? "NodeStatusUnknown" : "KubeletReady") + R"("}]}})";
}

std::string lease_json(const std::string& renewed) {
  return R"({"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":"a","namespace":"kube-node-lease","uid":"l-1"},)"
         R"("spec":{"renewTime":")" +
         renewed + R"("}})";
}

std::string bound_pod(std::int64_t bears) {
  return R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"n","uid":"p-1","labels":{"app":"web"}},)"
         R"("spec":{"nodeName":"a","tolerations":[{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute",)"
         R"("tolerationSeconds":)" +
         std::to_string(bears) +
         R"(}]},"status":{"phase":"Running","podIP":"10.0.0.1",)"
         R"("podIPs":[{"ip":"10.0.0.1"}],"conditions":[{"type":"Ready","status":"True"}]}})";
}

}  // namespace

TEST_CASE("a node without heartbeat becomes unknown after the grace period, and not before") {
  node_lifecycle_core core(40);
  stage on(core);
  on.put(0, node_json("True"));
  on.put(1, lease_json("2026-01-01T00:00:00.000000Z"));
  CHECK(stage::writes(on.turn("a")).empty());
  on.now_ms += 39'000;
  CHECK(stage::writes(on.turn("a")).empty());
  on.put(1, lease_json("2026-01-01T00:00:39.000000Z"));
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
  on.put(0, node_json("Unknown"));
  on.put(2, bound_pod(5));
  auto tainted = stage::body(on.turn("a"), "/nodes/a");
  CHECK(text(tainted, {"spec", "taints"}).find("node.kubernetes.io/unreachable") != std::string::npos);
  on.put(0,
         node_json(
             "Unknown",
             R"([{"key":"node.kubernetes.io/unreachable","effect":"NoSchedule"},)"
             R"({"key":"node.kubernetes.io/unreachable","effect":"NoExecute","timeAdded":"2026-01-01T00:00:00Z"}])"));
  on.now_ms += 4'000;
  auto early = stage::writes(on.turn("a"));
  CHECK(std::count(early.begin(), early.end(), "DELETE /api/v1/namespaces/n/pods/p") == 0);
  on.now_ms += 2'000;
  auto late = stage::writes(on.turn("a"));
  CHECK(std::count(late.begin(), late.end(), "DELETE /api/v1/namespaces/n/pods/p") == 1);
}

TEST_CASE("pods of a node that does not exist are removed, after a while") {
  node_lifecycle_core core(40);
  stage on(core);
  on.put(2, bound_pod(5));
  CHECK(stage::writes(on.turn("a")).empty());
  on.now_ms += 41'000;
  CHECK(stage::writes(on.turn("a")) == std::vector<std::string>{"DELETE /api/v1/namespaces/n/pods/p"});
}

TEST_CASE("a Service's slice holds its ready pods, and is left alone when nothing changes") {
  endpointslice_core core;
  stage on(core);
  on.put(
      0,
      R"({"kind":"Service","apiVersion":"v1","metadata":{"name":"web","namespace":"n","uid":"s-1"},"spec":)"
      R"({"selector":{"app":"web"},"ipFamilies":["IPv4"],"ports":[{"port":80,"targetPort":8080,"protocol":"TCP"}]}})");
  on.put(1, bound_pod(5));
  auto effects = on.turn("n/web");
  auto made = stage::body(effects, "/endpointslices");
  CHECK(text(made, {"ports"}) == R"([{"name":"","protocol":"TCP","port":8080}])");
  auto* endpoint = &made.root().find("endpoints")->element(0);
  CHECK(to_json(*endpoint->find("addresses")) == R"(["10.0.0.1"])");
  CHECK(to_json(*endpoint->find("conditions")) == R"({"ready":true,"serving":true,"terminating":false})");
  made.set(*made.root().find("metadata"), "name", "web-1");
  made.set(*made.root().find("metadata"), "uid", "e-1");
  on.put(2, to_json(made.root()));
  CHECK(stage::writes(on.turn("n/web")).empty());
  on.drop(1, "n/p");
  CHECK(stage::writes(on.turn("n/web")) ==
        std::vector<std::string>{"PUT /apis/discovery.k8s.io/v1/namespaces/n/endpointslices/web-1"});
}

TEST_CASE("a dependent goes with its last owner, and stays while one is left") {
  garbage_collector_core core;
  stage on(core);
  std::uint32_t pods = 0, sets = 0;
  auto sources = core.sources();
  for (std::uint32_t i = 0; i < sources.size(); ++i) {
    if (sources[i].collection == "/api/v1/pods") pods = i;
    if (sources[i].collection == "/apis/apps/v1/replicasets") sets = i;
  }
  on.put(sets,
         R"({"kind":"ReplicaSet","apiVersion":"apps/v1","metadata":{"name":"web","namespace":"n","uid":"rs-1"}})");
  on.put(pods,
         R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"n","uid":"p-1","ownerReferences":)"
         R"([{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"rs-1","controller":true}]}})");
  CHECK(stage::writes(on.turn("p-1")).empty());
  on.woken.clear();
  on.drop(sets, "n/web");
  CHECK(on.woken == std::vector<std::string>{"p-1"});
  CHECK(stage::writes(on.turn("p-1")) == std::vector<std::string>{"DELETE /api/v1/namespaces/n/pods/p"});
}

TEST_CASE("an owner that was never seen is asked for before anything is deleted") {
  garbage_collector_core core;
  stage on(core);
  std::uint32_t pods = 0;
  auto sources = core.sources();
  for (std::uint32_t i = 0; i < sources.size(); ++i)
    if (sources[i].collection == "/api/v1/pods") pods = i;
  on.put(pods,
         R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"n","uid":"p-1","ownerReferences":)"
         R"([{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"rs-9"}]}})");
  CHECK(stage::writes(on.turn("p-1")) == std::vector<std::string>{"GET /apis/apps/v1/namespaces/n/replicasets/web"});
  controller::write_done gone{"p-1", 1, make_status(reason::not_found, "gone"), 0, nullptr, {}};
  core.written(gone, on.caches);
  CHECK(stage::writes(on.turn("p-1")) == std::vector<std::string>{"DELETE /api/v1/namespaces/n/pods/p"});
}

TEST_CASE("a namespace is finalized only when nothing is left in it, pods first") {
  namespace_core core;
  stage on(core);
  on.put(
      0,
      R"({"kind":"Namespace","apiVersion":"v1","metadata":{"name":"x","uid":"x-1","deletionTimestamp":"2026-01-01T00:00:00Z"},)"
      R"("spec":{"finalizers":["kubernetes"]},"status":{"phase":"Terminating"}})");
  CHECK(stage::writes(on.turn("x")) == std::vector<std::string>{"DELETE /api/v1/namespaces/x/pods"});
  auto answer_all = [&](const std::vector<controller::effect>& effects, const std::string& items) {
    for (const auto& one : effects)
      if (const auto* write = std::get_if<controller::write>(&one))
        core.written({"x", write->tag, {}, 0, nullptr, shared_bytes(R"({"items":)" + items + "}")}, on.caches);
  };
  answer_all(on.turn("x"), R"([{"metadata":{"name":"p"}}])");
  CHECK(stage::writes(on.turn("x")).empty());  // waits for the pod
  CHECK(stage::writes(on.turn("x")) == std::vector<std::string>{"DELETE /api/v1/namespaces/x/pods"});
  answer_all(on.turn("x"), "[]");
  CHECK(stage::writes(on.turn("x")).size() > 10);  // everything else is deleted
  answer_all(on.turn("x"), "[]");
  CHECK(stage::writes(on.turn("x")) == std::vector<std::string>{"PUT /api/v1/namespaces/x/finalize"});
}
