// JSON patch and JSON merge patch.
#include <doctest/doctest.h>

#include <string>

#include "actors/api_server/patch/patch.hpp"

namespace troupe::api::rules {
namespace {

std::string json_patched(const char* object, std::string_view patch) {
  auto current = document::parse(object);
  REQUIRE(current);
  auto out = apply_json_patch(current->root(), patch);
  return out ? to_json(out->root()) : std::to_string(out.error().code) + " " + out.error().message;
}

std::string merge_patched(const char* object, std::string_view patch) {
  auto current = document::parse(object);
  REQUIRE(current);
  auto out = apply_merge_patch(current->root(), patch);
  return out ? to_json(out->root()) : std::to_string(out.error().code) + " " + out.error().message;
}

constexpr const char* refused = "422 the server rejected our request due to an error in our request";

}  // namespace

TEST_CASE("json patch operations") {
  struct row {
    const char *object, *patch, *wanted;
  };
  const row rows[] = {
      {R"({"a":1})", R"([{"op":"add","path":"/b","value":2}])", R"({"a":1,"b":2})"},
      {R"({"a":[1,3]})", R"([{"op":"add","path":"/a/1","value":2}])", R"({"a":[1,2,3]})"},
      {R"({"a":[1]})", R"([{"op":"add","path":"/a/-","value":2}])", R"({"a":[1,2]})"},
      {R"({"a":[1,2]})", R"([{"op":"remove","path":"/a/-1"}])", R"({"a":[1]})"},
      {R"({"a":{"b/c":1,"d~e":2}})",
       R"([{"op":"replace","path":"/a/b~1c","value":5},{"op":"remove","path":"/a/d~0e"}])", R"({"a":{"b/c":5}})"},
      {R"({"a":1})", R"([{"op":"test","path":"/a","value":1},{"op":"replace","path":"/a","value":2}])", R"({"a":2})"},
      {R"({"a":1})", R"([{"op":"test","path":"/b","value":null}])", R"({"a":1})"},
      {R"({"a":1,"b":{}})", R"([{"op":"move","from":"/a","path":"/b/c"}])", R"({"b":{"c":1}})"},
      {R"({"a":[1],"b":0})", R"([{"op":"copy","from":"/a","path":"/b"}])", R"({"a":[1],"b":[1]})"},
      {R"({"a":1})", "null", R"({"a":1})"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.patch);
    CHECK(json_patched(r.object, r.patch) == r.wanted);
  }
}

TEST_CASE("json patch operations that do not apply change nothing and answer 422") {
  for (const char* patch : {R"([{"op":"remove","path":"/x"}])", R"([{"op":"replace","path":"/x","value":1}])",
                            R"([{"op":"test","path":"/a","value":2}])", R"([{"op":"add","path":"/x/y","value":1}])",
                            R"([{"op":"move","from":"/x","path":"/y"}])", R"([{"op":"fly","path":"/a"}])",
                            R"([{"op":"add","path":"a","value":1}])", R"([{"op":"add","path":"/l/5","value":1}])"}) {
    CAPTURE(patch);
    CHECK(json_patched(R"({"a":1,"l":[]})", patch) == refused);
  }
}

TEST_CASE("json patch: what is no patch") {
  CHECK(json_patched("{}", "{}") == "400 json: cannot unmarshal object into Go value of type jsonpatch.Patch");
  std::string many = "[";
  for (int i = 0; i < 10001; ++i) many += std::string(i ? "," : "") + R"({"op":"add","path":"/a","value":1})";
  CHECK(json_patched("{}", many + "]") ==
        "413 Request entity is too large: The allowed maximum operations in a JSON patch is 10000, got 10001");
}

TEST_CASE("json merge patch (RFC 7386)") {
  CHECK(merge_patched(R"({"a":"b","c":{"d":1,"e":2}})", R"({"a":null,"c":{"e":null,"f":{"g":null,"h":1}}})") ==
        R"({"c":{"d":1,"f":{"h":1}}})");
  CHECK(merge_patched(R"({"a":[1,2]})", R"({"a":[3]})") == R"({"a":[3]})");
  CHECK(merge_patched(R"({"a":1})", R"({"a":{"b":null}})") == R"({"a":{}})");
  CHECK(merge_patched(R"({})", "[1]") == "400 Invalid JSON Patch");
  CHECK(merge_patched(R"({})", "{") == "400 Invalid JSON Patch");
}

}  // namespace troupe::api::rules
