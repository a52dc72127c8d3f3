// Discovery documents, version and health.
#include <doctest/doctest.h>

#include <string>

#include "actors/api_server/discovery/discovery.hpp"
#include "messages/document.hpp"

using namespace troupe;
using namespace troupe::api;

namespace {

const std::vector<health_check> healthy{
    {"ping", true, true}, {"etcd", true, true}, {"poststarthook/rbac", true, false}};

nonresource_answer get(std::string_view path, std::string_view accept = "application/json", std::string_view query = {},
                       const std::vector<health_check>& health = healthy, std::string_view etag = {}) {
  return answer_nonresource({path, query, accept, etag, health, "127.0.0.1:6443"});
}
std::string text(std::string_view path, std::string_view query = {},
                 const std::vector<health_check>& health = healthy) {
  return std::string(get(path, "*/*", query, health).body.view());
}
document parsed(const nonresource_answer& answer) {
  auto doc = document::parse(answer.body.view());
  REQUIRE_MESSAGE(doc, doc.error().message);
  return std::move(*doc);
}
bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

constexpr std::string_view aggregated =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;"
    "v=v2beta1;as=APIGroupDiscoveryList,application/json";

}  // namespace

TEST_CASE("legacy discovery") {
  CHECK(text("/api") ==
        R"({"kind":"APIVersions","versions":["v1"],"serverAddressByClientCIDRs":[{"clientCIDR":"0.0.0.0/0",)"
        R"("serverAddress":"127.0.0.1:6443"}]})");
  CHECK(text("/apis/apps") ==
        R"({"kind":"APIGroup","apiVersion":"v1","name":"apps","versions":[{"groupVersion":"apps/v1","version":"v1"}],)"
        R"("preferredVersion":{"groupVersion":"apps/v1","version":"v1"}})");
  std::string groups = text("/apis");
  CHECK(groups.starts_with(R"({"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"apiregistration.k8s.io",)"));
  CHECK(contains(groups, R"({"name":"autoscaling","versions":[{"groupVersion":"autoscaling/v2","version":"v2"},)"
                         R"({"groupVersion":"autoscaling/v1","version":"v1"}],"preferredVersion":)"
                         R"({"groupVersion":"autoscaling/v2","version":"v2"}})"));
  CHECK_FALSE(contains(groups, "metrics.k8s.io"));
  std::string core = text("/api/v1");
  CHECK(core.starts_with(R"({"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"bindings",)"
                         R"("singularName":"binding","namespaced":true,"kind":"Binding","verbs":["create"]},)"));
  CHECK(contains(core, R"({"name":"pods","singularName":"pod","namespaced":true,"kind":"Pod","verbs":["create",)"
                       R"("delete","deletecollection","get","list","patch","update","watch"],"shortNames":["po"],)"
                       R"("categories":["all"],"storageVersionHash":"xPOwRZ+Yhw8="},{"name":"pods/attach",)"));
  CHECK(contains(core, R"({"name":"pods/eviction","singularName":"","namespaced":true,"group":"policy","version":"v1",)"
                       R"("kind":"Eviction","verbs":["create"]})"));
  CHECK(contains(text("/apis/apps/v1"),
                 R"({"name":"deployments/scale","singularName":"","namespaced":true,"group":"autoscaling",)"
                 R"("version":"v1","kind":"Scale","verbs":["get","patch","update"]})"));
  CHECK(get("/apis/nope").code == 404);
  CHECK(get("/apis/apps/v2").code == 404);
  CHECK(get("/api/v2").code == 404);
  CHECK(get("/apis/").code == 200);
}

TEST_CASE("aggregated discovery with its entity tag") {
  nonresource_answer apis = get("/apis", aggregated);
  CHECK(apis.content_type == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
  CHECK(apis.body.view().starts_with(R"({"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2",)"
                                     R"("metadata":{},"items":[{"metadata":{"name":"apiregistration.k8s.io"},)"));
  CHECK(contains(
      apis.body.view(),
      R"({"resource":"deployments","responseKind":{"group":"apps","version":"v1","kind":"Deployment"},"scope":)"
      R"("Namespaced","singularResource":"deployment","verbs":["create","delete","deletecollection","get","list",)"
      R"("patch","update","watch"],"shortNames":["deploy"],"categories":["all"],"subresources":[{"subresource":)"
      R"("scale","responseKind":{"group":"autoscaling","version":"v1","kind":"Scale"},"verbs":["get","patch",)"
      R"("update"]},{"subresource":"status","responseKind":{"group":"apps","version":"v1","kind":"Deployment"},)"
      R"("verbs":["get","patch","update"]}]})"));
  REQUIRE(apis.headers.size() == 3);
  CHECK(apis.headers[0].first == "etag");
  nonresource_answer same = get("/apis", aggregated, {}, healthy, apis.headers[0].second);
  CHECK(same.code == 304);
  CHECK(same.body.empty());
  nonresource_answer core = get("/api", "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList");
  CHECK(core.body.view().starts_with(R"({"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2beta1",)"
                                     R"("metadata":{},"items":[{"metadata":{},"versions":[{"version":"v1",)"));
  CHECK(get("/apis", "application/json").content_type == "application/json");
}

TEST_CASE("version and root") {
  document version = parsed(get("/version"));
  CHECK(version.root().find("major")->string() == "1");
  CHECK(version.root().find("minor")->string() == "36");
  CHECK(version.root().find("gitVersion")->string().starts_with("v1.36.4+troupe"));
  std::string paths = text("/");
  CHECK(paths.starts_with("{\n  \"paths\": [\n    \"/api\",\n    \"/api/v1\",\n    \"/apis\",\n    \"/apis/\",\n"));
  CHECK(contains(paths, "\n    \"/readyz/etcd\""));
  CHECK_FALSE(contains(paths, "\"/livez/poststarthook/rbac\""));
  CHECK(get("/nope").code == 404);
}

TEST_CASE("health") {
  CHECK(text("/healthz") == "ok");
  CHECK(get("/readyz").content_type == "text/plain; charset=utf-8");
  CHECK(text("/livez", "verbose") == "[+]ping ok\n[+]etcd ok\nlivez check passed\n");
  CHECK(text("/readyz", "verbose&exclude=etcd&exclude=x") ==
        "[+]ping ok\n[+]etcd excluded: ok\n[+]poststarthook/rbac ok\n"
        "warn: some health checks cannot be excluded: no matches for \"x\"\nreadyz check passed\n");
  CHECK(text("/readyz/poststarthook/rbac") == "ok");
  CHECK(get("/livez/poststarthook/rbac").code == 404);
  CHECK(get("/readyz/none").code == 404);
  CHECK(get("/healthzz").code == 404);
  std::vector<health_check> ill{{"ping", true, true}, {"etcd", false, true}};
  nonresource_answer failed = get("/readyz", "*/*", {}, ill);
  CHECK(failed.code == 500);
  CHECK(failed.body.view() == "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n");
  CHECK(get("/readyz/etcd", "*/*", {}, ill).code == 500);
  CHECK(text("/readyz", "exclude=etcd", ill) == "ok");
}
