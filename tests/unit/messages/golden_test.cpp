// Our vocabulary against what Kubernetes' own libraries answered.
#include <doctest/doctest.h>

#include "messages/schema/codec.hpp"
#include "tests/unit/messages/golden.hpp"

using namespace troupe;

namespace {

struct typed_answer {
  std::string output, error, strict;
};

typed_answer decode_and_encode(const std::string& type, const std::string& input) {
  typed_answer out;
  auto doc = document::parse(input);
  REQUIRE(doc);
  schema::conform_report report;
  const std::uint16_t index = schema::find_type(type);
  REQUIRE(index != schema::no_index);
  const status judged = schema::conform(*doc, doc->root(), index, report);
  if (!judged.ok()) {
    out.error = judged.message.substr(judged.message.find(": ") + 2);
    return out;
  }
  for (const auto& line : report.in_order) out.strict += line + "\n";
  schema::encode(out.output, doc->root(), index, false);
  return out;
}

}  // namespace

TEST_CASE("typed objects are decoded and written as Go does") {
  const document rows = golden("typed.json");
  for (const node* row = rows.root().begin_elements(); row != rows.root().end_elements(); ++row) {
    const std::string type = text_of(*row, "type");
    INFO(type << " " << text_of(*row, "input"));
    const typed_answer answer = decode_and_encode(type, text_of(*row, "input"));
    CHECK(answer.error == text_of(*row, "error"));
    if (!answer.error.empty()) continue;
    CHECK(answer.output == text_of(*row, "output"));
    std::string strict;
    const node* list = row->find("strict");
    for (const node* line = list->begin_elements(); line != list->end_elements(); ++line) {
      strict += std::string(line->string()) + "\n";
    }
    CHECK(answer.strict == strict);
    // What was written is a fixed point.
    const typed_answer again = decode_and_encode(type, answer.output);
    CHECK(again.output == answer.output);
    CHECK(again.strict.empty());
  }
}

TEST_CASE("quantities become canonical as Go's do") {
  const document rows = golden("quantities.json");
  for (const node* row = rows.root().begin_elements(); row != rows.root().end_elements(); ++row) {
    const std::string input = text_of(*row, "input");
    INFO(input);
    std::string canonical;
    CHECK(schema::canonical_quantity(input, canonical) == text_of(*row, "error").empty());
    CHECK(canonical == text_of(*row, "output"));
  }
}

TEST_CASE("broken JSON is refused in Go's words") {
  const document rows = golden("json_errors.json");
  for (const node* row = rows.root().begin_elements(); row != rows.root().end_elements(); ++row) {
    const std::string input = text_of(*row, "input");
    INFO(input);
    const auto parsed = document::parse(input);
    REQUIRE(!parsed);
    CHECK(parsed.error().code == 400);
    CHECK(parsed.error().message == text_of(*row, "error"));
  }
}

TEST_CASE("YAML means what it means to kubectl") {
  const document rows = golden("yaml_to_json.json");
  for (const node* row = rows.root().begin_elements(); row != rows.root().end_elements(); ++row) {
    INFO(text_of(*row, "input"));
    const auto parsed = document::parse_yaml(text_of(*row, "input"));
    if (const std::string error = text_of(*row, "error"); !error.empty()) {
      REQUIRE(!parsed);
      CHECK(parsed.error().message == error);
      continue;
    }
    REQUIRE(parsed);
    const auto expected = document::parse(text_of(*row, "output"));
    REQUIRE(expected);
    CHECK_MESSAGE(equal(parsed->root(), expected->root()), to_json(parsed->root())
                                                               << " is not " << text_of(*row, "output"));
  }
}

TEST_CASE("YAML is printed as kubectl prints it") {
  const document rows = golden("json_to_yaml.json");
  for (const node* row = rows.root().begin_elements(); row != rows.root().end_elements(); ++row) {
    if (!text_of(*row, "error").empty()) continue;
    INFO(text_of(*row, "input"));
    const auto parsed = document::parse(text_of(*row, "input"));
    REQUIRE(parsed);
    CHECK(to_yaml(parsed->root()) == text_of(*row, "output"));
  }
}
