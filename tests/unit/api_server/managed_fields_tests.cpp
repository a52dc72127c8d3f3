// managedFields: what a create owns, how ownership moves, and that a change without effect keeps its time.
#include <doctest/doctest.h>

#include "actors/api_server/registry/managed_fields.hpp"
#include "messages/schema/codec.hpp"
#include "messages/schema/schema.hpp"

using namespace troupe;
using namespace troupe::api;

namespace {

const auto pod_type = schema::find_type("core/v1.Pod");

document parse(const std::string& json) {
  auto parsed = document::parse(json);
  REQUIRE(parsed.ok());
  schema::conform_report report;
  REQUIRE(schema::conform(*parsed, parsed->root(), pod_type, report).ok());
  return std::move(*parsed);
}

/// What the store would hold.
document stored(document& doc) {
  std::string text;
  schema::encode(text, doc.root(), pod_type);
  auto parsed = document::parse(text);
  REQUIRE(parsed.ok());
  return std::move(*parsed);
}

std::string fields_of(const document& doc, std::string_view manager) {
  auto* list = doc.root().find("metadata", "managedFields");
  for (std::size_t i = 0; list && i < list->size(); ++i)
    if (list->element(i).find("manager")->string() == manager) return to_json(*list->element(i).find("fieldsV1"));
  return {};
}

const std::string base = R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","uid":"u","labels":{"app":"web"},
  "finalizers":["f"]},"spec":{"containers":[{"name":"c","image":"i","ports":[{"containerPort":80,"protocol":"TCP"}],
  "args":["x"]}],"restartPolicy":"Always"},"status":{}})";

}  // namespace

TEST_CASE("a create owns what it sets, in FieldsV1's form") {
  auto doc = parse(base);
  track_fields(nullptr, doc, pod_type, {"kubectl", "v1", "", "2026-01-01T00:00:00Z"});
  auto fields = fields_of(doc, "kubectl");
  CHECK(
      fields ==
      R"({"f:metadata":{"f:finalizers":{".":{},"v:\"f\"":{}},"f:labels":{".":{},"f:app":{}}},)"
      R"("f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:args":{},"f:image":{},"f:name":{},"f:ports":{".":{},)"
      R"("k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{},"f:protocol":{}}}}},)"
      R"("f:restartPolicy":{}}})");
  auto* entry = &doc.root().find("metadata", "managedFields")->element(0);
  CHECK(entry->find("operation")->string() == "Update");
  CHECK(entry->find("fieldsType")->string() == "FieldsV1");
}

TEST_CASE("ownership moves to whoever changes a field, and goes with it") {
  auto first = parse(base);
  track_fields(nullptr, first, pod_type, {"a", "v1", "", "2026-01-01T00:00:00Z"});
  auto before = stored(first);
  auto next = stored(first);
  next.set(next.root().find("spec", "containers")->element(0), "image", "j");
  next.remove(*next.root().find("metadata"), "labels");
  track_fields(&before.root(), next, pod_type, {"b", "v1", "", "2026-01-02T00:00:00Z"});
  CHECK(fields_of(next, "b") == R"({"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{"f:image":{}}}}})");
  auto a = fields_of(next, "a");
  CHECK(a.find("f:image") == std::string::npos);
  CHECK(a.find("f:labels") == std::string::npos);
  CHECK(a.find("f:args") != std::string::npos);
}

TEST_CASE("a change without effect keeps entries and times; status is an entry of its own") {
  auto first = parse(base);
  track_fields(nullptr, first, pod_type, {"a", "v1", "", "2026-01-01T00:00:00Z"});
  auto before = stored(first);
  auto same = stored(first);
  same.remove(*same.root().find("metadata"), "managedFields");
  track_fields(&before.root(), same, pod_type, {"a", "v1", "", "2026-02-02T00:00:00Z"});
  CHECK(equal(*same.root().find("metadata", "managedFields"), *before.root().find("metadata", "managedFields")));

  auto running = stored(first);
  running.set(*running.root().find("status"), "phase", "Running");
  track_fields(&before.root(), running, pod_type, {"a", "v1", "status", "2026-02-02T00:00:00Z"});
  auto* list = running.root().find("metadata", "managedFields");
  REQUIRE(list->size() == 2);
  CHECK(list->element(1).find("subresource")->string() == "status");
  CHECK(to_json(*list->element(1).find("fieldsV1")) == R"({"f:status":{"f:phase":{}}})");
}

TEST_CASE("a reset and an object that was never tracked") {
  auto first = parse(base);
  track_fields(nullptr, first, pod_type, {"a", "v1", "", "2026-01-01T00:00:00Z"});
  auto before = stored(first);
  auto reset = stored(first);
  auto& list = reset.set(*reset.root().find("metadata"), "managedFields");
  reset.clear(list);
  reset.make_object(reset.append(list));
  track_fields(&before.root(), reset, pod_type, {"b", "v1", "", "2026-01-02T00:00:00Z"});
  CHECK(reset.root().find("metadata", "managedFields") == nullptr);
  auto untracked = stored(reset);
  auto changed = stored(reset);
  changed.set(*changed.root().find("spec"), "nodeName", "n");
  track_fields(&untracked.root(), changed, pod_type, {"b", "v1", "", "2026-01-03T00:00:00Z"});
  CHECK(changed.root().find("metadata", "managedFields") == nullptr);
}
