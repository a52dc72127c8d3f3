// Tables, partial metadata and the lines of watches.
#include <doctest/doctest.h>

#include "tests/unit/api_server_printers/fixture.hpp"

using namespace troupe;
using namespace troupe::api;

namespace {

object_ptr config_map() {
  return object_from(R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"c","namespace":"ns","uid":"u",)"
                     R"("creationTimestamp":"2026-01-01T23:59:00Z","annotations":{"x":"}\"{"}},"data":{"a":"b"}})",
                     7);
}

constexpr const char* metadata =
    R"({"name":"c","namespace":"ns","uid":"u","resourceVersion":"7","creationTimestamp":"2026-01-01T23:59:00Z",)"
    R"("annotations":{"x":"}\"{"}})";

std::string partial() {
  return R"({"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":)" + std::string(metadata) + "}";
}

std::string columns() {
  std::string out;
  for (const auto& column : schema::resources()[schema::find_resource("", "v1", "configmaps")].columns)
    out += std::string(out.empty() ? "" : ",") + R"({"name":")" + std::string(column.name) + R"(","type":")" +
           std::string(column.type) + R"(","format":")" + std::string(column.format) +
           R"(","description":"","priority":0})";
  return "[" + out + "]";
}

std::string table(table_objects include, bool headers, list_meta meta = {9, {}, -1}) {
  std::vector<object_ptr> objects{config_map()};
  std::string out;
  append_table(out, objects[0]->resource, objects, include, headers, meta, test_now_ms);
  return out;
}

std::string event(const watch_event& what, watch_format format, bool first = true) {
  std::string out;
  append_watch_event(out, schema::find_resource("", "v1", "configmaps"), what, format, table_objects::metadata, first,
                     test_now_ms);
  return out;
}

}  // namespace

TEST_CASE("a whole table") {
  CHECK(table(table_objects::metadata, true, {9, "tok", 3}) ==
        R"({"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"9","continue":"tok",)"
        R"("remainingItemCount":3},"columnDefinitions":)" +
            columns() + R"(,"rows":[{"cells":["c",1,"60s"],"object":)" + partial() + "}]}");
  CHECK(table(table_objects::none, false) ==
        R"({"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"9"},"columnDefinitions":null,)"
        R"("rows":[{"cells":["c",1,"60s"],"object":null}]})");
  CHECK(table(table_objects::object, false).ends_with(R"("object":)" + std::string(config_map()->json.view()) + "}]}"));
}

TEST_CASE("finished pods are marked") {
  std::vector<object_ptr> pods{object_from(
      R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"n","uid":"u"},"status":{"phase":)"
      R"("Succeeded"}})",
      3)};
  std::string out;
  append_table(out, pods[0]->resource, pods, table_objects::none, false, {}, test_now_ms);
  CHECK(out.find(R"("conditions":[{"type":"Completed","status":"True","reason":"Succeeded","message":"The pod has )"
                 R"(completed successfully."}])") != std::string::npos);
}

TEST_CASE("partial metadata") {
  std::string out;
  append_partial_metadata(out, *config_map());
  CHECK(out == partial());
  std::vector<object_ptr> objects{config_map()};
  out.clear();
  append_partial_metadata_list(out, objects, {9, {}, -1});
  CHECK(out == R"({"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":)"
               R"("9"},"items":[)" +
                   partial() + "]}");
}

TEST_CASE("watch lines in every format") {
  watch_event added{event_type::added, config_map(), 7, false};
  CHECK(event(added, watch_format::json) ==
        R"({"type":"ADDED","object":)" + std::string(config_map()->json.view()) + "}\n");
  CHECK(event(added, watch_format::partial_metadata) == R"({"type":"ADDED","object":)" + partial() + "}\n");
  CHECK(
      event({event_type::deleted, config_map(), 8, false}, watch_format::table, false) ==
      R"({"type":"DELETED","object":{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"8"},)"
      R"("columnDefinitions":null,"rows":[{"cells":["c",1,"60s"],"object":)" +
          partial() + "}]}}\n");
  CHECK(event(added, watch_format::table, true).find(columns()) != std::string::npos);
  watch_event end{event_type::bookmark, nullptr, 12, true};
  CHECK(event(end, watch_format::json) ==
        R"({"type":"BOOKMARK","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"12",)"
        R"("annotations":{"k8s.io/initial-events-end":"true"}}}})"
        "\n");
  CHECK(event({event_type::bookmark, nullptr, 13, false}, watch_format::partial_metadata) ==
        R"({"type":"BOOKMARK","object":{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":)"
        R"({"resourceVersion":"13"}}})"
        "\n");
  std::string error;
  append_watch_error(error, make_status(reason::expired, "too old resource version: 1 (5)"));
  CHECK(error == R"({"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",)"
                 R"x("message":"too old resource version: 1 (5)","reason":"Expired","code":410}})x"
                 "\n");
}
