// make_object: the splice and the envelope.
#include <doctest/doctest.h>

#include "messages/document.hpp"
#include "messages/object.hpp"
#include "messages/schema/codec.hpp"
#include "messages/text_search.hpp"

using namespace troupe;

namespace {

std::uint16_t pods() { return schema::find_resource("", "v1", "pods"); }

object_ptr made(std::string_view json, std::uint64_t revision = 42) {
  auto out = make_object(pods(), json, revision, 7);
  REQUIRE(out);
  return *out;
}

}  // namespace

TEST_CASE("resourceVersion is spliced in behind uid, wherever metadata begins and ends") {
  CHECK(made(R"({"metadata":{"name":"a","uid":"u","generation":1},"spec":{}})")->json.view() ==
        R"({"metadata":{"name":"a","uid":"u","resourceVersion":"42","generation":1},"spec":{}})");
  CHECK(made(R"({"metadata":{"name":"a"},"spec":{}})")->json.view() ==
        R"({"metadata":{"name":"a","resourceVersion":"42"},"spec":{}})");
  CHECK(made(R"({"metadata":{"generation":1},"spec":{}})")->json.view() ==
        R"({"metadata":{"resourceVersion":"42","generation":1},"spec":{}})");
  CHECK(made(R"({"metadata":{},"spec":{}})")->json.view() == R"({"metadata":{"resourceVersion":"42"},"spec":{}})");
}

TEST_CASE("the envelope points into the bytes") {
  const auto pod = made(
      R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"web","generateName":"w-","namespace":"default","uid":"u-1","labels":{"app":"web","tier":"}{"},"annotations":{"nodeName":"no","x":"\"},{[\\"}},"spec":{"volumes":[{"name":"nodeName"}],"containers":[{"name":"a","args":["\\\"]}"]}],"nodeSelector":{"nodeName":"wrong"},"nodeName":"node-1"},"status":{"nodeName":"wrong"}})",
      18446744073709551615ULL);
  CHECK(pod->name == "web");
  CHECK(pod->namespace_name == "default");
  CHECK(pod->uid == "u-1");
  CHECK(pod->node_name == "node-1");
  CHECK(pod->revision == 18446744073709551615ULL);
  CHECK(pod->created == 7);
  REQUIRE(pod->label("tier"));
  CHECK(*pod->label("tier") == "}{");
  CHECK(pod->label("missing") == nullptr);
  CHECK(pod->json.view().substr(pod->item_offset).starts_with(R"("metadata":{"name":"web")"));
  CHECK(pod->unescaped.empty());
  CHECK(pod->name.data() > pod->json.view().data());
  CHECK(document::parse(pod->json.view()));
}

TEST_CASE("texts with escapes are unescaped") {
  const auto role =
      make_object(schema::find_resource("rbac.authorization.k8s.io", "v1", "clusterroles"),
                  R"({"metadata":{"name":"a\u003cb\"c","labels":{"k\u0026":"v","z":"\u003e"}},"rules":null})", 1, 1);
  REQUIRE(role);
  CHECK((*role)->name == "a<b\"c");
  CHECK(*(*role)->label("k&") == "v");
  CHECK(*(*role)->label("z") == ">");
}

TEST_CASE("a pod without a node, a kind without labels") {
  CHECK(made(R"({"metadata":{"name":"a"},"spec":{"containers":null},"status":{}})")->node_name.empty());
  CHECK(made(R"({"metadata":{"name":"a","managedFields":[{"fieldsV1":{"f:a":{}}}]},"spec":{"nodeName":"n"}})")
            ->node_name == "n");
}

TEST_CASE("long strings and values of every length around a block are skipped") {
  for (std::size_t size = 0; size < 200; ++size) {
    const std::string filler(size, 'x');
    const std::string json = R"({"metadata":{"name":"a","annotations":{"k":")" + filler +
                             R"(\\"}},"spec":{"volumes":[{"name":")" + filler +
                             R"(\""},{}],"nodeName":"n"},"status":{}})";
    const auto pod = make_object(pods(), json, 1, 1);
    REQUIRE(pod);
    REQUIRE((*pod)->node_name == "n");
  }
}

TEST_CASE("bytes that are no object are an error") {
  const std::string good =
      R"({"metadata":{"name":"a","labels":{"b":"c"},"annotations":{"d":"e"}},"spec":{"nodeName":"n"}})";
  for (std::size_t size = 0; size + 3 < good.size(); ++size) {
    const std::string part(good, 0, size);
    CHECK_MESSAGE(!make_object(pods(), part, 1, 1), part);
  }
  CHECK(make_object(pods(), good, 1, 1));
  CHECK(!make_object(pods(), R"({"metadata":{"name":"a","resourceVersion":"1"},"spec":{}})", 1, 1));
  CHECK(!make_object(pods(), R"({"spec":{}})", 1, 1));
  CHECK(!make_object(pods(), "[]", 1, 1));
}

TEST_CASE("text is found in bytes as string_view finds it") {
  const std::string_view text = R"({"a":"b","phase":"Failed"})";
  for (std::string_view piece : {"{", "\"phase\":\"Failed\"", "}", "absent", "\"a\":", ""}) {
    CHECK(find_text(text, piece) == text.find(piece));
    CHECK(has_text(text, piece) == (text.find(piece) != std::string_view::npos));
  }
  CHECK(find_text(text, "\"", 3) == text.find('"', 3));
  CHECK(find_text(text, "x", text.size() + 1) == std::string_view::npos);
  CHECK(find_text({}, "x") == std::string_view::npos);
}
