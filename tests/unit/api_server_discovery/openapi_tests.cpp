// OpenAPI documents generated from the schema table.
#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "actors/api_server/discovery/discovery.hpp"
#include "actors/api_server/discovery/openapi.hpp"
#include "messages/document.hpp"

using namespace troupe;
using namespace troupe::api;

namespace {

const std::vector<health_check> no_checks;

nonresource_answer fetch(std::string_view path, std::string_view query = {},
                         std::string_view accept = "application/json", std::string_view etag = {}) {
  return answer_nonresource({path, query, accept, etag, no_checks});
}
document parsed(std::string_view json) {
  auto doc = document::parse(json);
  REQUIRE_MESSAGE(doc, doc.error().message);
  return std::move(*doc);
}

/// Calls f with every "$ref" below the node.
void each_reference(const node& at, const std::function<void(std::string_view)>& f) {
  if (at.is_array())
    for (std::size_t i = 0; i < at.size(); ++i) each_reference(at.element(i), f);
  if (!at.is_object()) return;
  for (const member* m = at.begin_members(); m != at.end_members(); ++m) {
    if (m->key == "$ref" && m->value.is_string())
      f(m->value.string());
    else
      each_reference(m->value, f);
  }
}

bool names_parameter(const node* list, std::string_view name) {
  for (std::size_t i = 0; list && i < list->size(); ++i)
    if (list->element(i).find("name")->string() == name) return true;
  return false;
}

}  // namespace

TEST_CASE("the v3 index leads to documents by hash") {
  document index = parsed(fetch("/openapi/v3").body.view());
  const node* apps = index.root().find("paths", "apis/apps/v1", "serverRelativeURL");
  REQUIRE(apps);
  std::string url(apps->string());
  auto mark = url.find('?');
  REQUIRE(mark != std::string::npos);
  nonresource_answer exact = fetch(url.substr(0, mark), url.substr(mark + 1));
  CHECK(exact.code == 200);
  nonresource_answer stale = fetch("/openapi/v3/apis/apps/v1", "hash=0");
  CHECK(stale.code == 301);
  CHECK(stale.headers[0].second == url);
  CHECK(fetch("/openapi/v3/apis/apps/v1", {}, "application/json", exact.headers[0].second).code == 304);
  CHECK(fetch("/openapi/v3/apis/nope/v1").code == 404);
  CHECK(index.root().find("paths", "api/v1") != nullptr);
  CHECK(index.root().find("paths", "apis/metrics.k8s.io/v1beta1") == nullptr);
}

TEST_CASE("schemas of core/v1 say what kubectl needs") {
  document core = parsed(openapi_v3_document("", "v1"));
  const node* schemas = core.root().find("components", "schemas");
  REQUIRE(schemas);
  const node* pod = schemas->find("io.k8s.api.core.v1.Pod");
  REQUIRE(pod);
  CHECK(to_json(*pod->find("x-kubernetes-group-version-kind")) == R"([{"group":"","kind":"Pod","version":"v1"}])");
  CHECK(to_json(*pod->find("properties", "spec")) ==
        R"({"default":{},"allOf":[{"$ref":"#/components/schemas/io.k8s.api.core.v1.PodSpec"}]})");
  const node* spec = schemas->find("io.k8s.api.core.v1.PodSpec", "properties");
  CHECK(
      to_json(*spec->find("containers")) ==
      R"({"type":"array","items":{"default":{},"allOf":[{"$ref":)"
      R"("#/components/schemas/io.k8s.api.core.v1.Container"}]},"x-kubernetes-list-map-keys":["name"],)"
      R"("x-kubernetes-list-type":"map","x-kubernetes-patch-merge-key":"name","x-kubernetes-patch-strategy":"merge"})");
  CHECK(to_json(*schemas->find("io.k8s.api.core.v1.PodSpec", "required")) == R"(["containers"])");
  CHECK(to_json(*schemas->find("io.k8s.api.core.v1.Container", "properties", "name")) ==
        R"({"default":"","type":"string"})");
  CHECK(to_json(*schemas->find("io.k8s.api.core.v1.ContainerPort", "properties", "containerPort")) ==
        R"({"default":0,"type":"integer","format":"int32"})");
  CHECK(to_json(*schemas->find("io.k8s.apimachinery.pkg.util.intstr.IntOrString")) ==
        R"({"format":"int-or-string","oneOf":[{"type":"integer"},{"type":"string"}]})");
  CHECK(to_json(*spec->find("volumes", "x-kubernetes-patch-strategy")) == R"("merge,retainKeys")");
}

TEST_CASE("every reference of every document resolves") {
  document index = parsed(fetch("/openapi/v3").body.view());
  const node* paths = index.root().find("paths");
  for (const member* m = paths->begin_members(); m != paths->end_members(); ++m) {
    document doc = parsed(fetch("/openapi/v3/" + std::string(m->key)).body.view());
    const node* schemas = doc.root().find("components", "schemas");
    each_reference(doc.root(), [&](std::string_view reference) {
      constexpr std::string_view prefix = "#/components/schemas/";
      REQUIRE(reference.starts_with(prefix));
      CHECK_MESSAGE(schemas->find(reference.substr(prefix.size())), std::string(reference));
    });
  }
  document v2 = parsed(openapi_v2_document());
  each_reference(v2.root(), [&](std::string_view reference) {
    constexpr std::string_view prefix = "#/definitions/";
    REQUIRE(reference.starts_with(prefix));
    CHECK_MESSAGE(v2.root().find("definitions", reference.substr(prefix.size())), std::string(reference));
  });
}

TEST_CASE("paths carry the operations and parameters that clients look for") {
  document apps = parsed(openapi_v3_document("apps", "v1"));
  const node* item = apps.root().find("paths", "/apis/apps/v1/namespaces/{namespace}/deployments/{name}");
  REQUIRE(item);
  const node* patch = item->find("patch");
  REQUIRE(patch);
  CHECK(to_json(*patch->find("x-kubernetes-group-version-kind")) ==
        R"({"group":"apps","kind":"Deployment","version":"v1"})");
  for (const char* name : {"dryRun", "fieldValidation", "fieldManager", "force"})
    CHECK(names_parameter(patch->find("parameters"), name));
  CHECK(names_parameter(item->find("parameters"), "namespace"));
  CHECK(patch->find("operationId")->string() == "patchAppsV1NamespacedDeployment");
  const node* all = apps.root().find("paths", "/apis/apps/v1/deployments", "get");
  REQUIRE(all);
  CHECK(all->find("operationId")->string() == "listAppsV1DeploymentForAllNamespaces");
  const node* scale = apps.root().find("paths", "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale", "get");
  REQUIRE(scale);
  CHECK(to_json(*scale->find("x-kubernetes-group-version-kind")) ==
        R"({"group":"autoscaling","kind":"Scale","version":"v1"})");
  CHECK(scale->find("operationId")->string() == "readAppsV1NamespacedDeploymentScale");
}

TEST_CASE("v2 is JSON only") {
  nonresource_answer binary = fetch("/openapi/v2", {}, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf");
  CHECK(binary.code == 200);
  CHECK(binary.content_type == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
  // Document.swagger, then info.title: field 1 and field 2, lengths first.
  CHECK(
      binary.body.view().starts_with(std::string_view("\x0a\x03"
                                                      "2.0\x12",
                                                      6)));
  CHECK(binary.body.view().find("io.k8s.api.core.v1.ConfigMap") != std::string_view::npos);
  CHECK(fetch("/openapi/v2", {}, "application/xml").code == 406);
  nonresource_answer answer = fetch("/openapi/v2");
  CHECK(answer.code == 200);
  document v2 = parsed(answer.body.view());
  CHECK(v2.root().find("swagger")->string() == "2.0");
  CHECK(to_json(*v2.root().find("definitions", "io.k8s.api.core.v1.Pod", "properties", "spec")) ==
        R"({"$ref":"#/definitions/io.k8s.api.core.v1.PodSpec"})");
}
