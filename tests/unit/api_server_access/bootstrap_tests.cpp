// The default policy: what the components may do by it, and how it is kept complete.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "actors/api_server/access/bootstrap_policy.hpp"
#include "messages/schema/codec.hpp"
#include "tests/unit/api_server_access/fixture.hpp"

using namespace troupe;
using namespace troupe::api;

TEST_CASE("every default object is a valid object of its kind, once") {
  std::set<std::string> seen;
  for (const std::string& json : bootstrap_objects()) {
    auto doc = document::parse(json);
    REQUIRE(doc);
    const node& root = doc->root();
    const node* space = root.find("metadata", "namespace");
    std::string key = std::string(root.find("kind")->string()) + "/" + (space ? std::string(space->string()) : "") +
                      "/" + std::string(root.find("metadata", "name")->string());
    CHECK_MESSAGE(seen.insert(key).second, key);
    std::uint16_t kind = schema::find_kind("rbac.authorization.k8s.io", "v1", root.find("kind")->string());
    schema::conform_report report;
    CHECK(schema::conform(*doc, doc->root(), schema::resources()[kind].type, report).ok());
    CHECK(report.unknown.empty());
    const node* rules = root.find("rules");
    for (std::size_t i = 0; rules && i < rules->size(); ++i) {
      CHECK(!rules->element(i).find("verbs")->empty());
      bool about_urls = rules->element(i).find("nonResourceURLs");
      CHECK(about_urls != (rules->element(i).find("resources") != nullptr));
    }
  }
  CHECK(seen.count("ClusterRole//system:controller:generic-garbage-collector"));
  CHECK(seen.count("ClusterRoleBinding//system:controller:generic-garbage-collector"));
  CHECK(seen.count("Role/kube-system/extension-apiserver-authentication-reader"));
  CHECK(seen.count("RoleBinding/kube-system/system::extension-apiserver-authentication-reader") == 0);
  CHECK(seen.count("RoleBinding/kube-public/system:controller:bootstrap-signer"));
}

TEST_CASE("one default object in full") {
  const auto& all = bootstrap_objects();
  auto has = [&](const std::string& json) { return std::find(all.begin(), all.end(), json) != all.end(); };
  CHECK(has(R"({"kind":"ClusterRole","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":)"
            R"("system:node-problem-detector","labels":{"kubernetes.io/bootstrapping":"rbac-defaults"},"annotations":)"
            R"({"rbac.authorization.kubernetes.io/autoupdate":"true"}},"rules":[{"verbs":["get"],"apiGroups":[""],)"
            R"("resources":["nodes"]},{"verbs":["patch"],"apiGroups":[""],"resources":["nodes/status"]},{"verbs":)"
            R"(["create","patch","update"],"apiGroups":["","events.k8s.io"],"resources":["events"]}]})"));
  CHECK(has(R"({"kind":"RoleBinding","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":)"
            R"("system::leader-locking-kube-scheduler","namespace":"kube-system","labels":)"
            R"({"kubernetes.io/bootstrapping":"rbac-defaults"},"annotations":)"
            R"({"rbac.authorization.kubernetes.io/autoupdate":"true"}},"subjects":[{"kind":"User","apiGroup":)"
            R"("rbac.authorization.k8s.io","name":"system:kube-scheduler"},{"kind":"ServiceAccount","name":)"
            R"("kube-scheduler","namespace":"kube-system"}],"roleRef":{"apiGroup":"rbac.authorization.k8s.io",)"
            R"("kind":"Role","name":"system::leader-locking-kube-scheduler"}})"));
}

TEST_CASE("components have the rights they need and no more") {
  default_cluster cluster;
  authorizer judge(cluster);
  auto allows = [&](const user_ptr& who, const attributes& what) { return judge.decide(*who, what).allowed; };
  auto scheduler = user("system:kube-scheduler");
  CHECK(allows(scheduler, ask("create", "", "pods", "ns", "p", "binding")));
  CHECK(allows(scheduler, ask("watch", "", "pods")));
  CHECK(allows(scheduler, ask("patch", "", "pods", "ns", "p", "status")));
  CHECK(allows(scheduler, ask("create", "events.k8s.io", "events", "ns")));
  CHECK(allows(scheduler, ask("update", "coordination.k8s.io", "leases", "kube-system", "kube-scheduler")));
  CHECK_FALSE(allows(scheduler, ask("update", "coordination.k8s.io", "leases", "kube-system", "other")));
  CHECK_FALSE(allows(scheduler, ask("get", "", "secrets", "ns", "s")));
  auto deployments = user("system:serviceaccount:kube-system:deployment-controller");
  CHECK(allows(deployments, ask("create", "apps", "replicasets", "ns")));
  CHECK_FALSE(allows(deployments, ask("create", "", "pods", "ns")));
  CHECK(allows(deployments, ask("update", "apps", "deployments", "ns", "d", "status")));
  CHECK(allows(deployments, ask("patch", "apps", "replicasets", "ns", "r")));
  CHECK_FALSE(allows(deployments, ask("patch", "apps", "deployments", "ns", "d", "status")));
  CHECK_FALSE(allows(deployments, ask("patch", "apps", "deployments", "ns", "d")));
  CHECK_FALSE(allows(deployments, ask("update", "apps", "replicasets", "ns", "r", "status")));
  auto account = [](const std::string& name) { return user("system:serviceaccount:kube-system:" + name); };
  auto sets = account("replicaset-controller");
  CHECK(allows(sets, ask("create", "", "pods", "ns")));
  CHECK(allows(sets, ask("patch", "", "pods", "ns", "p")));
  CHECK(allows(sets, ask("update", "apps", "replicasets", "ns", "r", "status")));
  CHECK_FALSE(allows(sets, ask("patch", "apps", "replicasets", "ns", "r", "status")));
  CHECK_FALSE(allows(sets, ask("delete", "apps", "replicasets", "ns", "r")));
  CHECK_FALSE(allows(sets, ask("get", "", "secrets", "ns", "s")));
  auto nodes = account("node-controller");
  CHECK(allows(nodes, ask("patch", "", "nodes", "", "n", "status")));
  CHECK(allows(nodes, ask("delete", "", "pods", "ns", "p")));
  CHECK_FALSE(allows(nodes, ask("create", "", "pods", "ns")));
  auto spaces = account("namespace-controller");
  CHECK(allows(spaces, ask("deletecollection", "batch", "jobs", "ns")));
  CHECK(allows(spaces, ask("update", "", "namespaces", "", "ns", "finalize")));
  CHECK_FALSE(allows(spaces, ask("create", "", "configmaps", "ns")));
  auto authority = account("root-ca-cert-publisher");
  CHECK(allows(authority, ask("update", "", "configmaps", "ns", "kube-root-ca.crt")));
  CHECK_FALSE(allows(authority, ask("patch", "", "configmaps", "ns", "kube-root-ca.crt")));
  CHECK_FALSE(allows(authority, ask("delete", "", "configmaps", "ns", "kube-root-ca.crt")));
  auto accounts = account("service-account-controller");
  CHECK(allows(accounts, ask("create", "", "serviceaccounts", "ns")));
  CHECK_FALSE(allows(accounts, ask("create", "", "serviceaccounts", "ns", "default", "token")));
  auto slices = account("endpointslice-controller");
  CHECK(allows(slices, ask("update", "discovery.k8s.io", "endpointslices", "ns", "e")));
  CHECK_FALSE(allows(slices, ask("patch", "discovery.k8s.io", "endpointslices", "ns", "e")));
  auto budgets = account("disruption-controller");
  CHECK(allows(budgets, ask("update", "policy", "poddisruptionbudgets", "ns", "b", "status")));
  CHECK_FALSE(allows(budgets, ask("update", "policy", "poddisruptionbudgets", "ns", "b")));
  auto claims = account("pvc-protection-controller");
  CHECK(allows(claims, ask("update", "", "persistentvolumeclaims", "ns", "c")));
  CHECK_FALSE(allows(claims, ask("delete", "", "persistentvolumeclaims", "ns", "c")));
  auto garbage = account("generic-garbage-collector");
  CHECK(allows(garbage, ask("delete", "anything.example", "things", "ns", "t")));
  CHECK_FALSE(allows(garbage, ask("create", "", "pods", "ns")));
  auto proxy = user("system:kube-proxy");
  CHECK(allows(proxy, ask("watch", "discovery.k8s.io", "endpointslices")));
  CHECK_FALSE(allows(proxy, ask("list", "", "pods")));
  auto cloud = user("system:cloud-controller-manager");
  CHECK(allows(cloud, ask("patch", "", "nodes", "", "n", "status")));
  CHECK(allows(cloud, ask("watch", "", "configmaps", "kube-system", "local-cloud")));
  CHECK_FALSE(allows(cloud, ask("watch", "", "configmaps", "kube-system")));
  CHECK(allows(cloud, ask("update", "coordination.k8s.io", "leases", "kube-system", "cloud-controller-manager")));
  CHECK_FALSE(allows(cloud, ask("get", "", "secrets", "ns", "s")));
  CHECK_FALSE(allows(cloud, ask("list", "", "pods")));
  auto manager = user("system:kube-controller-manager");
  CHECK(allows(manager, ask("list", "batch", "jobs")));
  CHECK_FALSE(allows(manager, ask("delete", "", "pods", "ns", "p")));
  auto anybody = user("jane");
  CHECK(allows(anybody, ask_path("get", "/apis/apps/v1")));
  CHECK(allows(anybody, ask("create", "authorization.k8s.io", "selfsubjectaccessreviews")));
  CHECK_FALSE(allows(anybody, ask_path("get", "/metrics")));
  auto nobody = user("system:anonymous", {"system:unauthenticated"});
  CHECK(allows(nobody, ask_path("get", "/version")));
  CHECK(allows(nobody, ask_path("get", "/readyz")));
  CHECK_FALSE(allows(nobody, ask_path("get", "/readyz/etcd")));
  CHECK_FALSE(allows(nobody, ask_path("get", "/apis")));
}

TEST_CASE("reconciliation adds what is missing and keeps what was added") {
  auto wanted = document::parse(role("ClusterRole", "", "r", R"([
    {"verbs":["get","list"],"apiGroups":[""],"resources":["pods"]},
    {"verbs":["get"],"apiGroups":["apps"],"resources":["deployments"]}])"));
  auto current = document::parse(role("ClusterRole", "", "r", R"([
    {"verbs":["*"],"apiGroups":[""],"resources":["pods"]},
    {"verbs":["delete"],"apiGroups":["x"],"resources":["y"]}])"));
  CHECK(reconcile_bootstrap(*current, wanted->root()));
  CHECK(current->root().find("rules")->size() == 3);
  CHECK(to_json(current->root().find("rules")->element(2)) ==
        R"({"verbs":["get"],"apiGroups":["apps"],"resources":["deployments"]})");
  CHECK_FALSE(reconcile_bootstrap(*current, wanted->root()));
  auto fixed = document::parse(
      R"({"metadata":{"annotations":{"rbac.authorization.kubernetes.io/autoupdate":"false"}},"rules":[]})");
  CHECK_FALSE(reconcile_bootstrap(*fixed, wanted->root()));
  auto lost = document::parse(binding("", "b", "ClusterRole", "r", "[]"));
  auto full = document::parse(binding("", "b", "ClusterRole", "r", R"([{"kind":"Group","name":"g"}])"));
  CHECK(reconcile_bootstrap(*lost, full->root()));
  CHECK(to_json(*lost->root().find("subjects")) == R"([{"kind":"Group","name":"g"}])");
}
