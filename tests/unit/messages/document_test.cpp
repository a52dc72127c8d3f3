// The decoded document: text forms, edges of JSON, changing.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "messages/document.hpp"

using namespace troupe;

namespace {

std::string rewritten(std::string_view json) {
  auto doc = document::parse(json);
  return doc ? to_json(doc->root()) : "error: " + doc.error().message;
}

std::string real(double value) {
  std::string out;
  append_json_real(out, value);
  return out;
}

}  // namespace

TEST_CASE("strings are escaped as Go escapes them") {
  CHECK(rewritten(R"("<a href='x'>&amp;")") == R"("\u003ca href='x'\u003e\u0026amp;")");
  CHECK(rewritten("\"\xe2\x80\xa8\xe2\x80\xa9\"") == R"("\u2028\u2029")");
  CHECK(rewritten(R"("\b\f\n\r\t\u0001\u007f\/\\\"")") == "\"\\b\\f\\n\\r\\t\\u0001\x7f/\\\\\\\"\"");
  CHECK(rewritten(R"("\u00e9\ud83d\ude00")") == "\"\xc3\xa9\xf0\x9f\x98\x80\"");
  std::string long_text(100, 'a');
  long_text[50] = '<';
  CHECK(rewritten("\"" + long_text + "\"") == "\"" + std::string(50, 'a') + "\\u003c" + std::string(49, 'a') + "\"");
  // Every length around the widths of the fast paths, with the special character at every place.
  for (std::size_t size = 1; size <= 40; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string plain(size, 'x');
      plain[at] = '"';
      std::string expected = "\"" + plain + "\"";
      expected.insert(at + 1, "\\");
      std::string out;
      append_json_string(out, plain);
      REQUIRE(out == expected);
      REQUIRE(rewritten(out) == expected);
    }
  }
}

TEST_CASE("bad UTF-8 and lone surrogates become U+FFFD") {
  CHECK(rewritten("\"a\xff"
                  "b\"") ==
        "\"a\xef\xbf\xbd"
        "b\"");
  CHECK(rewritten("\"\xed\xa0\x80\"") == "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
  CHECK(rewritten(R"("\ud800")") == "\"\xef\xbf\xbd\"");
  CHECK(rewritten(R"("\ud800\u0041")") ==
        "\"\xef\xbf\xbd"
        "A\"");
  CHECK(rewritten("\"\xc3") == "error: unexpected end of JSON input");
  std::string out;
  append_json_string(out, "x\xfe");
  CHECK(out == R"("x\ufffd")");
}

TEST_CASE("numbers keep their text and their exact value") {
  CHECK(rewritten("[1.0,1e400,-0,123456789012345678901234567890,1E5]") ==
        "[1.0,1e400,0,123456789012345678901234567890,1E5]");
  auto doc = document::parse("[9223372036854775807,-9223372036854775808,9223372036854775808,1.5,2]");
  REQUIRE(doc);
  CHECK(doc->root().element(0).integer() == std::numeric_limits<std::int64_t>::max());
  CHECK(doc->root().element(1).integer() == std::numeric_limits<std::int64_t>::min());
  CHECK(!doc->root().element(2).is_integer());
  CHECK(doc->root().element(2).real() == 9223372036854775808.0);
  CHECK(doc->root().element(3).real() == 1.5);
  CHECK(doc->root().element(4).real() == 2.0);
  CHECK(doc->root().element(3).integer(7) == 7);
}

TEST_CASE("reals are written as Go writes them") {
  CHECK(real(0) == "0");
  CHECK(real(-0.0) == "-0");
  CHECK(real(1) == "1");
  CHECK(real(0.1) == "0.1");
  CHECK(real(1e20) == "100000000000000000000");
  CHECK(real(1e21) == "1e+21");
  CHECK(real(1e-6) == "0.000001");
  CHECK(real(1e-7) == "1e-7");
  CHECK(real(-123456789.25) == "-123456789.25");
  CHECK(real(1.2345678901234567e20) == "123456789012345670000");
  CHECK(real(std::nan("")) == "null");
}

TEST_CASE("nesting is bounded") {
  const std::string deep(512, '[');
  CHECK(document::parse(deep + std::string(512, ']')));
  const auto refused = document::parse(deep + "[" + std::string(513, ']'));
  REQUIRE(!refused);
  CHECK(refused.error().message == "exceeded max depth");
  CHECK(!document::parse(std::string(2000000, '[')));
  CHECK(!document::parse_yaml(std::string(100000, '[')));
  std::string dashes;
  for (int i = 0; i < 3000; ++i) dashes.append("- ");
  CHECK(!document::parse_yaml(dashes));
}

TEST_CASE("the parser does not need the text to end in anything") {
  const std::string text = R"({"a":[1,2,{"b":"cdefghijklmnopqrstuvwxyz"}]})";
  for (std::size_t size = 0; size < text.size(); ++size) {
    // A buffer of exactly that size: a sanitizer sees any step beyond.
    const std::string part(text, 0, size);
    CHECK(!document::parse(std::string_view(part)));
  }
  CHECK(document::parse(text));
  CHECK(rewritten(std::string_view("[1,2]garbage", 5)) == "[1,2]");
}

TEST_CASE("duplicate keys are kept and the last one is found") {
  auto doc = document::parse(R"({"a":1,"b":2,"a":3})");
  REQUIRE(doc);
  CHECK(doc->root().size() == 3);
  CHECK(doc->root().find("a")->integer() == 3);
  CHECK(doc->remove(doc->root(), "a"));
  CHECK(to_json(doc->root()) == R"({"b":2})");
}

TEST_CASE("a document grows and shrinks") {
  document doc;
  node& root = doc.root();
  doc.set(root, "name", "x");
  doc.set(root, "count", 3);
  doc.set(root, "on", true);
  node& list = doc.set(root, "list");
  for (int i = 0; i < 100; ++i) doc.assign(doc.append(list), i);
  CHECK(list.size() == 100);
  for (int i = 0; i < 97; ++i) doc.erase(list, 1);
  CHECK(to_json(root) == R"({"name":"x","count":3,"on":true,"list":[0,98,99]})");
  for (int i = 0; i < 40; ++i) doc.set(root, "k" + std::to_string(i), std::int64_t{i});
  CHECK(root.find("k39")->integer() == 39);
  CHECK(root.find("list")->size() == 3);
  for (int i = 0; i < 40; ++i) CHECK(doc.remove(root, "k" + std::to_string(i)));
  CHECK(!doc.remove(root, "k1"));
  doc.assign(doc.set(root, "name"), 1.5);
  CHECK(root.find("name")->real() == 1.5);
  CHECK(root.find("list", "x") == nullptr);
  CHECK_THROWS(doc.set(*root.find("name"), "x"));
}

TEST_CASE("parsed lists and objects can grow without touching their neighbours") {
  auto doc = document::parse(R"({"a":[1],"b":[2],"c":{"x":1},"d":{"y":2}})");
  REQUIRE(doc);
  doc->assign(doc->append(*doc->root().find("a")), "new");
  doc->set(*doc->root().find("c"), "z", "new");
  CHECK(to_json(doc->root()) == R"({"a":[1,"new"],"b":[2],"c":{"x":1,"z":"new"},"d":{"y":2}})");
}

TEST_CASE("clones live on their own") {
  document copy;
  {
    auto doc = document::parse(R"({"a":[1,{"b":"text"}],"c":1.25})");
    REQUIRE(doc);
    copy.root() = copy.clone(doc->root());
    doc->assign(*doc->root().find("a")->element(1).find("b"), "x");
  }
  CHECK(to_json(copy.root()) == R"({"a":[1,{"b":"text"}],"c":1.25})");
  document moved = std::move(copy);
  CHECK(moved.root().find("c")->real() == 1.25);
}

TEST_CASE("equality looks at values, not at their order or spelling") {
  auto same = [](std::string_view a, std::string_view b) {
    auto left = document::parse(a);
    auto right = document::parse(b);
    REQUIRE(left);
    REQUIRE(right);
    return equal(left->root(), right->root());
  };
  CHECK(same(R"({"a":1,"b":[true,null]})", R"({"b":[true,null],"a":1.0})"));
  CHECK(!same(R"({"a":1})", R"({"a":1,"b":2})"));
  CHECK(!same(R"({"a":1})", R"({"b":1})"));
  CHECK(!same("[1,2]", "[2,1]"));
  CHECK(!same("1", "\"1\""));
  CHECK(!same("{}", "[]"));
}

TEST_CASE("YAML: aliases, merges, documents") {
  auto json = [](std::string_view yaml) {
    auto doc = document::parse_yaml(yaml);
    return doc ? to_json(doc->root()) : "error: " + doc.error().message;
  };
  CHECK(json("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n") == R"({"a":{"b":1,"c":2},"d":{"c":3,"b":1}})");
  CHECK(json("a: 1\n---\na: 2\n") == R"({"a":1})");
  CHECK(json("") == "null");
  CHECK(json("a: 1\nb: 2\na: 3\n") == "error: yaml: unmarshal errors:\n  line 3: key \"a\" already set in map");
  CHECK(json("- a\nb: c\n").starts_with("error: "));
  CHECK(json("a: 'x\n").starts_with("error: "));
  CHECK(json("kind: Pod\nmetadata\n") == "error: yaml: line 3: could not find expected ':'");
  CHECK(json("kind: Pod\nmetadata\nspec: 1\n").starts_with("error: yaml: line 3: "));
  CHECK(json("a: \x07\n") == "error: yaml: control characters are not allowed");
  CHECK(json("a: \xff\n").starts_with("error: "));
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 10; ++i) bomb += std::string(i ? ",*" : "*") + static_cast<char>(c - 1);
    bomb += "]\n";
  }
  CHECK(json(bomb) == "error: yaml: document contains excessive aliasing");
}
