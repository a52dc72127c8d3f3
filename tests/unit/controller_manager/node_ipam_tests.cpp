// Which node gets which part of the cluster's pod range.
#include "actors/controller_manager/node_ipam/core.hpp"

#include <fmt/format.h>

#include "tests/unit/controller_manager/fixture.hpp"

using namespace troupe;
using namespace troupe::controllers;
using namespace troupe::controllers::testing;

namespace {

std::string node_of_range(const std::string& name, const std::string& cidr) {
  return R"({"kind":"Node","apiVersion":"v1","metadata":{"name":")" + name + R"("},"spec":{)" +
         (cidr.empty() ? "" : R"("podCIDR":")" + cidr + "\"") + "}}";
}

/// The range that the node's turn gives it; empty: nothing is written.
std::string given(stage& on, const std::string& name) {
  auto effects = on.turn(name);
  if (stage::writes(effects).empty()) return {};
  REQUIRE(stage::writes(effects) == std::vector<std::string>{"PATCH /api/v1/nodes/" + name});
  auto body = stage::body(effects, name);
  CHECK(body.root().find("spec", "podCIDRs")->element(0).string() == body.root().find("spec", "podCIDR")->string());
  return std::string(body.root().find("spec", "podCIDR")->string());
}

}  // namespace

TEST_CASE("each node gets the lowest free part, those that are reserved excepted") {
  node_ipam_core core({"10.244.0.0/16", 1});
  stage on(core);
  on.put(0, node_of_range("a", ""));
  on.put(0, node_of_range("b", ""));
  CHECK(given(on, "a") == "10.244.1.0/24");
  CHECK(given(on, "b") == "10.244.2.0/24");
  CHECK(given(on, "a") == "10.244.1.0/24");  // a write without an answer is repeated as it was
  on.put(0, node_of_range("a", "10.244.1.0/24"));
  CHECK(given(on, "a").empty());
  on.drop(0, "a");
  on.put(0, node_of_range("c", ""));
  CHECK(given(on, "c") == "10.244.1.0/24");
}

TEST_CASE("a range that a node brings is taken, one of elsewhere is left alone") {
  node_ipam_core core({"10.244.0.0/16", 0});
  stage on(core);
  on.put(0, node_of_range("own", "10.244.0.0/24"));
  on.put(0, node_of_range("elsewhere", "192.168.7.0/24"));
  on.put(0, node_of_range("odd", "nonsense"));
  on.put(0, node_of_range("a", ""));
  CHECK(given(on, "own").empty());
  CHECK(given(on, "elsewhere").empty());
  CHECK(given(on, "a") == "10.244.1.0/24");
}

TEST_CASE("a range of another size that a node brings takes every part that it has something of") {
  node_ipam_core core({"10.244.0.0/16", 0});
  stage on(core);
  on.put(0, node_of_range("large", "10.244.0.0/23"));
  on.put(0, node_of_range("small", "10.244.2.128/26"));
  on.put(0, node_of_range("later", "10.244.4.0/24"));
  on.put(0, node_of_range("a", ""));
  on.put(0, node_of_range("b", ""));
  CHECK(given(on, "a") == "10.244.3.0/24");
  CHECK(given(on, "b") == "10.244.5.0/24");
  on.put(0, node_of_range("all", "10.0.0.0/8"));
  on.put(0, node_of_range("c", ""));
  CHECK(given(on, "c").empty());
}

TEST_CASE("when no part is left the node is told, and tried again") {
  node_ipam_core core({"10.244.0.0/23", 0});
  stage on(core);
  for (const char* name : {"a", "b", "c"}) on.put(0, node_of_range(name, ""));
  CHECK(given(on, "a") == "10.244.0.0/24");
  CHECK(given(on, "b") == "10.244.1.0/24");
  auto effects = on.turn("c");
  REQUIRE(effects.size() == 2);
  CHECK(std::get<controller::note>(effects[0]).reason == "CIDRNotAvailable");
  CHECK(std::get<controller::failed>(effects[1]).message == "no part of 10.244.0.0/23 is free for node c");
  on.drop(0, "a");
  CHECK(given(on, "c") == "10.244.0.0/24");
}

TEST_CASE("a cluster range that is none, or smaller than a part, gives nothing") {
  for (const char* range : {"", "10.244.0.0", "10.244.0.0/33", "10.244.0.0/25", "a.b.c.d/16", "10.244.0/16"}) {
    node_ipam_core core({range, 0});
    stage on(core);
    on.put(0, node_of_range("a", ""));
    CHECK(stage::writes(on.turn("a")).empty());
  }
}
