// Which nodes' pods can be reached from other machines.
#include "actors/cloud_controller_manager/route/core.hpp"

#include <doctest/doctest.h>

#include "tests/unit/cloud_controller_manager/fixture.hpp"

using namespace troupe;
using namespace troupe::cloud;
using namespace troupe::cloud::testing;

namespace {

/// A condition NetworkUnavailable comes with the node where `unavailable` says so.
std::string node_with_range(const std::string& name, const std::string& cidr, const std::string& unavailable = "",
                            bool address = true) {
  auto out = node_json(name, "True", R"("podCIDR":")" + cidr + "\"");
  auto cut = [&](const std::string& what, const std::string& by) { out.replace(out.find(what), what.size(), by); };
  if (!address) cut("InternalIP", "InternalDNS");
  if (!unavailable.empty())
    cut(R"("conditions":[)", R"("conditions":[{"type":"NetworkUnavailable","status":")" + unavailable + R"("},)");
  return out;
}

/// The condition that the node's turn writes: status and reason; empty: none.
std::string condition(stage& on, const std::string& name) {
  auto effects = on.turn(name);
  if (stage::writes(effects).empty()) return {};
  CHECK(stage::writes(effects) == std::vector<std::string>{"PATCH /api/v1/nodes/" + name + "/status"});
  auto body = stage::body(effects, "/status");
  const node& one = body.root().find("status", "conditions")->element(0);
  CHECK(one.find("type")->string() == "NetworkUnavailable");
  CHECK(one.find("lastTransitionTime")->string() == "2026-01-01T00:00:00Z");
  return std::string(one.find("status")->string()).append(" ").append(one.find("reason")->string());
}

}  // namespace

TEST_CASE("a node with a range of its own has a route, and is told once") {
  route_core core("10.244.0.0/16");
  stage on(core);
  on.put(0, node_with_range("a1", ""));
  CHECK(condition(on, "a1").empty());
  on.put(0, node_with_range("a1", "10.244.1.0/24"));
  CHECK(condition(on, "a1") == "False RouteCreated");
  on.put(0, node_with_range("a1", "10.244.1.0/24", "False"));
  CHECK(condition(on, "a1").empty());
  on.woken.clear();
  on.put(0, node_with_range("a1", "10.244.1.0/24", "False"));
  CHECK(on.woken.empty());
}

TEST_CASE("a range that no machine routes is told too") {
  route_core core("10.244.0.0/16");
  stage on(core);
  on.put(0, node_with_range("a1", "10.244.0.0/16"));
  CHECK(condition(on, "a1") == "True NoRouteCreated");
  on.put(0, node_with_range("a2", "192.168.1.0/24"));
  CHECK(condition(on, "a2") == "True NoRouteCreated");
  on.put(0, node_with_range("a3", "10.244.3.0/24", "", false));
  CHECK(condition(on, "a3") == "True NoRouteCreated");
}

TEST_CASE("of two nodes with one range the one that had it keeps it, and the other follows when it goes") {
  route_core core("10.244.0.0/16");
  stage on(core);
  on.put(0, node_with_range("a2", "10.244.1.0/24", "False"));
  on.put(0, node_with_range("a1", "10.244.1.0/24"));
  CHECK(condition(on, "a1") == "True NoRouteCreated");
  CHECK(condition(on, "a2").empty());
  on.put(0, node_with_range("a1", "10.244.1.0/24", "True"));
  on.woken.clear();
  on.drop(0, "a2");
  CHECK(on.woken == std::vector<std::string>{"a1"});
  CHECK(condition(on, "a1") == "False RouteCreated");
}
