// RBAC decisions, their reasons and the texts of refusals.
#include <doctest/doctest.h>

#include "tests/unit/api_server_access/fixture.hpp"

using namespace troupe;
using namespace troupe::api;

TEST_CASE("a role binding allows in its namespace only and says why") {
  fake_cluster cluster;
  cluster.put(role("Role", "dev", "reader", R"([{"verbs":["get","list"],"apiGroups":[""],"resources":["pods"]}])"));
  cluster.put(binding("dev", "readers", "Role", "reader",
                      R"([{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"jane"}])"));
  authorizer judge(cluster);
  decision verdict = judge.decide(*user("jane"), ask("list", "", "pods", "dev"));
  CHECK(verdict.allowed);
  CHECK(verdict.reason == R"(RBAC: allowed by RoleBinding "readers/dev" of Role "reader" to User "jane")");
  CHECK_FALSE(judge.decide(*user("jane"), ask("list", "", "pods", "prod")).allowed);
  CHECK_FALSE(judge.decide(*user("jane"), ask("list", "", "pods")).allowed);
  CHECK_FALSE(judge.decide(*user("jane"), ask("list", "apps", "pods", "dev")).allowed);
  CHECK_FALSE(judge.decide(*user("jane"), ask("get", "", "pods", "dev", "a", "log")).allowed);
  CHECK_FALSE(judge.decide(*user("joe"), ask("list", "", "pods", "dev")).allowed);
}

TEST_CASE("verdicts follow changes of roles and bindings") {
  fake_cluster cluster;
  cluster.put(binding("", "b", "ClusterRole", "r", R"([{"kind":"Group","name":"ops"}])"));
  authorizer judge(cluster);
  auto who = user("kim", {"ops"});
  decision verdict = judge.decide(*who, ask("get", "", "nodes", "", "n1"));
  CHECK_FALSE(verdict.allowed);
  CHECK(verdict.reason == R"(RBAC: clusterrole.rbac.authorization.k8s.io "r" not found)");
  cluster.put(role("ClusterRole", "", "r", R"([{"verbs":["*"],"apiGroups":["*"],"resources":["nodes"]}])"));
  verdict = judge.decide(*who, ask("get", "", "nodes", "", "n1"));
  CHECK(verdict.allowed);
  CHECK(verdict.reason == R"(RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to Group "ops")");
  cluster.erase("rbac.authorization.k8s.io", "clusterrolebindings", "", "b");
  CHECK_FALSE(judge.decide(*who, ask("get", "", "nodes", "", "n1")).allowed);
}

TEST_CASE("resource names, wildcards, subresources and paths") {
  fake_cluster cluster;
  cluster.put(role("ClusterRole", "", "r", R"([
    {"verbs":["get"],"apiGroups":[""],"resources":["configmaps"],"resourceNames":["a","b"]},
    {"verbs":["update"],"apiGroups":["*"],"resources":["*/scale"]},
    {"verbs":["create"],"apiGroups":[""],"resources":["pods/exec"]},
    {"verbs":["get"],"nonResourceURLs":["/healthz","/logs/*"]}])"));
  cluster.put(binding("", "b", "ClusterRole", "r", R"([{"kind":"ServiceAccount","namespace":"ns","name":"sa"}])"));
  authorizer judge(cluster);
  auto who = user("system:serviceaccount:ns:sa");
  auto allows = [&](const attributes& what) { return judge.decide(*who, what).allowed; };
  CHECK_FALSE(allows(ask("get", "", "configmaps", "ns", "c")));
  CHECK(allows(ask("get", "", "configmaps", "ns", "a")));
  CHECK(allows(ask("get", "", "configmaps", "ns", "b")));
  CHECK_FALSE(allows(ask("get", "", "configmaps", "ns", "")));
  CHECK(allows(ask("update", "apps", "deployments", "ns", "d", "scale")));
  CHECK_FALSE(allows(ask("update", "apps", "deployments", "ns", "d")));
  CHECK(allows(ask("create", "", "pods", "ns", "p", "exec")));
  CHECK_FALSE(allows(ask("create", "", "pods", "ns", "p", "attach")));
  CHECK(allows(ask_path("get", "/healthz")));
  CHECK(allows(ask_path("get", "/logs/x/y")));
  CHECK_FALSE(allows(ask_path("get", "/logs")));
  CHECK_FALSE(allows(ask_path("post", "/healthz")));
  CHECK(judge.decide(*who, ask_path("get", "/healthz")).reason ==
        R"(RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to ServiceAccount "sa/ns")");
  CHECK_FALSE(judge.decide(*user("system:serviceaccount:ns:sa:x"), ask_path("get", "/healthz")).allowed);
}

TEST_CASE("system:masters may do everything without roles") {
  fake_cluster cluster;
  authorizer judge(cluster);
  decision verdict = judge.decide(*user("root", {"system:masters"}), ask("delete", "x", "y"));
  CHECK(verdict.allowed);
  CHECK(verdict.reason.empty());
}

TEST_CASE("aggregated roles collect by label, through several levels") {
  fake_cluster cluster;
  for (const std::string& object : bootstrap_objects()) cluster.put(object);
  cluster.put(R"({"kind":"ClusterRole","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"crontabs",)"
              R"("labels":{"rbac.authorization.k8s.io/aggregate-to-view":"true"}},)"
              R"("rules":[{"verbs":["get"],"apiGroups":["stable.example.com"],"resources":["crontabs"]}]})");
  for (const char* name : {"admin", "edit", "view"})
    cluster.put(binding("ns", name, "ClusterRole", name, R"([{"kind":"User","name":")" + std::string(name) + "\"}]"));
  authorizer judge(cluster);
  for (const char* name : {"admin", "edit", "view"}) {
    CHECK(judge.decide(*user(name), ask("get", "stable.example.com", "crontabs", "ns", "x")).allowed);
    CHECK(judge.decide(*user(name), ask("list", "", "pods", "ns")).allowed);
  }
  CHECK(judge.decide(*user("edit"), ask("create", "", "pods", "ns")).allowed);
  CHECK_FALSE(judge.decide(*user("view"), ask("create", "", "pods", "ns")).allowed);
  CHECK_FALSE(judge.decide(*user("view"), ask("get", "", "secrets", "ns", "s")).allowed);
  CHECK(judge.decide(*user("admin"), ask("create", "rbac.authorization.k8s.io", "roles", "ns")).allowed);
  CHECK_FALSE(judge.decide(*user("edit"), ask("create", "rbac.authorization.k8s.io", "roles", "ns")).allowed);
}

TEST_CASE("refusals are worded as kube-apiserver words them") {
  fake_cluster cluster;
  authorizer judge(cluster);
  request_context context = context_for(request_verb::list, "", "pods", "default");
  context.user = user("system:anonymous", {"system:unauthenticated"});
  status refused = authorise(judge, context);
  CHECK(refused.code == 403);
  CHECK(refused.message == R"(pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" )"
                           R"(in the namespace "default")");
  CHECK(refused.kind == "pods");
  context = context_for(request_verb::delete_, "apps", "deployments", "ns", "web");
  context.user = user("jane");
  CHECK(authorise(judge, context).message ==
        R"(deployments.apps "web" is forbidden: User "jane" cannot delete resource "deployments" in API group "apps" )"
        R"(in the namespace "ns")");
  context = context_for(request_verb::list, "", "nodes");
  context.user = user("<x>");
  CHECK(authorise(judge, context).message ==
        R"(nodes is forbidden: User "&lt;x&gt;" cannot list resource "nodes" in API group "" at the cluster scope)");
  context = context_for(request_verb::get, "", "namespaces", "", "kube-system");
  context.user = user("jane");
  CHECK(authorise(judge, context).message ==
        R"(namespaces "kube-system" is forbidden: User "jane" cannot get resource "namespaces" in API group "" in )"
        R"(the namespace "kube-system")");
  request_context path;
  path.path = "/metrics";
  path.user = user("jane");
  CHECK(authorise(judge, path).message == R"(forbidden: User "jane" cannot get path "/metrics")");
}
