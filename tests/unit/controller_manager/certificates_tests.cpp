// Which requests for certificates are approved and signed without an administrator.
#include <doctest/doctest.h>

#include <algorithm>

#include "actors/controller_manager/certificates/core.hpp"
#include "actors/controller_manager/controller_manager.hpp"

using namespace troupe;
using namespace troupe::certificates;

namespace {

request_facts of_a_node() {
  request_facts out;
  out.asked = {true, "system:node:a", {"system:nodes"}, false};
  out.signer = "kubernetes.io/kube-apiserver-client-kubelet";
  out.username = "system:bootstrap:abcdef";
  out.usages = {"client auth", "digital signature"};
  return out;
}

template <class Change>
verdict with(Change change) {
  auto facts = of_a_node();
  change(facts);
  return judge(facts);
}

}  // namespace

TEST_CASE("a kubelet's request is approved for whoever may, then signed") {
  CHECK(judge(of_a_node()) == verdict::approve_other);
  CHECK(with([](auto& f) { f.username = "system:node:a"; }) == verdict::approve_own);
  CHECK(with([](auto& f) { f.username = "system:node:b"; }) == verdict::approve_other);
  CHECK(with([](auto& f) { f.usages.push_back("key encipherment"); }) == verdict::approve_other);
  CHECK(with([](auto& f) { f.approved = true; }) == verdict::sign);
  CHECK(permission_of(verdict::approve_own) == "selfnodeclient");
  CHECK(permission_of(verdict::approve_other) == "nodeclient");
}

TEST_CASE("a component's own certificate is renewed for whoever may; nobody else's, and none with a group") {
  auto asked = [](auto change) {
    return with([&](auto& f) {
      f.signer = "kubernetes.io/kube-apiserver-client";
      f.asked.common_name = f.username = "system:kube-scheduler";
      f.asked.organizations.clear();
      change(f);
    });
  };
  CHECK(asked([](auto&) {}) == verdict::approve_same);
  CHECK(asked([](auto& f) { f.approved = true; }) == verdict::sign);
  CHECK(asked([](auto& f) { f.username = "jane"; }) == verdict::nothing);
  CHECK(asked([](auto& f) { f.asked.organizations = {"system:nodes"}; }) == verdict::nothing);
  CHECK(asked([](auto& f) { f.asked.alternative_names = true; }) == verdict::nothing);
  CHECK(asked([](auto& f) { f.usages.push_back("server auth"); }) == verdict::nothing);
  CHECK(permission_of(verdict::approve_same) == "selfclient");
}

TEST_CASE("a bootstrap token is for names that no Node has yet") {
  auto facts = of_a_node();
  CHECK(node_asked_for(facts) == "a");
  CHECK(needs_new_name(judge(facts), facts));
  facts.username = "system:node:a";  // renews its own
  CHECK(!needs_new_name(judge(facts), facts));
  facts.username = "system:serviceaccount:kube-system:approver";
  CHECK(!needs_new_name(judge(facts), facts));
  facts.asked.common_name = "jane";
  CHECK(node_asked_for(facts).empty());
}

TEST_CASE("what is not quite a kubelet's is left alone, approved or not") {
  for (bool approved : {false, true}) {
    auto nothing = [&](auto change) {
      return with([&](auto& f) {
               f.approved = approved;
               change(f);
             }) == verdict::nothing;
    };
    CHECK(nothing([](auto& f) { f.asked.readable = false; }));
    CHECK(nothing([](auto& f) { f.asked.common_name = "kubernetes-admin"; }));
    CHECK(nothing([](auto& f) { f.asked.organizations = {"system:masters"}; }));
    CHECK(nothing([](auto& f) { f.asked.organizations = {"system:nodes", "system:masters"}; }));
    CHECK(nothing([](auto& f) { f.asked.alternative_names = true; }));
    CHECK(nothing([](auto& f) { f.usages = {"client auth"}; }));
    CHECK(nothing([](auto& f) { f.usages.push_back("server auth"); }));
    CHECK(nothing([](auto& f) { f.signer = "example.com/own"; }));
    CHECK(nothing([](auto& f) { f.denied = true; }));
    CHECK(nothing([](auto& f) { f.failed = true; }));
    CHECK(nothing([](auto& f) { f.has_certificate = true; }));
  }
}

TEST_CASE("client certificates are signed when approved, for masters never") {
  auto client = [](bool approved, std::vector<std::string> groups) {
    return with([&](auto& f) {
      f.signer = "kubernetes.io/kube-apiserver-client";
      f.asked.common_name = "jane";
      f.asked.organizations = std::move(groups);
      f.usages = {"client auth"};
      f.approved = approved;
    });
  };
  CHECK(client(false, {"dev"}) == verdict::nothing);
  CHECK(client(true, {"dev"}) == verdict::sign);
  CHECK(client(true, {"system:masters"}) == verdict::nothing);
}

TEST_CASE("facts are read from the object") {
  auto doc = document::parse(R"({"spec":{"signerName":"s","username":"u","usages":["a","b"],"expirationSeconds":3600},)"
                             R"("status":{"certificate":"eA==","conditions":[{"type":"Approved","status":"True"}]}})");
  REQUIRE(doc);
  auto facts = facts_of(doc->root());
  CHECK(facts.signer == "s");
  CHECK(facts.username == "u");
  CHECK(facts.usages == std::vector<std::string>{"a", "b"});
  CHECK(facts.approved);
  CHECK(!facts.denied);
  CHECK(facts.has_certificate);
  CHECK(lifetime_of(facts) == 3600);
  facts.expiration_seconds = 0;
  CHECK(lifetime_of(facts) == 365 * 24 * 3600);
  facts.expiration_seconds = 1;
  CHECK(lifetime_of(facts) == 600);
}

TEST_CASE("requests are cleaned up when they have served their time, and not before") {
  // 2026-01-02T00:00:00Z is a day after the request was made, and an hour after it was judged.
  constexpr std::uint64_t then_ms = 1'767'312'000'000;
  auto served = [&](const std::string& status, std::uint64_t after_ms, std::int64_t ends = 0) {
    auto doc =
        document::parse(R"({"metadata":{"creationTimestamp":"2026-01-01T00:00:00Z"},"status":{)" + status + "}}");
    REQUIRE(doc);
    return has_served(doc->root(), ends, then_ms + after_ms);
  };
  auto judged = [](const std::string& type) {
    return R"("conditions":[{"type":")" + type + R"(","lastUpdateTime":"2026-01-01T23:00:00Z"}])";
  };
  const std::string issued = R"(,"certificate":"eA==")";
  CHECK(!served("", 0));
  CHECK(served("", 1000));
  for (const char* type : {"Denied", "Failed"}) {
    CHECK(!served(judged(type), 0));
    CHECK(served(judged(type), 1000));
  }
  CHECK(!served(judged("Approved"), 1'000'000'000));  // nobody signs it: an administrator's matter
  CHECK(!served(judged("Approved") + issued, 0));
  CHECK(served(judged("Approved") + issued, 1000));
  CHECK(served(R"("conditions":[{"type":"Approved"}])" + issued, 0, then_ms / 1000 - 1));
  CHECK(!served(R"("conditions":[{"type":"Approved"}])" + issued, 0, then_ms / 1000 + 1));
}

TEST_CASE("the accounts of all controllers, of those that are not always there too") {
  const auto all = controllers::accounts();
  auto has = [&](const char* name) { return std::count(all.begin(), all.end(), name) == 1; };
  for (const char* name : {"deployment-controller", "generic-garbage-collector", "root-ca-cert-publisher",
                           "node-controller", "certificate-controller"})
    CHECK_MESSAGE(has(name), name);
  CHECK(controllers::children({}).size() == 12);
}
