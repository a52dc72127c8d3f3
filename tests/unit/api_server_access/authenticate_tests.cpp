// Who a request comes from, and impersonation.
#include <doctest/doctest.h>

#include "tests/unit/api_server_access/fixture.hpp"

using namespace troupe;
using namespace troupe::api;

namespace {

using headers = std::vector<std::pair<std::string, std::string>>;

request request_by(user_ptr who, headers with = {}) {
  request out;
  out.user = std::move(who);
  out.headers = std::move(with);
  return out;
}

std::vector<std::string> groups(std::initializer_list<const char*> names) { return {names.begin(), names.end()}; }

}  // namespace

TEST_CASE("certificates, anonymous and tokens") {
  fake_cluster cluster;
  authorizer judge(cluster);
  request_context context;
  CHECK(authenticate(request_by(user("jane", {"dev"})), judge, context).ok());
  CHECK(context.user->name == "jane");
  CHECK(context.user->groups == groups({"dev", "system:authenticated"}));
  auto again = user("jane", {"dev"});
  CHECK(authenticate(request_by(again), judge, context).ok());
  user_ptr first = context.user;
  CHECK(authenticate(request_by(again), judge, context).ok());
  CHECK(context.user == first);  // completed once a user
  CHECK(authenticate(request_by(nullptr), judge, context).ok());
  CHECK(context.user->name == "system:anonymous");
  CHECK(context.user->groups == groups({"system:unauthenticated"}));
  status refused = authenticate(request_by(nullptr, {{"authorization", "Bearer abc"}}), judge, context);
  CHECK(refused.code == 401);
  CHECK(to_json(refused) == R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",)"
                            R"("message":"Unauthorized","reason":"Unauthorized","code":401})");
  CHECK(authenticate(request_by(nullptr, {{"authorization", "Bearer "}}), judge, context).ok());
  CHECK(authenticate(request_by(nullptr, {{"authorization", "Basic abc"}}), judge, context).ok());
  request bad = request_by(nullptr);
  bad.auth_error = "x509: certificate signed by unknown authority";
  CHECK(authenticate(bad, judge, context).code == 401);
}

TEST_CASE("bootstrap tokens") {
  constexpr std::int64_t now_ms = 1'800'000'000'000;  // 2027-01-15T08:00:00Z
  // token-secret 0123456789abcdef, groups system:bootstrappers:kubeadm:default-node-token
  auto secret = [](const std::string& more, const std::string& type = "bootstrap.kubernetes.io/token") {
    return R"({"kind":"Secret","apiVersion":"v1","metadata":{"name":"bootstrap-token-abcdef","namespace":"kube-system"},)"
           R"("data":{"token-id":"YWJjZGVm","token-secret":"MDEyMzQ1Njc4OWFiY2RlZg==")" +
           more + R"(},"type":")" + type + R"("})";
  };
  const std::string allowed = R"(,"usage-bootstrap-authentication":"dHJ1ZQ==")";
  const std::string extra =
      R"(,"auth-extra-groups":"c3lzdGVtOmJvb3RzdHJhcHBlcnM6a3ViZWFkbTpkZWZhdWx0LW5vZGUtdG9rZW4=")";
  request_context context;
  context.now_ms = now_ms;
  auto code = [&](const std::string& stored, const std::string& token) {
    fake_cluster cluster;
    if (!stored.empty()) cluster.put(stored);
    authorizer judge(cluster);
    return authenticate(request_by(nullptr, {{"authorization", "Bearer " + token}}), judge, context).code;
  };
  const std::string good = "abcdef.0123456789abcdef";
  CHECK(code(secret(allowed), good) == 0);
  CHECK(context.user->name == "system:bootstrap:abcdef");
  CHECK(context.user->groups == groups({"system:bootstrappers", "system:authenticated"}));
  CHECK(code(secret(allowed + extra), good) == 0);
  CHECK(context.user->groups ==
        groups({"system:bootstrappers", "system:bootstrappers:kubeadm:default-node-token", "system:authenticated"}));
  CHECK(code({}, good) == 401);
  CHECK(code(secret(allowed), "abcdef.0123456789abcdee") == 401);
  CHECK(code(secret(allowed), "abcdef.0123456789abcdef0") == 401);
  CHECK(code(secret(allowed), "abcdeg.0123456789abcdef") == 401);
  CHECK(code(secret(allowed), "ABCDEF.0123456789abcdef") == 401);
  CHECK(code(secret(""), good) == 401);
  CHECK(code(secret(allowed, "Opaque"), good) == 401);
  // 2027-01-15T07:59:59Z, 2027-01-15T09:00:01+01:00 (the same second in UTC + 2), nonsense
  CHECK(code(secret(allowed + R"(,"expiration":"MjAyNy0wMS0xNVQwNzo1OTo1OVo=")"), good) == 401);
  CHECK(code(secret(allowed + R"(,"expiration":"MjAyNy0wMS0xNVQwOTowMDowMSswMTowMA==")"), good) == 0);
  CHECK(code(secret(allowed + R"(,"expiration":"eA==")"), good) == 401);
  // system:masters is no group of bootstrappers
  CHECK(code(secret(allowed + R"(,"auth-extra-groups":"c3lzdGVtOm1hc3RlcnM=")"), good) == 401);
}

TEST_CASE("impersonation of users, groups, service accounts, extra and uid by an admin") {
  fake_cluster cluster;
  authorizer judge(cluster);
  auto admin = user("kubernetes-admin", {"system:masters"});
  request_context context;
  CHECK(authenticate(request_by(admin, {{"impersonate-user", "bob"}}), judge, context).ok());
  CHECK(context.user->name == "bob");
  CHECK(context.user->groups == groups({"system:authenticated"}));
  CHECK(context.real_user->name == "kubernetes-admin");
  CHECK(authenticate(request_by(admin, {{"impersonate-user", "bob"},
                                        {"impersonate-group", "dev"},
                                        {"impersonate-group", "ops"},
                                        {"impersonate-uid", "u-1"},
                                        {"impersonate-extra-acme.com%2fproject", "p1"},
                                        {"impersonate-extra-acme.com%2fproject", "p2"}}),
                     judge, context)
            .ok());
  CHECK(context.user->groups == groups({"dev", "ops", "system:authenticated"}));
  CHECK(context.user->uid == "u-1");
  REQUIRE(context.user->extra.size() == 1);
  CHECK(context.user->extra[0].first == "acme.com/project");
  CHECK(context.user->extra[0].second == groups({"p1", "p2"}));
  CHECK(authenticate(request_by(admin, {{"impersonate-user", "system:serviceaccount:ns:sa"}}), judge, context).ok());
  CHECK(context.user->groups ==
        groups({"system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"}));
  CHECK(authenticate(request_by(admin, {{"impersonate-user", "system:anonymous"}}), judge, context).ok());
  CHECK(context.user->groups == groups({"system:unauthenticated"}));
}

TEST_CASE("impersonation is judged part by part") {
  fake_cluster cluster;
  cluster.put(role("ClusterRole", "", "r",
                   R"([{"verbs":["impersonate"],"apiGroups":[""],"resources":["users"],"resourceNames":["bob"]}])"));
  cluster.put(binding("", "b", "ClusterRole", "r", R"([{"kind":"User","name":"alice"}])"));
  authorizer judge(cluster);
  request_context context;
  context.path = "/api/v1/pods";
  auto try_as = [&](headers with) { return authenticate(request_by(user("alice"), std::move(with)), judge, context); };
  CHECK(try_as({{"impersonate-user", "bob"}}).ok());
  CHECK(try_as({{"impersonate-user", "carol"}}).message ==
        R"(users "carol" is forbidden: User "alice" cannot impersonate resource "users" in API group "" at the )"
        R"(cluster scope)");
  CHECK(try_as({{"impersonate-user", "bob"}, {"impersonate-group", "system:masters"}}).message ==
        R"(groups "system:masters" is forbidden: User "alice" cannot impersonate resource "groups" in API group "" at )"
        R"(the cluster scope)");
  CHECK(try_as({{"impersonate-user", "system:serviceaccount:ns:sa"}}).message ==
        R"(serviceaccounts "sa" is forbidden: User "alice" cannot impersonate resource "serviceaccounts" in API group )"
        R"("" in the namespace "ns")");
  CHECK(try_as({{"impersonate-user", "bob"}, {"impersonate-extra-scopes", "view"}}).message ==
        R"(userextras.authentication.k8s.io "view" is forbidden: User "alice" cannot impersonate resource )"
        R"("userextras/scopes" in API group "authentication.k8s.io" at the cluster scope)");
  CHECK(try_as({{"impersonate-user", "bob"}, {"impersonate-uid", "7"}}).message ==
        R"(uids.authentication.k8s.io "7" is forbidden: User "alice" cannot impersonate resource "uids" in API group )"
        R"("authentication.k8s.io" at the cluster scope)");
  status lone = try_as({{"impersonate-group", "dev"}});
  CHECK(lone.code == 500);
  CHECK(lone.message == R"(Internal Server Error: "/api/v1/pods": requested [{Group  dev    }] without impersonating )"
                        R"(a user)");
}
