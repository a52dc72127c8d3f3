// Further flows: eviction, Events of both groups, rights, forms of bodies and answers, logs.
#include <doctest/doctest.h>

#include "tests/actors/api_server/fixture.hpp"

using namespace troupe;
using namespace troupe::api;
using namespace troupe::api::testing;

namespace {

std::string eviction(const std::string& pod) {
  return R"({"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":")" + pod + "\"}}";
}

}  // namespace

TEST_CASE("who writes while the api_server starts waits until it knows what there is, administrators too") {
  cluster c(3, false, false);
  auto made = c.post("/api/v1/namespaces/default/configmaps", R"({"metadata":{"name":"early"}})");
  CHECK_MESSAGE(made.code == 201, body_of(made));
  CHECK(c.shared->ready());
}

TEST_CASE("eviction deletes, unless a budget forbids it") {
  cluster c;
  make_account(c);
  for (auto name : {"a", "b"}) {
    c.post(pods, pod_json(name, R"("nodeName":"n1",)"));
    c.merge(std::string(pods) + "/" + name + "/status", R"({"status":{"phase":"Running"}})");
  }
  auto free = c.post(std::string(pods) + "/a/eviction", eviction("a"));
  CHECK(free.code == 201);
  CHECK(at(c.get(std::string(pods) + "/a"), "metadata.deletionTimestamp") != "");
  auto made = c.post("/apis/policy/v1/namespaces/default/poddisruptionbudgets",
                     R"({"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"web"},"spec":)"
                     R"({"minAvailable":1,"selector":{"matchLabels":{"app":"web"}}}})");
  INFO(body_of(made));
  REQUIRE(made.code == 201);
  auto held = c.post(std::string(pods) + "/b/eviction", eviction("b"));
  CHECK(held.code == 429);
  CHECK(held.error.message == "Cannot evict pod as it would violate the pod's disruption budget.");
  CHECK(at(held, "details.causes.0.message") == "The disruption budget web is still being processed by the server.");
  CHECK(at(c.get(std::string(pods) + "/b"), "metadata.deletionTimestamp") == "");
  const std::string budget = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/web/status";
  REQUIRE(c.merge(budget, R"({"status":{"observedGeneration":1,"desiredHealthy":1,"disruptionsAllowed":0}})").code ==
          200);
  CHECK(at(c.post(std::string(pods) + "/b/eviction", eviction("b")), "details.causes.0.message") ==
        "The disruption budget web needs 1 healthy pods and has 0 currently");
  // A pod that is not ready costs no availability while enough others are.
  REQUIRE(c.merge(budget, R"({"status":{"currentHealthy":1}})").code == 200);
  CHECK(c.post(std::string(pods) + "/b/eviction", eviction("b")).code == 201);
}

TEST_CASE("a Secret's stringData becomes data") {
  cluster c;
  const std::string secrets = "/api/v1/namespaces/default/secrets";
  auto made =
      c.post(secrets, R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"a":"b2xk","k":"dg=="},)"
                      R"("stringData":{"a":"new","b":"some text"}})");
  CHECK(made.code == 201);
  CHECK(at(made, "data") == R"({"a":"bmV3","b":"c29tZSB0ZXh0","k":"dg=="})");
  CHECK(at(made, "stringData") == "");
  CHECK(at(c.merge(secrets + "/s", R"({"stringData":{"b":"2"}})"), "data") == R"({"a":"bmV3","b":"Mg==","k":"dg=="})");
}

TEST_CASE("Events: both groups show the same objects, and they end after an hour") {
  cluster c;
  auto made = c.post("/api/v1/namespaces/default/events",
                     R"({"apiVersion":"v1","kind":"Event","metadata":{"name":"e"},"involvedObject":{"kind":"Pod",)"
                     R"("namespace":"default","name":"p"},"reason":"Started","message":"hello","type":"Normal",)"
                     R"("source":{"component":"kubelet"},"count":2})");
  INFO(body_of(made));
  REQUIRE(made.code == 201);
  auto newer = c.get("/apis/events.k8s.io/v1/namespaces/default/events/e");
  CHECK(at(newer, "note") == "hello");
  CHECK(at(newer, "regarding.name") == "p");
  CHECK(at(newer, "deprecatedCount") == "2");
  auto chosen = c.get("/api/v1/events?fieldSelector=involvedObject.name%3Dp,reason%3DStarted");
  CHECK(at(chosen, "items.0.metadata.name") == "e");
  c.world.run_for(std::chrono::minutes(59));
  CHECK(c.get("/api/v1/namespaces/default/events/e").code == 200);
  c.world.run_for(std::chrono::minutes(4));
  CHECK(c.get("/api/v1/namespaces/default/events/e").code == 404);
}

TEST_CASE("rights are judged for reads and writes") {
  cluster c;
  c.user = make_user("jane", {});
  auto no = c.get(pods);
  CHECK(no.code == 403);
  CHECK(
      no.error.message ==
      "pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"");
  CHECK(c.post(maps, config_map("a", "1")).code == 403);
  CHECK(c.del(std::string(maps) + "/a").code == 403);
  c.user = make_user("kubernetes-admin", {"system:masters"});
  CHECK(c.get(std::string(maps) + "/a").code == 404);
  auto bound = c.post("/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
                      R"({"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"v"},)"
                      R"("roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"},)"
                      R"("subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"jane"}]})");
  REQUIRE(bound.code == 201);
  c.world.run_until_idle();
  c.user = make_user("jane", {});
  CHECK(c.get(pods).code == 200);
  CHECK(c.post(maps, config_map("a", "1")).code == 403);
}

TEST_CASE("YAML in and out, tables, metadata") {
  cluster c;
  auto made = c.call(method::post, maps, "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yam\ndata:\n  k: v\n",
                     "application/yaml");
  CHECK(made.code == 201);
  c.accept = "application/yaml";
  auto yaml = c.get(std::string(maps) + "/yam");
  CHECK(yaml.content_type == "application/yaml");
  CHECK(body_of(yaml).find("  k: v\n") != std::string::npos);
  c.accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
  auto table = c.get(maps);
  CHECK(at(table, "kind") == "Table");
  CHECK(at(table, "rows.0.cells.0") == "yam");
  c.accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
  auto meta = c.get(std::string(maps) + "/yam");
  CHECK(at(meta, "kind") == "PartialObjectMetadata");
  CHECK(at(meta, "data") == "");
}

TEST_CASE("logs: what is said before a node is asked") {
  cluster c;
  make_account(c);
  CHECK(c.get(std::string(pods) + "/none/log").code == 404);
  c.post(pods, pod_json("a"));
  auto unscheduled = c.get(std::string(pods) + "/a/log");
  CHECK(unscheduled.code == 200);
  CHECK(body_of(unscheduled).empty());
  CHECK(c.get(std::string(pods) + "/a/log?container=x").error.message == "container x is not valid for pod a");
  c.post(pods, pod_json("b", R"("nodeName":"n1",)"));
  CHECK(c.get(std::string(pods) + "/b/log").code == 503);
}

TEST_CASE("deletion of a collection works on many objects at a time and misses none") {
  cluster c;
  for (int i = 0; i < 100; ++i) c.post(maps, config_map("many-" + std::to_string(100 + i), "1"));
  c.post(maps, R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"kept","labels":{"keep":"yes"}}})");
  auto gone = c.del(std::string(maps) + "?labelSelector=keep%21%3Dyes");
  INFO(body_of(gone));
  REQUIRE(gone.code == 200);
  CHECK(at(gone, "items.0.metadata.name") == "many-100");
  CHECK(at(gone, "items.99.metadata.name") == "many-199");
  auto left = c.get(maps);
  CHECK(at(left, "items.0.metadata.name") == "kept");
  CHECK(at(left, "items.1.metadata.name").empty());
}

TEST_CASE("default/kubernetes and the system's namespaces come back, and are left alone when they are right") {
  cluster c;
  const std::string service = "/api/v1/namespaces/default/services/kubernetes";
  const std::string leases = "/api/v1/namespaces/kube-node-lease";
  auto uid = at(c.get(service), "metadata.uid");
  REQUIRE(c.del(service).code == 200);
  REQUIRE(c.del(leases).code == 200);
  // Emptied, as the namespace controller would find it.
  REQUIRE(
      c.put(leases + "/finalize",
            R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"kube-node-lease"},"spec":{"finalizers":[]}})")
          .code == 200);
  REQUIRE(c.get(leases).code == 404);
  c.world.run_for(std::chrono::seconds(11));
  auto again = c.get(service);
  CHECK(again.code == 200);
  CHECK(at(again, "metadata.uid") != uid);
  CHECK(at(again, "spec.clusterIP") == "10.96.0.1");
  CHECK(c.get(leases).code == 200);
  c.merge(service, R"({"spec":{"ports":[{"name":"https","port":443,"protocol":"TCP","targetPort":1}]}})");
  c.world.run_for(std::chrono::seconds(11));
  auto repaired = c.get(service);
  CHECK(at(repaired, "spec.ports.0.targetPort") == "6443");
  c.world.run_for(std::chrono::seconds(31));
  CHECK(at(c.get(service), "metadata.resourceVersion") == at(repaired, "metadata.resourceVersion"));
}

TEST_CASE("a media type that cannot be served is refused") {
  cluster c;
  c.accept = "text/plain";
  auto no = c.get(maps);
  CHECK(no.code == 406);
  CHECK(at(no, "reason") == "NotAcceptable");
  c.accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
  const std::string review = R"({"spec":{"nonResourceAttributes":{"verb":"get","path":"/"}}})";
  CHECK(c.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review).code == 406);
  c.accept = "text/plain, application/json;q=0.1";
  CHECK(c.get(maps).code == 200);
}
