// Access reviews and the guard against escalation.
#include <doctest/doctest.h>

#include "tests/unit/api_server_access/fixture.hpp"

using namespace troupe;
using namespace troupe::api;

namespace {

struct review_cluster : default_cluster {
  review_cluster() {
    put(binding("dev", "edit", "ClusterRole", "edit", R"([{"kind":"User","name":"jane"}])"));
    put(role("Role", "dev", "namer",
             R"([{"verbs":["get"],"apiGroups":[""],"resources":["secrets"],"resourceNames":["s"]}])"));
    put(binding("dev", "namer", "Role", "namer", R"([{"kind":"User","name":"joe"}])"));
  }
};

/// The status of the answered review as JSON, or the refusal's message.
std::string review(const cluster_view& cluster, const char* group, const char* plural, user_ptr who,
                   const std::string& spec, std::string space = {}) {
  authorizer judge(cluster);
  request_context context = context_for(request_verb::create, group, plural, std::move(space));
  context.user = std::move(who);
  auto doc = document::parse(R"({"spec":)" + spec + "}");
  REQUIRE(doc);
  CHECK(is_review(context.resource));
  status answer = answer_review(judge, context, *doc);
  return answer.ok() ? to_json(*doc->root().find("status")) : answer.message;
}

constexpr const char* authorization = "authorization.k8s.io";

}  // namespace

TEST_CASE("self subject access review") {
  review_cluster cluster;
  auto ask_self = [&](const char* spec) {
    return review(cluster, authorization, "selfsubjectaccessreviews", user("jane"), spec);
  };
  CHECK(ask_self(R"({"resourceAttributes":{"namespace":"dev","verb":"create","resource":"pods"}})") ==
        R"({"allowed":true,"reason":"RBAC: allowed by RoleBinding \"edit/dev\" of ClusterRole \"edit\" to User )"
        R"(\"jane\""})");
  CHECK(ask_self(R"({"resourceAttributes":{"namespace":"prod","verb":"create","resource":"pods"}})") ==
        R"({"allowed":false})");
  CHECK(ask_self(R"({"nonResourceAttributes":{"path":"/version","verb":"get"}})") ==
        R"({"allowed":true,"reason":"RBAC: allowed by ClusterRoleBinding \"system:discovery\" of ClusterRole )"
        R"(\"system:discovery\" to Group \"system:authenticated\""})");
  CHECK(ask_self("{}") ==
        R"(SelfSubjectAccessReview.authorization.k8s.io "" is invalid: spec.resourceAttributes: Invalid value: null: )"
        R"(exactly one of nonResourceAttributes or resourceAttributes must be specified)");
}

TEST_CASE("subject access reviews about others") {
  review_cluster cluster;
  auto admin = user("admin", {"system:masters"});
  CHECK(review(cluster, authorization, "subjectaccessreviews", admin,
               R"({"user":"jane","resourceAttributes":{"namespace":"dev","verb":"list","resource":"pods"}})") ==
        R"({"allowed":true,"reason":"RBAC: allowed by RoleBinding \"edit/dev\" of ClusterRole \"edit\" to User )"
        R"(\"jane\""})");
  CHECK(review(cluster, authorization, "subjectaccessreviews", admin,
               R"({"groups":["system:masters"],"resourceAttributes":{"verb":"list","resource":"pods"}})") ==
        R"({"allowed":true})");
  CHECK(review(cluster, authorization, "subjectaccessreviews", admin,
               R"({"resourceAttributes":{"verb":"list","resource":"pods"}})") ==
        R"(SubjectAccessReview.authorization.k8s.io "" is invalid: spec.user: Invalid value: "": at least one of user )"
        R"(or group must be specified)");
  CHECK(review(cluster, authorization, "localsubjectaccessreviews", admin,
               R"({"user":"jane","resourceAttributes":{"namespace":"x","verb":"list","resource":"pods"}})", "dev") ==
        R"(LocalSubjectAccessReview.authorization.k8s.io "" is invalid: spec.resourceAttributes.namespace: Invalid )"
        R"(value: "x": must match metadata.namespace)");
}

TEST_CASE("self subject rules review, self subject review, token review") {
  review_cluster cluster;
  CHECK(review(cluster, authorization, "selfsubjectrulesreviews", user("joe"), R"({"namespace":"dev"})") ==
        R"({"resourceRules":[{"verbs":["create"],"apiGroups":["authorization.k8s.io"],"resources":)"
        R"(["selfsubjectaccessreviews","selfsubjectrulesreviews"]},{"verbs":["create"],"apiGroups":)"
        R"(["authentication.k8s.io"],"resources":["selfsubjectreviews"]},{"verbs":["get"],"apiGroups":[""],)"
        R"("resources":["secrets"],"resourceNames":["s"]}],"nonResourceRules":[{"verbs":["get"],"nonResourceURLs":)"
        R"(["/api","/api/*","/apis","/apis/*","/healthz","/livez","/openapi","/openapi/*","/readyz","/version",)"
        R"("/version/"]},{"verbs":["get"],"nonResourceURLs":["/healthz","/livez","/readyz","/version","/version/"]}],)"
        R"("incomplete":false})");
  CHECK(review(cluster, authorization, "selfsubjectrulesreviews", user("joe"), "{}") == "no namespace on request");
  auto who = std::make_shared<const user_info>(user_info{"joe", "u", {"g"}, {{"k", {"v"}}}});
  CHECK(review(cluster, "authentication.k8s.io", "selfsubjectreviews", who, "{}") ==
        R"({"userInfo":{"username":"joe","uid":"u","groups":["g"],"extra":{"k":["v"]}}})");
  CHECK(review(cluster, "authentication.k8s.io", "tokenreviews", who, R"({"token":"t"})") ==
        R"({"user":{},"error":"invalid bearer token"})");
  CHECK_FALSE(is_review(schema::find_resource("", "v1", "pods")));
}

TEST_CASE("nobody grants more than they hold") {
  review_cluster cluster;
  cluster.put(binding("dev", "admin", "ClusterRole", "admin", R"([{"kind":"User","name":"ada"}])"));
  authorizer judge(cluster);
  auto check = [&](user_ptr who, const char* plural, std::string space, const std::string& json) {
    request_context context = context_for(request_verb::create, "rbac.authorization.k8s.io", plural, std::move(space));
    context.user = std::move(who);
    auto doc = document::parse(json);
    REQUIRE(doc);
    return check_escalation(judge, context, nullptr, doc->root()).message;
  };
  std::string pods = R"([{"verbs":["get","list"],"apiGroups":[""],"resources":["pods"]}])";
  std::string nodes = R"([{"verbs":["get","list"],"apiGroups":[""],"resources":["nodes","pods"]}])";
  CHECK(check(user("ada"), "roles", "dev", role("Role", "dev", "r", pods)).empty());
  CHECK(check(user("ada"), "roles", "dev", role("Role", "dev", "r", nodes)) ==
        "roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"ada\" (groups=[\"system:authenticated\"]) is "
        "attempting to grant RBAC permissions not currently held:\n"
        "{APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"get\" \"list\"]}");
  CHECK(check(user("root", {"system:masters"}), "clusterroles", "", role("ClusterRole", "", "r", nodes)).empty());
  CHECK(check(user("ada"), "rolebindings", "dev", binding("dev", "b", "ClusterRole", "view", "[]")).empty());
  std::string refused =
      check(user("ada"), "rolebindings", "dev", binding("dev", "b", "ClusterRole", "cluster-admin", "[]"));
  CHECK(
      refused ==
      "rolebindings.rbac.authorization.k8s.io \"b\" is forbidden: user \"ada\" (groups=[\"system:authenticated\"]) is "
      "attempting to grant RBAC permissions not currently held:\n"
      "{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}\n{NonResourceURLs:[\"*\"], Verbs:[\"*\"]}");
  CHECK(check(user("ada"), "rolebindings", "dev", binding("dev", "b", "ClusterRole", "nope", "[]")) ==
        R"(clusterroles.rbac.authorization.k8s.io "nope" not found)");
  cluster.put(role("ClusterRole", "", "escalator",
                   R"([{"verbs":["escalate","bind"],"apiGroups":["rbac.authorization.k8s.io"],"resources":["*"]}])"));
  cluster.put(binding("dev", "e", "ClusterRole", "escalator", R"([{"kind":"User","name":"eve"}])"));
  CHECK(check(user("eve"), "roles", "dev", role("Role", "dev", "r", nodes)).empty());
  CHECK(check(user("eve"), "rolebindings", "dev", binding("dev", "b", "ClusterRole", "cluster-admin", "[]")).empty());
}
