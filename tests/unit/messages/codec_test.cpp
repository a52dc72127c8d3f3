// conform and encode: what the golden rows do not show.
#include <doctest/doctest.h>

#include "messages/schema/codec.hpp"
#include "messages/schema/scalars.hpp"

using namespace troupe;
using namespace troupe::schema;

namespace {

struct outcome {
  std::string json;
  status error;
  conform_report report;
};

outcome conformed(std::string_view type, std::string_view json, bool skip_resource_version = true) {
  outcome out;
  auto doc = document::parse(json);
  REQUIRE(doc);
  const std::uint16_t index = find_type(type);
  out.error = conform(*doc, doc->root(), index, out.report);
  if (out.error.ok()) encode(out.json, doc->root(), index, skip_resource_version);
  return out;
}

std::string time_of(std::string_view text, time_format format = time_format::seconds) {
  const auto read = normal_time(text, format);
  return !read.ok ? read.error : read.same ? std::string(text) : read.text;
}

}  // namespace

TEST_CASE("a decoding error names the kind, the version and the field") {
  const auto wrong =
      conformed("core/v1.Pod", R"({"spec":{"containers":[{"name":"a","ports":[{"containerPort":"http"}]}]}})");
  CHECK(wrong.error.code == 400);
  CHECK(wrong.error.message ==
        "Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal string into Go struct field "
        "ContainerPort.spec.containers.ports.containerPort of type int32");
  CHECK(conformed("core/v1.Pod", "[]").error.message ==
        "Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal array into Go value of type v1.Pod");
}

TEST_CASE("a type's own decoder wins over earlier mismatches") {
  const auto wrong = conformed(
      "core/v1.Pod", R"({"spec":{"hostNetwork":"yes","containers":[{"resources":{"limits":{"cpu":"1x"}}}]}})");
  CHECK(wrong.error.message ==
        "Pod in version \"v1\" cannot be handled as a Pod: quantities must match the regular expression "
        "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
}

TEST_CASE("unknown and duplicate fields are reported in order, pruned, resolved") {
  const auto got =
      conformed("core/v1.Pod",
                R"({"Spec":{},"metadata":{"labels":{"b":"1","a":"2","b":"3"}},"spec":{"containers":[{"name":"x"},
                                {"name":"y","imag":"z","name":"w"}],"nodeName":"a","nodeName":"b"}})");
  CHECK(got.report.in_order ==
        std::vector<std::string>{"unknown field \"Spec\"", "duplicate field \"metadata.labels.b\"",
                                 "unknown field \"spec.containers[1].imag\"",
                                 "duplicate field \"spec.containers[1].name\"", "duplicate field \"spec.nodeName\""});
  CHECK(got.report.unknown.size() == 2);
  CHECK(got.report.duplicate.size() == 3);
  CHECK(
      got.json ==
      R"({"metadata":{"labels":{"a":"2","b":"3"}},"spec":{"containers":[{"name":"x","resources":{}},{"name":"w","resources":{}}],"nodeName":"b"},"status":{}})");
}

TEST_CASE("reports are bounded") {
  std::string json = "{";
  for (int i = 0; i < 500; ++i) json += (i ? ",\"x" : "\"x") + std::to_string(i) + "\":1";
  CHECK(conformed("core/v1.Pod", json + "}").report.in_order.size() == 100);
}

TEST_CASE("what Go always writes is written") {
  CHECK(conformed("core/v1.Pod", "{}").json == R"({"metadata":{},"spec":{"containers":null},"status":{}})");
  CHECK(
      conformed("apps/v1.Deployment", R"({"kind":"Deployment","apiVersion":"apps/v1"})").json ==
      R"({"kind":"Deployment","apiVersion":"apps/v1","metadata":{},"spec":{"selector":null,"template":{"metadata":{},"spec":{"containers":null}},"strategy":{}},"status":{}})");
  CHECK(conformed("core/v1.ConfigMap", R"({"data":{"b":null,"a":"<"},"metadata":{"creationTimestamp":null}})").json ==
        R"({"metadata":{},"data":{"a":"\u003c","b":""}})");
  CHECK(conformed("rbac/v1.ClusterRole", R"({"rules":[]})").json == R"({"metadata":{},"rules":null})");
  CHECK(conformed("core/v1.PodList", R"({"items":[]})").json == R"({"metadata":{},"items":[]})");
}

TEST_CASE("only the object's own resourceVersion is left out") {
  const std::string_view json =
      R"({"metadata":{"name":"a","resourceVersion":"7"},"template":{"metadata":{"resourceVersion":"8"}}})";
  CHECK(conformed("core/v1.PodTemplate", json).json ==
        R"({"metadata":{"name":"a"},"template":{"metadata":{"resourceVersion":"8"},"spec":{"containers":null}}})");
  CHECK(conformed("core/v1.PodTemplate", json, false).json.find(R"("resourceVersion":"7")") != std::string::npos);
}

TEST_CASE("encode brings any order into the schema's") {
  document doc;
  doc.set(doc.root(), "status");
  doc.set(doc.root(), "unknown", 1);
  node& spec = doc.set(doc.root(), "spec");
  doc.set(spec, "nodeName", "n");
  doc.set(spec, "containers");
  doc.set(doc.root(), "apiVersion", "v1");
  doc.set(doc.root(), "kind", "Pod");
  doc.set(doc.set(doc.root(), "metadata"), "labels");
  node& labels = *doc.root().find("metadata", "labels");
  doc.set(labels, "z", "1");
  doc.set(labels, "a", "2");
  std::string out;
  encode(out, doc.root(), find_type("core/v1.Pod"));
  CHECK(
      out ==
      R"({"kind":"Pod","apiVersion":"v1","metadata":{"labels":{"a":"2","z":"1"}},"spec":{"containers":null,"nodeName":"n"},"status":{}})");
}

TEST_CASE("a wrong ordinal is only a hint") {
  auto doc = document::parse(R"({"spec":{"nodeName":"n","hostname":"h"}})");
  REQUIRE(doc);
  conform_report report;
  REQUIRE(conform(*doc, doc->root(), find_type("core/v1.Pod"), report).ok());
  node& spec = *doc->root().find("spec");
  spec.begin_members()[0].value.set_ordinal(0);
  spec.begin_members()[1].value.set_ordinal(900);
  std::string out;
  encode(out, doc->root(), find_type("core/v1.Pod"));
  CHECK(out == R"({"metadata":{},"spec":{"containers":null,"nodeName":"n","hostname":"h"},"status":{}})");
}

TEST_CASE("CRD schemas take their alternatives") {
  const auto got = conformed(
      "apiextensions/v1.CustomResourceValidation",
      R"({"openAPIV3Schema":{"type":"object","additionalProperties":false,"items":{"type":"string","junk":1},"dependencies":{"a":["b"]},"default":{"b":1,"a":[1.0]}}})");
  CHECK(got.error.ok());
  CHECK(
      got.json ==
      R"({"openAPIV3Schema":{"type":"object","default":{"b":1,"a":[1.0]},"items":{"type":"string"},"additionalProperties":false,"dependencies":{"a":["b"]}}})");
  CHECK(conformed("apiextensions/v1.CustomResourceValidation", R"({"openAPIV3Schema":{"additionalProperties":1}})")
            .error.message.ends_with("boolean or JSON schema expected"));
}

TEST_CASE("base64 there and back, and up to what is none") {
  std::string bytes;
  for (int size = 0; size < 300; ++size, bytes += static_cast<char>(size * 7))
    CHECK(from_base64(to_base64(bytes)) == bytes);
  CHECK(to_base64("hello") == "aGVsbG8=");
  CHECK(from_base64("aGVs!bG8=") == "hel");
  CHECK(from_base64("").empty());
}

TEST_CASE("times as Go's time.Parse reads them") {
  CHECK(time_of("2024-02-29T23:59:59Z") == "2024-02-29T23:59:59Z");
  CHECK(time_of("2024-01-01T00:30:00.999+01:00") == "2023-12-31T23:30:00Z");
  CHECK(time_of("2024-12-31T23:00:00-02:00") == "2025-01-01T01:00:00Z");
  CHECK(time_of("0001-01-01T00:00:00Z").empty());
  CHECK(time_of("2023-02-29T00:00:00Z") == "parsing time \"2023-02-29T00:00:00Z\": day out of range");
  CHECK(time_of("2023-13-01T00:00:00Z") == "parsing time \"2023-13-01T00:00:00Z\": month out of range");
  CHECK(time_of("") == "parsing time \"\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"\" as \"2006\"");
  CHECK(time_of("2023-01-01") ==
        "parsing time \"2023-01-01\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"\" as \"T\"");
  CHECK(time_of("2024-01-01T00:00:00.1234567Z", time_format::micros).ends_with("cannot parse \"7Z\" as \"Z07:00\""));
  CHECK(time_of("2024-01-01T00:00:00Z", time_format::micros).ends_with("cannot parse \"Z\" as \".000000\""));
  CHECK(time_of("2024-01-01T00:00:00.000001+00:30", time_format::micros) == "2023-12-31T23:30:00.000001Z");
}

TEST_CASE("durations and base64") {
  auto duration = [](std::string_view text) {
    const auto read = normal_duration(text);
    return read.ok ? read.text : read.error;
  };
  CHECK(duration("90s") == "1m30s");
  CHECK(duration("1.5h") == "1h30m0s");
  CHECK(duration("-100ms") == "-100ms");
  CHECK(duration("0") == "0s");
  CHECK(duration("5") == "time: missing unit in duration \"5\"");
  CHECK(duration("5x") == "time: unknown unit \"x\" in duration \"5x\"");
  CHECK(duration("") == "time: invalid duration \"\"");
  auto bytes = [](std::string_view text) {
    const auto read = normal_base64(text);
    return read.ok ? read.same ? std::string(text) : read.text : read.error;
  };
  CHECK(bytes("YWJj\nZA==\n") == "YWJjZA==");
  CHECK(bytes("YQ") == "illegal base64 data at input byte 0");
  CHECK(bytes("YW=j") == "illegal base64 data at input byte 2");
  CHECK(bytes("YWJj!") == "illegal base64 data at input byte 4");
  CHECK(bytes("YR==") == "YQ==");
}

TEST_CASE("values of quantities round up and saturate") {
  std::int64_t value = 0;
  CHECK(quantity_milli("1.0001", value));
  CHECK(value == 1001);
  CHECK(quantity_value("1500m", value));
  CHECK(value == 2);
  CHECK(quantity_value("1Gi", value));
  CHECK(value == 1073741824);
  CHECK(quantity_milli("16Ei", value));
  CHECK(value == std::numeric_limits<std::int64_t>::max());
  CHECK(quantity_value("-2k", value));
  CHECK(value == -2000);
  CHECK(!quantity_value("", value));
  CHECK(!quantity_value("1 Gi", value));
}
