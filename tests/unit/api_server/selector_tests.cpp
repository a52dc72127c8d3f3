// Label and field selectors: what they select and how they fail.
#include <doctest/doctest.h>

#include "actors/api_server/selectors/field_selector.hpp"
#include "actors/api_server/selectors/label_selector.hpp"
#include "messages/schema/schema.hpp"

using namespace troupe;
using namespace troupe::api;

namespace {

const auto pod_kind = schema::find_resource("", "v1", "pods");

object_ptr pod(const std::string& labels, const std::string& rest = {}) {
  auto json = R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"n","uid":"u","labels":{)" +
              labels + "}}" + rest + "}";
  auto made = make_object(pod_kind, json, 5, 1);
  REQUIRE(made.ok());
  return *made;
}

bool selects(const std::string& text, const object_ptr& o) {
  auto parsed = label_selector::parse(text);
  INFO(text);
  REQUIRE(parsed.ok());
  return parsed->matches(*o);
}

std::string label_error(const std::string& text) {
  auto parsed = label_selector::parse(text);
  return parsed ? "" : parsed.error().message;
}

bool field_selects(const std::string& text, const object_ptr& o) {
  auto parsed = field_selector::parse(text, pod_kind);
  INFO(text);
  REQUIRE(parsed.ok());
  return parsed->matches(*o);
}

}  // namespace

TEST_CASE("label selectors") {
  auto o = pod(R"("a":"1","b":"x","example.com/c":"")");
  for (auto text : {"", "a=1", "a==1", "a!=2", "missing!=2", "a in (1,2)", "a notin (2, 3)", "b", "!missing", "a>0",
                    "a<2", "a=1,b=x", " a = 1 , b in ( x ) ", "example.com/c", "example.com/c=", "missing notin (1)"})
    CHECK(selects(text, o));
  for (auto text : {"a=2", "a!=1", "missing=1", "a in (2)", "a notin (1)", "missing", "!a", "a>1", "b>1", "a=1,b=y"})
    CHECK_FALSE(selects(text, o));
}

TEST_CASE("label selectors that are none") {
  CHECK(label_error("a b") == "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt");
  CHECK(label_error("a=b c") == "found 'c', expected: ',' or 'end of string'");
  CHECK(label_error("a in 1") == "unable to parse requirement: found '1', expected: '('");
  CHECK(label_error("a=1,") == "found '', expected: identifier after ','");
  CHECK(label_error("a>x").find("for 'Gt', 'Lt' operators, the value must be an integer") != std::string::npos);
  CHECK(label_error("-a=1").find("unable to parse requirement: key: Invalid value: \"-a\": name part must consist") ==
        0);
}

TEST_CASE("a LabelSelector object") {
  auto doc = document::parse(
      R"({"matchLabels":{"a":"1"},"matchExpressions":[{"key":"b","operator":"In","values":["y","x"]},
          {"key":"z","operator":"DoesNotExist"}]})");
  REQUIRE(doc.ok());
  auto selector = label_selector::from(&doc->root());
  CHECK(selector.matches(*pod(R"("a":"1","b":"x")")));
  CHECK_FALSE(selector.matches(*pod(R"("a":"1","b":"x","z":"")")));
  CHECK_FALSE(selector.matches(*pod(R"("a":"1")")));
}

TEST_CASE("field selectors") {
  auto o = pod(R"("a":"1")", R"(,"spec":{"nodeName":"n1","restartPolicy":"Always"},"status":{"phase":"Running"})");
  for (auto text : {"metadata.name=p", "metadata.namespace==n", "spec.nodeName=n1,status.phase=Running",
                    "status.phase!=Failed", "spec.hostNetwork=false", "spec.nodeName!="})
    CHECK(field_selects(text, o));
  for (auto text : {"metadata.name=q", "spec.nodeName=", "status.phase=Failed", "spec.nodeName!=n1"})
    CHECK_FALSE(field_selects(text, o));
  CHECK(field_selector::parse("spec.foo=1", pod_kind).error().message == "field label not supported: spec.foo");
  CHECK(field_selector::parse("nonsense", pod_kind).error().message ==
        "invalid selector: 'nonsense'; can't understand 'nonsense'");
  auto maps = schema::find_resource("", "v1", "configmaps");
  CHECK(field_selector::parse("data=1", maps).error().message ==
        "\"data\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"");
}
