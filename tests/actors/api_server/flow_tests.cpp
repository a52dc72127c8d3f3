// Create, get, list, update, patch and delete through workers, cachers and a store.
#include <doctest/doctest.h>

#include "tests/actors/api_server/fixture.hpp"

using namespace troupe;
using namespace troupe::api;
using namespace troupe::api::testing;

TEST_CASE("a cluster starts with its namespaces, roles and service") {
  cluster c;
  CHECK(c.get("/api/v1/namespaces/kube-system").code == 200);
  CHECK(c.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin").code == 200);
  auto service = c.get("/api/v1/namespaces/default/services/kubernetes");
  CHECK(at(service, "spec.clusterIP") == "10.96.0.1");
  CHECK(c.get("/readyz").code == 200);
  CHECK(c.get("/nothing").code == 404);
  CHECK(c.get("/api/v1/componentstatuses").code == 200);
}

TEST_CASE("create and get of a pod") {
  cluster c;
  make_account(c);
  auto made = c.post(pods, pod_json("a"));
  INFO(body_of(made));
  REQUIRE(made.code == 201);
  CHECK(at(made, "metadata.namespace") == "default");
  CHECK(at(made, "metadata.uid").size() == 36);
  CHECK(at(made, "metadata.creationTimestamp").size() == 20);
  CHECK(at(made, "status.phase") == "Pending");
  CHECK(at(made, "spec.restartPolicy") == "Always");
  CHECK(at(made, "metadata.resourceVersion") == std::to_string(made.revision));
  CHECK(at(made, "metadata.managedFields.0.manager") == "kubectl");
  CHECK(at(made, "metadata.managedFields.0.operation") == "Update");
  auto found = c.get(std::string(pods) + "/a");
  CHECK(found.code == 200);
  CHECK(body_of(found) == body_of(made));
  REQUIRE(found.object);
  CHECK(found.object->name == "a");

  auto again = c.post(pods, pod_json("a"));
  CHECK(again.code == 409);
  CHECK(again.error.message == "pods \"a\" already exists");
  auto missing = c.get(std::string(pods) + "/b");
  CHECK(missing.code == 404);
  CHECK(missing.error.message == "pods \"b\" not found");
}

TEST_CASE("generateName gives five characters of the alphabet and tries again on a collision") {
  cluster c;
  for (int i = 0; i < 20; ++i) {
    auto made = c.post(maps, R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"x-"}})");
    REQUIRE(made.code == 201);
    auto name = at(made, "metadata.name");
    CHECK(name.size() == 7);
    CHECK(name.find_first_not_of("bcdfghjklmnpqrstvwxz2456789", 2) == std::string::npos);
  }
}

TEST_CASE("list: order, selectors, chunks, revisions") {
  cluster c;
  c.post("/api/v1/namespaces", R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"default-a"}})");
  c.post("/api/v1/namespaces/default-a/configmaps", config_map("z", "0"));
  std::uint64_t last = 0;
  for (auto name : {"b", "a", "d", "c"}) last = c.post(maps, config_map(name, "1")).revision;
  auto all = c.get(maps);
  CHECK(at(all, "kind") == "ConfigMapList");
  CHECK(at(all, "items.0.metadata.name") == "a");
  CHECK(at(all, "items.3.metadata.name") == "d");
  CHECK(at(all, "items.4") == "");
  CHECK(at(all, "items.0.kind") == "");
  CHECK(all.revision >= last);

  // Keys sort bytewise: "default-a/z" comes before "default/a".
  auto everywhere = c.get("/api/v1/configmaps");
  CHECK(at(everywhere, "items.0.metadata.namespace") == "default-a");

  auto first = c.get(std::string(maps) + "?limit=3");
  CHECK(at(first, "items.2.metadata.name") == "c");
  CHECK(at(first, "metadata.remainingItemCount") == "1");
  c.post(maps, config_map("e", "late"));
  auto rest = c.get(std::string(maps) + "?limit=3&continue=" + at(first, "metadata.continue"));
  CHECK(at(rest, "items.0.metadata.name") == "d");
  CHECK(at(rest, "items.1") == "");  // "e" was created after the first chunk
  CHECK(at(rest, "metadata.resourceVersion") == at(first, "metadata.resourceVersion"));

  auto one = c.get(std::string(maps) + "?fieldSelector=metadata.name%3Db");
  CHECK(at(one, "items.0.metadata.name") == "b");
  CHECK(at(one, "items.1") == "");
  auto exact = c.get(std::string(maps) + "?resourceVersion=" + std::to_string(last) + "&resourceVersionMatch=Exact");
  CHECK(at(exact, "items.4") == "");
  auto future = c.get(std::string(maps) + "?resourceVersion=999999");
  CHECK(future.code == 504);
  CHECK(future.error.message.find("Too large resource version: 999999, current: ") == 0);
  CHECK(c.get(std::string(maps) + "?fieldSelector=data%3Db").code == 400);
  CHECK(c.get(std::string(maps) + "?labelSelector=a%3D%3D%3Db").code == 400);
}

TEST_CASE("update: preconditions, no-op, status apart from the rest") {
  cluster c;
  auto made = c.post(maps, config_map("a", "1"));
  auto put = c.put(std::string(maps) + "/a", config_map("a", "2"));
  CHECK(put.code == 200);
  CHECK(at(put, "data.k") == "2");
  CHECK(at(put, "metadata.uid") == at(made, "metadata.uid"));
  CHECK(put.revision > made.revision);
  auto same = c.put(std::string(maps) + "/a", config_map("a", "2"));
  CHECK(same.revision == put.revision);

  auto stale = c.put(std::string(maps) + "/a",
                     R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","resourceVersion":")" +
                         std::to_string(made.revision) + R"("},"data":{"k":"3"}})");
  CHECK(stale.code == 409);
  CHECK(stale.error.message ==
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to "
        "the latest version and try again");
  auto other = c.put(std::string(maps) + "/a", config_map("b", "3"));
  CHECK(other.code == 400);
  CHECK(other.error.message == "the name of the object (b) does not match the name on the URL (a)");
  CHECK(c.put(std::string(maps) + "/none", config_map("none", "3")).code == 404);

  make_account(c);
  c.post(pods, pod_json("p"));
  auto status = c.merge(std::string(pods) + "/p/status", R"({"status":{"phase":"Running"},"spec":{"nodeName":"n"}})");
  CHECK(at(status, "status.phase") == "Running");
  CHECK(at(status, "spec.nodeName") == "");
  auto main = c.merge(std::string(pods) + "/p", R"({"status":{"phase":"Failed"},"metadata":{"labels":{"x":"y"}}})");
  CHECK(at(main, "status.phase") == "Running");
  CHECK(at(main, "metadata.labels.x") == "y");
}

TEST_CASE("patches: merge, JSON, strategic; apply is refused") {
  cluster c;
  c.post(maps, config_map("a", "1"));
  auto path = std::string(maps) + "/a";
  CHECK(at(c.merge(path, R"({"data":{"k":null,"n":"2"}})"), "data") == R"({"n":"2"})");
  auto json =
      c.call(method::patch, path, R"([{"op":"add","path":"/data/m","value":"3"}])", "application/json-patch+json");
  CHECK(at(json, "data.m") == "3");
  auto strategic =
      c.call(method::patch, path, R"({"metadata":{"labels":{"l":"v"}}})", "application/strategic-merge-patch+json");
  CHECK(at(strategic, "metadata.labels.l") == "v");
  CHECK(c.call(method::patch, path, "{}", "application/apply-patch+yaml").code == 415);
  CHECK(c.merge(std::string(maps) + "/none", "{}").code == 404);
}

TEST_CASE("errors of bodies, and nothing stored") {
  cluster c;
  auto unknown = c.post(std::string(maps) + "?fieldValidation=Strict",
                        R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"s"},"foo":1})");
  CHECK(unknown.code == 400);
  CHECK(unknown.error.message ==
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: "
        "unknown field \"foo\"");
  auto warned = c.post(maps, R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"w"},"foo":1})");
  CHECK(warned.code == 201);
  REQUIRE_FALSE(warned.headers.empty());
  CHECK(warned.headers[0].second == "299 - \"unknown field \\\"foo\\\"\"");
  CHECK(c.post(maps, "{\"apiVersion\":").code == 400);
  CHECK(c.call(method::post, maps, "x", "text/plain").code == 415);
  CHECK(c.post(maps, R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"k"}})").code == 400);
  CHECK(c.post("/api/v1/namespaces/other/configmaps", config_map("o", "1")).code == 404);
  auto dry = c.post(std::string(maps) + "?dryRun=All", config_map("dry", "1"));
  CHECK(dry.code == 201);
  CHECK(c.get(std::string(maps) + "/dry").code == 404);
  CHECK(c.get(std::string(maps) + "/s").code == 404);
  CHECK(c.call(method::put, maps, "{}").code == 405);
  CHECK(c.call(method::put, "/api/v1/configmaps", "{}").code == 405);
  CHECK(c.get("/api/v1/foos").code == 404);
}

TEST_CASE("delete: finalizers, preconditions, collections") {
  cluster c;
  auto made = c.post(maps, config_map("a", "1"));
  auto wrong = c.del(std::string(maps) + "/a", R"({"preconditions":{"uid":"other"}})");
  CHECK(wrong.code == 409);
  auto gone = c.del(std::string(maps) + "/a");
  CHECK(gone.code == 200);
  CHECK(at(gone, "status") == "Success");
  CHECK(at(gone, "details.uid") == at(made, "metadata.uid"));
  CHECK(c.get(std::string(maps) + "/a").code == 404);
  CHECK(c.del(std::string(maps) + "/a").code == 404);

  c.post(maps, R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"f","finalizers":["example.com/f"]}})");
  auto held = c.del(std::string(maps) + "/f");
  CHECK(at(held, "metadata.deletionTimestamp") != "");
  CHECK(c.get(std::string(maps) + "/f").code == 200);
  auto freed = c.merge(std::string(maps) + "/f", R"({"metadata":{"finalizers":null}})");
  CHECK(freed.code == 200);
  CHECK(c.get(std::string(maps) + "/f").code == 404);

  for (auto name : {"x", "y", "z"}) c.post(maps, config_map(name, "1"));
  c.merge(std::string(maps) + "/z", R"({"metadata":{"labels":{"keep":"yes"}}})");
  auto swept = c.del(std::string(maps) + "?labelSelector=keep!%3Dyes");
  CHECK(swept.code == 200);
  CHECK(at(swept, "items.1.metadata.name") == "y");
  CHECK(c.get(std::string(maps) + "/z").code == 200);
  CHECK(c.get(std::string(maps) + "/x").code == 404);

  auto foreground = c.del(std::string(maps) + "/z", R"({"propagationPolicy":"Foreground"})");
  CHECK(at(foreground, "metadata.finalizers.0") == "foregroundDeletion");
}

TEST_CASE("pods: binding, graceful deletion") {
  cluster c;
  make_account(c);
  c.post(pods, pod_json("a"));
  auto binding = [](const std::string& node) {
    return R"({"apiVersion":"v1","kind":"Binding","metadata":{"name":"a"},"target":{"kind":"Node","name":")" + node +
           "\"}}";
  };
  auto bound = c.post(std::string(pods) + "/a/binding", binding("n1"));
  INFO(body_of(bound));
  CHECK(bound.code == 201);
  CHECK(at(bound, "status") == "Success");
  auto pod = c.get(std::string(pods) + "/a");
  CHECK(at(pod, "spec.nodeName") == "n1");
  CHECK(at(pod, "status.conditions.0.type") == "PodScheduled");
  CHECK(at(pod, "status.conditions.0.status") == "True");
  auto again = c.post(std::string(pods) + "/a/binding", binding("n2"));
  CHECK(again.code == 409);
  CHECK(again.error.message ==
        "Operation cannot be fulfilled on pods/binding \"a\": pod a is already assigned to node "
        "\"n1\"");
  CHECK(c.post(std::string(pods) + "/b/binding", R"({"target":{"name":"n"}})").code == 404);
  CHECK(at(c.get("/api/v1/pods?fieldSelector=spec.nodeName%3Dn1"), "items.0.metadata.name") == "a");

  auto deleting = c.del(std::string(pods) + "/a");
  CHECK(at(deleting, "metadata.deletionGracePeriodSeconds") == "30");
  auto shorter = c.del(std::string(pods) + "/a", R"({"gracePeriodSeconds":5})");
  CHECK(at(shorter, "metadata.deletionGracePeriodSeconds") == "5");
  auto final = c.del(std::string(pods) + "/a", R"({"gracePeriodSeconds":0})");
  CHECK(at(final, "kind") == "Pod");
  CHECK(c.get(std::string(pods) + "/a").code == 404);

  c.post(pods, pod_json("waiting"));
  c.del(std::string(pods) + "/waiting");
  CHECK(c.get(std::string(pods) + "/waiting").code == 404);
}

TEST_CASE("scale, namespaces, conversion") {
  cluster c;
  auto apps = std::string("/apis/apps/v1/namespaces/default/deployments");
  auto made = c.post(apps, R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":{"replicas":2,
    "selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c",
    "image":"i"}]}}}})");
  INFO(body_of(made));
  REQUIRE(made.code == 201);
  CHECK(at(made, "metadata.generation") == "1");
  auto scale = c.get(apps + "/d/scale");
  CHECK(at(scale, "spec.replicas") == "2");
  CHECK(at(scale, "status.selector") == "a=b");
  auto scaled = c.merge(apps + "/d/scale", R"({"spec":{"replicas":5}})");
  CHECK(at(scaled, "spec.replicas") == "5");
  auto now = c.get(apps + "/d");
  CHECK(at(now, "spec.replicas") == "5");
  CHECK(at(now, "metadata.generation") == "2");

  c.post("/api/v1/namespaces", R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"n"}})");
  auto terminating = c.del("/api/v1/namespaces/n");
  CHECK(at(terminating, "status.phase") == "Terminating");
  auto refused = c.post("/api/v1/namespaces/n/configmaps", config_map("a", "1"));
  CHECK(refused.code == 403);
  auto finalized = c.put("/api/v1/namespaces/n/finalize",
                         R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"n"},"spec":{"finalizers":[]}})");
  CHECK(finalized.code == 200);
  CHECK(c.get("/api/v1/namespaces/n").code == 404);

  auto hpas = std::string("/namespaces/default/horizontalpodautoscalers");
  auto v1 = c.post("/apis/autoscaling/v1" + hpas, R"({"apiVersion":"autoscaling/v1","kind":"HorizontalPodAutoscaler",
    "metadata":{"name":"h"},"spec":{"scaleTargetRef":{"kind":"Deployment","name":"d","apiVersion":"apps/v1"},
    "maxReplicas":3,"targetCPUUtilizationPercentage":50}})");
  INFO(body_of(v1));
  REQUIRE(v1.code == 201);
  auto v2 = c.get("/apis/autoscaling/v2" + hpas + "/h");
  CHECK(at(v2, "apiVersion") == "autoscaling/v2");
  CHECK(at(v2, "spec.metrics.0.resource.target.averageUtilization") == "50");
  CHECK(at(c.get("/apis/autoscaling/v1" + hpas + "/h"), "spec.targetCPUUtilizationPercentage") == "50");
}
