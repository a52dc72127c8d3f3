// Objects and what Kubernetes 1.36's own code makes of them: cases/*.json hold the input and the exact error text or
// the resulting object (without times and generation, which are not these rules' business).
#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "actors/api_server/admission/prepare.hpp"
#include "actors/api_server/defaults/defaults.hpp"
#include "actors/api_server/patch/patch.hpp"
#include "actors/api_server/validation/kinds.hpp"
#include "messages/schema/codec.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::api::rules {
namespace {

document read_cases(const std::string& name) {
  std::ifstream file(std::string(TROUPE_SOURCE_DIR) + "/tests/unit/api_rules/cases/" + name + ".json");
  const std::string all((std::istreambuf_iterator<char>(file)), {});
  auto parsed = document::parse(all);
  REQUIRE_MESSAGE(parsed, name);
  REQUIRE(parsed->root().size() > 20);
  return std::move(*parsed);
}

std::uint16_t resource_of(const node& object) {
  const auto api_version = text(&object, "apiVersion");
  const auto slash = api_version.find('/');
  const bool core = slash == std::string_view::npos;
  return schema::find_kind(core ? std::string_view() : api_version.substr(0, slash),
                           core ? api_version : api_version.substr(slash + 1), text(&object, "kind"));
}

/// A conformed and defaulted copy.
document load(const node& object, std::uint16_t type) {
  document doc;
  doc.root() = doc.clone(object);
  // "@N" stands for a text of N characters.
  node* annotations = doc.root().find("metadata", "annotations");
  if (const node* big = get(annotations, "a"); big && big->string().starts_with("@"))
    doc.set(*annotations, "a", std::string(std::stoul(std::string(big->string().substr(1))), 'x'));
  schema::conform_report report;
  REQUIRE(schema::conform(doc, doc.root(), type, report).ok());
  apply_defaults(doc, doc.root(), type);
  return doc;
}

/// Canonical JSON without what the registry adds, read back.
document canonical(document& doc, std::uint16_t type) {
  std::string bytes;
  schema::encode(bytes, doc.root(), type, false);
  auto out = document::parse(bytes);
  REQUIRE(out);
  out->remove(out->root(), "apiVersion");
  if (node* metadata = out->root().find("metadata"))
    for (std::string_view field : {"creationTimestamp", "generation"}) out->remove(*metadata, field);
  return std::move(*out);
}

/// Null members count as absent.
void drop_nulls(document& doc, node& value) {
  if (value.is_array())
    for (std::size_t i = 0; i < value.size(); ++i) drop_nulls(doc, value.element(i));
  if (!value.is_object()) return;
  for (std::size_t i = value.size(); i-- > 0;) {
    member& m = value.begin_members()[i];
    if (m.value.is_null())
      doc.remove(value, m.key);
    else
      drop_nulls(doc, m.value);
  }
}

void check_result(const node& wanted, document&& got) {
  drop_nulls(got, got.root());
  CHECK_MESSAGE(equal(wanted, got.root()), "wanted " << to_json(wanted) << "\n   got " << to_json(got.root()));
}

void check_causes(const node& one, const schema::resource& info, document& doc, std::vector<status_cause> causes) {
  const node* error = get(&one, "error");
  if (causes.empty()) {
    CHECK_MESSAGE(!error, "accepted, wanted " << text(&one, "error"));
    if (const node* wanted = get(&one, "result")) check_result(*wanted, canonical(doc, info.type));
    return;
  }
  const auto found = invalid(info.group, info.kind, text(get(&doc.root(), "metadata"), "name"), std::move(causes));
  CHECK(found.message == text(&one, "error"));
}

}  // namespace

TEST_CASE("defaults are those of Kubernetes") {
  const auto cases = read_cases("default");
  each(&cases.root(), [](const node& one, std::size_t) {
    CAPTURE(text(&one, "name"));
    const auto type = schema::resources()[resource_of(*get(&one, "object"))].type;
    document doc = load(*get(&one, "object"), type);
    apply_defaults(doc, doc.root(), type);  // a second time: nothing may change
    check_result(*get(&one, "result"), canonical(doc, type));
  });
}

TEST_CASE("new objects are judged in Kubernetes' words") {
  const auto cases = read_cases("create");
  each(&cases.root(), [](const node& one, std::size_t) {
    CAPTURE(text(&one, "name"));
    const auto& info = schema::resources()[resource_of(*get(&one, "object"))];
    document doc = load(*get(&one, "object"), info.type);
    doc.set(*doc.root().find("metadata"), "uid", "11111111-2222-3333-4444-555555555555");
    prepare_new(info.type, doc);
    check_causes(one, info, doc, validate_new(info.type, info.namespaced, doc.root()).take_causes());
  });
}

TEST_CASE("changes are judged in Kubernetes' words") {
  const auto cases = read_cases("update");
  each(&cases.root(), [](const node& one, std::size_t) {
    CAPTURE(text(&one, "name"));
    const auto& info = schema::resources()[resource_of(*get(&one, "object"))];
    document doc = load(*get(&one, "object"), info.type), old = load(*get(&one, "old"), info.type);
    const std::string_view subresource = text(&one, "op") == "status" ? "status" : "";
    const node* spec = get(&old.root(), "spec");
    if (!subresource.empty() && spec) doc.set(doc.root(), "spec", doc.clone(*spec));
    prepare_changed(info.type, subresource, old.root(), doc);
    check_causes(one, info, doc,
                 validate_changed(info.type, info.namespaced, subresource, old.root(), doc.root()).take_causes());
  });
}

TEST_CASE("podCIDR is the first of podCIDRs, and counts where they differ") {
  const auto type = schema::find_type("core/v1.Node");
  auto defaulted = [&](const std::string& spec) {
    auto doc = document::parse(R"({"kind":"Node","apiVersion":"v1","metadata":{"name":"n"},"spec":{)" + spec + "}}");
    REQUIRE(doc);
    apply_defaults(*doc, doc->root(), type);
    return to_json(*doc->root().find("spec"));
  };
  constexpr const char* both = R"({"podCIDR":"10.0.1.0/24","podCIDRs":["10.0.1.0/24"]})";
  CHECK(defaulted(R"("podCIDR":"10.0.1.0/24")") == both);
  CHECK(defaulted(R"("podCIDR":"10.0.1.0/24","podCIDRs":["10.0.2.0/24","10.0.1.0/24"])") == both);
  CHECK(defaulted(R"("podCIDR":"10.0.1.0/24","podCIDRs":["10.0.1.0/24","fd00::/64"])") ==
        R"({"podCIDR":"10.0.1.0/24","podCIDRs":["10.0.1.0/24","fd00::/64"]})");
  CHECK(defaulted(R"("podCIDRs":["10.0.1.0/24"])") == R"({"podCIDRs":["10.0.1.0/24"],"podCIDR":"10.0.1.0/24"})");
  CHECK(defaulted("") == "{}");
}

constexpr std::string_view now = "2026-01-03T00:00:00Z";

TEST_CASE("a request for a certificate stays what it was, whoever writes to it") {
  const std::string head = R"({"kind":"CertificateSigningRequest","apiVersion":"certificates.k8s.io/v1",)"
                           R"("metadata":{"name":"r"},"spec":{"request":")";
  auto read = [](const std::string& json) {
    auto parsed = document::parse(json);
    REQUIRE(parsed);
    return std::move(*parsed);
  };
  const auto old = read(head + R"(QQ==","username":"jane"},"status":{"certificate":"Qw=="}})");
  for (std::string_view subresource : {"", "status", "approval"}) {
    CAPTURE(subresource);
    auto doc = read(head + R"(Qg==","username":"system:admin","groups":["system:masters"]},)" +
                    R"("status":{"certificate":"RA=="}})");
    prepare_signing_request_update(subresource, old.root(), doc, now);
    CHECK(to_json(*doc.root().find("spec")) == to_json(*old.root().find("spec")));
    CHECK(doc.root().find("status", "certificate")->string() == (subresource == "approval" ? "Qw==" : "RA=="));
  }
}

TEST_CASE("a status judges no request for a certificate, and an approval takes no judgement back") {
  const auto type = schema::find_type("certificates/v1.CertificateSigningRequest");
  auto read = [](const std::string& conditions, const std::string& certificate = "") {
    auto parsed = document::parse(
        R"({"kind":"CertificateSigningRequest","apiVersion":"certificates.k8s.io/v1","metadata":{"name":"r","uid":"u",)"
        R"("resourceVersion":"7","creationTimestamp":"2026-01-01T00:00:00Z"},"spec":{"request":"QQ==","signerName":"a/b",)"
        R"("usages":["client auth"]},"status":{"conditions":[)" +
        conditions + "]" + certificate + "}}");
    REQUIRE(parsed);
    return std::move(*parsed);
  };
  auto written = [&](std::string_view subresource, const document& old, document doc) {
    prepare_signing_request_update(subresource, old.root(), doc, now);
    std::string out;
    for (const auto& one : validate_changed(type, false, subresource, old.root(), doc.root()).take_causes())
      out.append(one.field).append(": ").append(one.message).append("\n");
    return out.empty() ? to_json(*doc.root().find("status")) : out;
  };
  const std::string approved = R"({"type":"Approved","status":"True")", failed = R"({"type":"Failed","status":"True"})";
  const std::string times = R"(,"lastUpdateTime":"2026-01-03T00:00:00Z","lastTransitionTime":"2026-01-03T00:00:00Z"})";
  CHECK(written("approval", read(""), read(approved + "}")) == R"({"conditions":[)" + approved + times + "]}");
  CHECK(written("status", read(""), read(approved + "}")) ==
        "status.conditions: Forbidden: updates may not add a condition of type \"Approved\"\n");
  const auto judged = read(approved + R"(,"reason":"r","lastUpdateTime":"2026-01-01T00:00:00Z")" +
                           R"(,"lastTransitionTime":"2026-01-01T00:00:00Z"})");
  CHECK(written("status", judged, read(approved + R"(,"reason":"other"},)" + failed, R"(,"certificate":"QQ==")")) ==
        R"({"conditions":[)" + approved + R"(,"reason":"r","lastUpdateTime":"2026-01-01T00:00:00Z")" +
            R"(,"lastTransitionTime":"2026-01-01T00:00:00Z"},{"type":"Failed","status":"True")" + times +
            R"(],"certificate":"QQ=="})");
  for (std::string_view subresource : {"status", "approval"})
    CHECK(written(subresource, judged, read("")) ==
          "status.conditions: Forbidden: updates may not remove a condition of type \"Approved\"\n");
  CHECK(
      written("approval", judged, read(approved + R"(},{"type":"Denied","status":"True"})")) ==
      "status.conditions[1].type: Invalid value: \"Denied\": Approved and Denied conditions are mutually exclusive\n");
  CHECK(written("approval", read(""), read(R"({"type":"Approved","status":"False"})")) ==
        "status.conditions[0].status: Unsupported value: \"False\": supported values: \"True\"\n");
  CHECK(written("status", read(approved + "}", R"(,"certificate":"QQ==")"),
                read(approved + "}", R"(,"certificate":"Qg==")")) ==
        "status.certificate: Forbidden: updates may not modify existing certificate content\n");
}

TEST_CASE("strategic merge patches do what Kubernetes' do") {
  const auto cases = read_cases("patch");
  each(&cases.root(), [](const node& one, std::size_t) {
    CAPTURE(text(&one, "name"));
    const node& object = *get(&one, "object");
    const auto type = schema::resources()[resource_of(object)].type;
    auto patched = apply_strategic_patch(type, object, to_json(*get(&one, "patch")));
    if (const node* error = get(&one, "error")) {
      REQUIRE(!patched);
      CHECK(patched.error().message == error->string());
    } else {
      REQUIRE(patched);
      check_result(*get(&one, "result"), std::move(*patched));
    }
  });
}

}  // namespace troupe::api::rules
