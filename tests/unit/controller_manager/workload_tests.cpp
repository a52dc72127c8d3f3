// ReplicaSet and Deployment cores.
#include "actors/controller_manager/deployment/core.hpp"
#include "actors/controller_manager/replicaset/core.hpp"
#include "tests/unit/controller_manager/fixture.hpp"

using namespace troupe;
using namespace troupe::controllers;
using namespace troupe::controllers::testing;

namespace {

std::string replica_set(int replicas) {
  return R"({"kind":"ReplicaSet","apiVersion":"apps/v1","metadata":{"name":"web","namespace":"n","uid":"rs-1","generation":1},)"
         R"("spec":{"replicas":)" +
         std::to_string(replicas) +
         R"(,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},)"
         R"("spec":{"containers":[{"name":"c","image":"i"}]}}}})";
}

std::string pod(const std::string& name, const std::string& phase, bool owned = true, const std::string& more = {}) {
  auto owner =
      owned
          ? R"("ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"rs-1","controller":true}],)"
          : "";
  return R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":")" + name + R"(","namespace":"n","uid":"u-)" + name +
         R"(",)" + owner + more +
         R"("labels":{"app":"web"},"creationTimestamp":"2026-01-01T00:00:00Z"},"spec":{"nodeName":"a"},"status":{"phase":")" +
         phase + R"("}})";
}

std::string deployment(int replicas, const std::string& image) {
  return R"({"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"web","namespace":"n","uid":"d-1","generation":1},)"
         R"("spec":{"replicas":)" +
         std::to_string(replicas) +
         R"(,"selector":{"matchLabels":{"app":"web"}},"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":"25%","maxUnavailable":"25%"}},)"
         R"("template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"c","image":")" +
         image + R"("}]}}}})";
}

std::size_t count(const std::vector<std::string>& all, const std::string& wanted) {
  return static_cast<std::size_t>(std::count(all.begin(), all.end(), wanted));
}

}  // namespace

TEST_CASE("a ReplicaSet makes the pods that are missing, from its template and as their owner") {
  replicaset_core core;
  stage on(core);
  on.put(0, replica_set(3));
  on.put(1, pod("a", "Running"));
  auto effects = on.turn("n/web");
  CHECK(count(stage::writes(effects), "POST /api/v1/namespaces/n/pods") == 2);
  auto made = stage::body(effects, "/pods");
  CHECK(text(made, {"metadata", "generateName"}) == "web-");
  CHECK(text(made, {"metadata", "labels"}) == R"({"app":"web"})");
  CHECK(
      text(made, {"metadata", "ownerReferences"}) ==
      R"([{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"rs-1","controller":true,"blockOwnerDeletion":true}])");
  CHECK(text(made, {"spec", "containers"}) == R"([{"name":"c","image":"i","resources":{}}])");
}

TEST_CASE("finished and terminating pods do not count; a surplus goes, unready before ready") {
  replicaset_core core;
  stage on(core);
  on.put(0, replica_set(1));
  on.put(1, pod("done", "Succeeded"));
  on.put(1, pod("going", "Running", true, R"("deletionTimestamp":"2026-01-01T00:00:01Z",)"));
  on.put(1, pod("pending", "Pending"));
  on.put(1, pod("running", "Running"));
  auto effects = on.turn("n/web");
  auto sent = stage::writes(effects);
  CHECK(count(sent, "DELETE /api/v1/namespaces/n/pods/pending") == 1);
  CHECK(count(sent, "DELETE /api/v1/namespaces/n/pods/running") == 0);
  CHECK(count(sent, "POST /api/v1/namespaces/n/pods") == 0);
  auto status = stage::body(effects, "/status");
  CHECK(text(status, {"status", "replicas"}) == "2");
  CHECK(text(status, {"status", "terminatingReplicas"}) == "1");
}

TEST_CASE("a pod that nobody controls is adopted instead of making another") {
  replicaset_core core;
  stage on(core);
  on.put(0, replica_set(1));
  on.put(1, pod("orphan", "Running", false));
  CHECK(on.woken.back() == "n/web");
  auto sent = stage::writes(on.turn("n/web"));
  CHECK(count(sent, "PATCH /api/v1/namespaces/n/pods/orphan") == 1);
  CHECK(count(sent, "POST /api/v1/namespaces/n/pods") == 0);
}

TEST_CASE("a pod's end wakes its ReplicaSet") {
  replicaset_core core;
  stage on(core);
  on.put(0, replica_set(1));
  on.put(1, pod("a", "Running"));
  on.woken.clear();
  on.drop(1, "n/a");
  CHECK(on.woken == std::vector<std::string>{"n/web"});
}

TEST_CASE("a Deployment makes a ReplicaSet that its own selector finds") {
  deployment_core core;
  stage on(core);
  on.put(0, deployment(4, "i:1"));
  auto effects = on.turn("n/web");
  auto made = stage::body(effects, "/replicasets");
  auto hash = text(made, {"metadata", "labels", "pod-template-hash"});
  CHECK(hash.size() > 4);
  CHECK(text(made, {"metadata", "labels", "app"}) == "web");
  CHECK(text(made, {"metadata", "name"}) == "web-" + hash);
  CHECK(text(made, {"spec", "selector", "matchLabels", "pod-template-hash"}) == hash);
  CHECK(text(made, {"spec", "template", "metadata", "labels", "pod-template-hash"}) == hash);
  CHECK(text(made, {"spec", "replicas"}) == "4");
  CHECK(text(made, {"metadata", "annotations", "deployment.kubernetes.io/revision"}) == "1");
}

TEST_CASE("a Deployment's status and revision are one write, of the whole object on the version that was seen") {
  deployment_core core;
  stage on(core);
  auto seen = on.put(0, deployment(4, "i:1"));
  auto effects = on.turn("n/web");
  auto sent = stage::writes(effects);
  CHECK(count(sent, "PUT /apis/apps/v1/namespaces/n/deployments/web/status") == 1);
  CHECK(std::count_if(sent.begin(), sent.end(),
                      [](const std::string& one) { return one.find("/deployments/") != std::string::npos; }) == 1);
  auto written = stage::body(effects, "/deployments/web/status");
  CHECK(text(written, {"metadata", "annotations", "deployment.kubernetes.io/revision"}) == "1");
  CHECK(text(written, {"metadata", "resourceVersion"}) == std::to_string(seen->revision));
  CHECK(text(written, {"status", "observedGeneration"}) == "1");
  CHECK(text(written, {"spec", "replicas"}) == "4");
}

TEST_CASE("a rolling update keeps within surge and availability") {
  deployment_core core;
  stage on(core);
  on.put(0, deployment(4, "i:1"));
  auto first = stage::body(on.turn("n/web"), "/replicasets");
  auto old_name = text(first, {"metadata", "name"});
  first.set(*first.root().find("metadata"), "uid", "rs-old");
  auto status = document::parse(R"({"replicas":4,"readyReplicas":4,"availableReplicas":4,"observedGeneration":1})");
  first.set(first.root(), "status", first.clone(status->root()));
  on.put(1, to_json(first.root()));
  on.put(0, deployment(4, "i:2"));
  auto effects = on.turn("n/web");
  auto made = stage::body(effects, "/replicasets");
  CHECK(text(made, {"metadata", "name"}) != old_name);
  CHECK(text(made, {"spec", "replicas"}) == "1");  // 25 % of 4 above the wanted 4
  CHECK(text(made, {"metadata", "annotations", "deployment.kubernetes.io/revision"}) == "2");
  auto shrunk = stage::body(effects, "/replicasets/" + old_name);
  CHECK(text(shrunk, {"spec", "replicas"}) == "3");  // one may be missing
}

TEST_CASE("pods that a ReplicaSet is about to lose do not count as available") {
  deployment_core core;
  stage on(core);
  auto sized = [&](document& set, const char* uid, std::int64_t replicas, std::int64_t available) {
    set.set(*set.root().find("metadata"), "uid", uid);
    set.set(*set.root().find("spec"), "replicas", replicas);
    auto status = document::parse(R"({"replicas":)" + std::to_string(available) + R"(,"availableReplicas":)" +
                                  std::to_string(available) + R"(,"observedGeneration":1})");
    set.set(set.root(), "status", set.clone(status->root()));
    on.put(1, to_json(set.root()));
  };
  on.put(0, deployment(4, "i:1"));
  auto old_set = stage::body(on.turn("n/web"), "/replicasets");
  sized(old_set, "rs-old", 4, 4);
  on.put(0, deployment(4, "i:2"));
  auto new_set = stage::body(on.turn("n/web"), "/replicasets");
  // Half way: the old set has been made smaller, its status does not show it yet.
  sized(old_set, "rs-old", 2, 3);
  sized(new_set, "rs-new", 3, 2);
  auto shrunk = stage::body(on.turn("n/web"), "/replicasets/" + text(old_set, {"metadata", "name"}));
  CHECK(text(shrunk, {"spec", "replicas"}) == "1");  // not 0: one may be missing
}
