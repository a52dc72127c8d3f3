// Endpoint slices, namespaces and garbage collection.
#include "actors/controller_manager/disruption/core.hpp"
#include "actors/controller_manager/endpoints/core.hpp"
#include "actors/controller_manager/endpointslice/core.hpp"
#include "actors/controller_manager/garbage_collector/core.hpp"
#include "actors/controller_manager/namespace/core.hpp"
#include "actors/controller_manager/storage_protection/core.hpp"
#include "tests/unit/controller_manager/fixture.hpp"

using namespace troupe;
using namespace troupe::controllers;
using namespace troupe::controllers::testing;

namespace {

std::string bound_pod(std::int64_t bears) {
  return R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"n","uid":"p-1","labels":{"app":"web"}},)"
         R"("spec":{"nodeName":"a","tolerations":[{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute",)"
         R"("tolerationSeconds":)" +
         std::to_string(bears) +
         R"(}]},"status":{"phase":"Running","podIP":"10.0.0.1",)"
         R"("podIPs":[{"ip":"10.0.0.1"}],"conditions":[{"type":"Ready","status":"True"}]}})";
}

}  // namespace

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
  // Waits for the pod, and says so.
  CHECK(stage::writes(on.turn("x")) == std::vector<std::string>{"PUT /api/v1/namespaces/x/status"});
  CHECK(stage::writes(on.turn("x")) == std::vector<std::string>{"DELETE /api/v1/namespaces/x/pods"});
  answer_all(on.turn("x"), "[]");
  CHECK(stage::writes(on.turn("x")).size() > 10);  // everything else is deleted
  answer_all(on.turn("x"), "[]");
  CHECK(stage::writes(on.turn("x")) == std::vector<std::string>{"PUT /api/v1/namespaces/x/finalize"});
}

namespace {

struct gc_stage {
  garbage_collector_core core;
  stage on{core};
  std::uint32_t maps = 0;

  gc_stage() {
    auto sources = core.sources();
    for (std::uint32_t i = 0; i < sources.size(); ++i)
      if (sources[i].collection == "/api/v1/configmaps") maps = i;
  }
  // Owners are "NAME" or, in foreground-blocking references, "!NAME"; uids are "NAME-1".
  void put(const std::string& name, const std::vector<std::string>& owners, bool foreground = false) {
    std::string list;
    for (auto owner : owners) {
      bool blocks = owner.starts_with('!');
      if (blocks) owner.erase(0, 1);
      list += std::string(list.empty() ? "" : ",") + R"({"apiVersion":"v1","kind":"ConfigMap","name":")" + owner +
              R"(","uid":")" + owner + R"(-1","blockOwnerDeletion":)" + (blocks ? "true}" : "false}");
    }
    on.put(maps, R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":")" + name +
                     R"(","namespace":"n","uid":")" + name + R"(-1","ownerReferences":[)" + list + "]" +
                     (foreground ? R"(,"deletionTimestamp":"2026-01-01T00:00:00Z","finalizers":["foregroundDeletion"])"
                                 : "") +
                     "}}");
  }
  static std::string path(const std::string& name) { return "/api/v1/namespaces/n/configmaps/" + name; }
};

}  // namespace

TEST_CASE("a dependent with another owner stays and forgets the owner that waits for it") {
  gc_stage gc;
  gc.put("a", {});
  gc.put("b", {});
  gc.put("d", {"!a", "!b"});
  CHECK(stage::writes(gc.on.turn("d-1")).empty());
  gc.put("a", {}, true);
  auto effects = gc.on.turn("d-1");
  CHECK(stage::writes(effects) == std::vector<std::string>{"PATCH " + gc_stage::path("d")});
  CHECK(text(stage::body(effects, "/d"), {"metadata", "ownerReferences"}) == R"([{"$patch":"delete","uid":"a-1"}])");
  // The owner is looked at again once the reference is gone.
  gc.on.woken.clear();
  gc.put("d", {"!b"});
  CHECK(std::count(gc.on.woken.begin(), gc.on.woken.end(), "a-1") == 1);
  CHECK(stage::writes(gc.on.turn("a-1")) == std::vector<std::string>{"PATCH " + gc_stage::path("a")});
}

TEST_CASE("a dependent with another owner forgets the owner that is gone") {
  gc_stage gc;
  gc.put("a", {});
  gc.put("b", {});
  gc.put("d", {"a", "b"});
  gc.on.drop(gc.maps, "n/a");
  CHECK(text(stage::body(gc.on.turn("d-1"), "/d"), {"metadata", "ownerReferences"}) ==
        R"([{"$patch":"delete","uid":"a-1"}])");
}

TEST_CASE("a circle of owners in foreground deletion is opened") {
  gc_stage gc;
  gc.put("a", {"!c"}, true);
  gc.put("b", {"!a"}, true);
  gc.put("c", {"!b"});
  auto effects = gc.on.turn("c-1");
  CHECK(stage::writes(effects) ==
        std::vector<std::string>{"PATCH " + gc_stage::path("c"), "DELETE " + gc_stage::path("c")});
  CHECK(text(stage::body(effects, "/c"), {"metadata", "ownerReferences"}) ==
        R"([{"uid":"b-1","blockOwnerDeletion":false}])");
}

TEST_CASE("a namespace that is not empty says what holds it") {
  namespace_core core;
  stage on(core);
  on.put(
      0,
      R"({"kind":"Namespace","apiVersion":"v1","metadata":{"name":"x","uid":"x-1","deletionTimestamp":"2026-01-01T00:00:00Z"},)"
      R"("spec":{"finalizers":["kubernetes"]},"status":{"phase":"Terminating"}})");
  auto answer = [&](const std::vector<controller::effect>& effects) {
    for (const auto& one : effects)
      if (const auto* write = std::get_if<controller::write>(&one)) {
        bool held = write->request.target.find("/configmaps") != std::string::npos;
        std::string body =
            held
                ? R"({"metadata":{"remainingItemCount":2},"items":[{"metadata":{"name":"m","finalizers":["a.example/x"]}}]})"
                : R"({"items":[]})";
        core.written({"x", write->tag, {}, 0, nullptr, shared_bytes(body)}, on.caches);
      }
  };
  for (int i = 0; i < 4; ++i) answer(on.turn("x"));  // pods, look, the rest, look
  auto status = text(stage::body(on.turn("x"), "/namespaces/x/status"), {"status", "conditions"});
  CHECK(status.find(R"("type":"NamespaceContentRemaining","status":"True")") != std::string::npos);
  CHECK(status.find("Some resources are remaining: configmaps. has 3 resource instances") != std::string::npos);
  CHECK(status.find("finalizers remaining: a.example/x in 1 resource instances") != std::string::npos);
}

TEST_CASE("Endpoints hold the ready pods of a Service and, apart, those that are not") {
  endpoints_core core;
  stage on(core);
  on.put(
      0,
      R"({"kind":"Service","apiVersion":"v1","metadata":{"name":"web","namespace":"n","uid":"s-1","labels":{"l":"1"}},)"
      R"("spec":{"selector":{"app":"web"},"ports":[{"port":80,"protocol":"TCP","targetPort":8080}]}})");
  auto pod = [&](const std::string& name, const std::string& ip, const std::string& ready) {
    on.put(1, R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":")" + name + R"(","namespace":"n","uid":")" + name +
                  R"(","labels":{"app":"web"}},"spec":{"nodeName":"a"},"status":{"phase":"Running","podIP":")" + ip +
                  R"(","podIPs":[{"ip":")" + ip + R"("}],"conditions":[{"type":"Ready","status":")" + ready +
                  R"("}]}})");
  };
  pod("p", "10.0.0.1", "True");
  pod("q", "10.0.0.2", "False");
  auto effects = on.turn("n/web");
  CHECK(stage::writes(effects) == std::vector<std::string>{"POST /api/v1/namespaces/n/endpoints"});
  auto made = stage::body(effects, "/endpoints");
  CHECK(text(made, {"metadata", "labels"}) ==
        R"({"endpoints.kubernetes.io/managed-by":"endpoint-controller","l":"1"})");
  CHECK(
      text(made, {"subsets"}) ==
      R"([{"addresses":[{"ip":"10.0.0.1","nodeName":"a","targetRef":{"kind":"Pod","namespace":"n","name":"p","uid":"p"}}],)"
      R"("notReadyAddresses":[{"ip":"10.0.0.2","nodeName":"a","targetRef":{"kind":"Pod","namespace":"n","name":"q","uid":"q"}}],)"
      R"("ports":[{"port":8080,"protocol":"TCP"}]}])");
  on.put(2, to_json(made.root()));
  CHECK(stage::writes(on.turn("n/web")).empty());
  pod("q", "10.0.0.2", "True");
  CHECK(stage::writes(on.turn("n/web")) == std::vector<std::string>{"PUT /api/v1/namespaces/n/endpoints/web"});
  on.drop(0, "n/web");
  CHECK(stage::writes(on.turn("n/web")) == std::vector<std::string>{"DELETE /api/v1/namespaces/n/endpoints/web"});
}

TEST_CASE("a claim that is being deleted goes when no pod uses it any more") {
  storage_protection_core core(storage_protection_core::kind::claims);
  stage on(core);
  on.put(0,
         R"({"kind":"PersistentVolumeClaim","apiVersion":"v1","metadata":{"name":"c","namespace":"n","uid":"c-1",)"
         R"("deletionTimestamp":"2026-01-01T00:00:00Z","finalizers":["kubernetes.io/pvc-protection","a.example/x"]}})");
  on.put(
      1,
      R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"n","uid":"p-1"},"spec":{"nodeName":"a",)"
      R"("volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"c"}}]}})");
  CHECK(stage::writes(on.turn("n/c")).empty());
  on.woken.clear();
  on.drop(1, "n/p");
  CHECK(on.woken == std::vector<std::string>{"n/c"});
  auto body = stage::body(on.turn("n/c"), "/persistentvolumeclaims/c");
  CHECK(text(body, {"metadata", "finalizers"}) == R"(["a.example/x"])");
}

TEST_CASE("a disruption budget counts healthy pods against the size their Deployment is to have") {
  disruption_core core;
  stage on(core);
  auto budget = [&](const std::string& spec, const std::string& status) {
    on.put(
        0,
        R"({"kind":"PodDisruptionBudget","apiVersion":"policy/v1","metadata":{"name":"b","namespace":"n","uid":"b-1",)"
        R"("generation":1},"spec":{"selector":{"matchLabels":{"app":"web"}},)" +
            spec + R"(},"status":)" + status + "}");
  };
  on.put(
      3,
      R"({"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"web","namespace":"n","uid":"d-1"},"spec":{"replicas":4}})");
  on.put(
      2,
      R"({"kind":"ReplicaSet","apiVersion":"apps/v1","metadata":{"name":"web-1","namespace":"n","uid":"r-1","ownerReferences":)"
      R"([{"apiVersion":"apps/v1","kind":"Deployment","name":"web","uid":"d-1","controller":true}]},"spec":{"replicas":3}})");
  for (std::string name : {"p", "q", "r"})
    on.put(
        1,
        R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":")" + name +
            R"(","namespace":"n","uid":"x","labels":{"app":"web"},"ownerReferences":[{"apiVersion":"apps/v1","kind":)"
            R"("ReplicaSet","name":"web-1","uid":"r-1","controller":true}]},"spec":{"nodeName":"a"},"status":{"phase":)"
            R"("Running","conditions":[{"type":"Ready","status":"True"}]}})");
  budget(R"("maxUnavailable":"50%")", "{}");
  auto made = stage::body(on.turn("n/b"), "/status");
  CHECK(text(made, {"status", "expectedPods"}) == "4");
  CHECK(text(made, {"status", "desiredHealthy"}) == "2");
  CHECK(text(made, {"status", "currentHealthy"}) == "3");
  CHECK(text(made, {"status", "disruptionsAllowed"}) == "1");
  // An eviction that is not seen yet counts as done, for two minutes.
  budget(R"("minAvailable":2)", R"({"observedGeneration":1,"disruptedPods":{"p":"2026-01-01T00:00:00Z"}})");
  made = stage::body(on.turn("n/b"), "/status");
  CHECK(text(made, {"status", "currentHealthy"}) == "2");
  CHECK(text(made, {"status", "disruptionsAllowed"}) == "0");
  on.now_ms += 121'000;
  made = stage::body(on.turn("n/b"), "/status");
  CHECK(text(made, {"status", "disruptionsAllowed"}) == "1");
  CHECK(text(made, {"status", "disruptedPods"}) == "");
}
