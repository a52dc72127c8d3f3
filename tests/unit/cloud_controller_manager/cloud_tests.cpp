// The cloud controllers with the local provider.
#include <doctest/doctest.h>

#include <algorithm>

#include "actors/cloud_controller_manager/local/provider.hpp"
#include "actors/cloud_controller_manager/node/core.hpp"
#include "tests/unit/cloud_controller_manager/fixture.hpp"

using namespace troupe;
using namespace troupe::cloud;
using namespace troupe::cloud::testing;

namespace {

std::string machines(const std::string& data) {
  return R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"local-cloud","namespace":"kube-system","uid":"c"},)"
         R"("data":{)" +
         data + "}}";
}

struct node_stage {
  node_core core{std::make_unique<local_provider>()};
  stage on{core};
};

}  // namespace

TEST_CASE("a node that registers gets its provider id and its place, and loses the taint, in one write") {
  node_stage s;
  s.on.put(1, machines(R"("a1":"zone: east-1\nregion: east\ninstanceType: small\n")"));
  s.on.put(
      0,
      node_json(
          "a1", "False",
          R"("taints":[{"key":"node.cloudprovider.kubernetes.io/uninitialized","value":"true","effect":"NoSchedule"},)"
          R"({"key":"mine","effect":"NoExecute"}])"));
  auto effects = s.on.turn("a1");
  CHECK(stage::writes(effects) == std::vector<std::string>{"PATCH /api/v1/nodes/a1"});
  auto body = stage::body(effects, "/nodes/a1");
  CHECK(text(body, {"spec", "providerID"}) == "local://a1");
  CHECK(text(body, {"spec", "taints"}) == R"([{"key":"mine","effect":"NoExecute"}])");
  CHECK(text(body, {"metadata", "labels", "topology.kubernetes.io/zone"}) == "east-1");
  CHECK(text(body, {"metadata", "labels", "topology.kubernetes.io/region"}) == "east");
  CHECK(text(body, {"metadata", "labels", "node.kubernetes.io/instance-type"}) == "small");
  CHECK(text(body, {"metadata", "resourceVersion"}) != "");
}

TEST_CASE("a node that is as it should be is left alone") {
  node_stage s;
  s.on.put(0, node_json("a1", "True", R"("providerID":"local://a1")"));
  CHECK(s.on.turn("a1").empty());
  s.on.put(1, machines(R"("a1":"zone: z\n")"));
  s.on.put(0, node_json("a1", "True", R"("providerID":"other://x")", R"("topology.kubernetes.io/zone":"y")"));
  CHECK(s.on.turn("a1").empty());
}

TEST_CASE("addresses that the provider knows are added, the kubelet's stay") {
  node_stage s;
  s.on.put(1, machines(R"("a1":"addresses: {ExternalIP: 203.0.113.1, InternalIP: 10.0.0.1}")"));
  s.on.put(0, node_json("a1", "True", R"("providerID":"local://a1")"));
  auto effects = s.on.turn("a1");
  CHECK(stage::writes(effects) == std::vector<std::string>{"PATCH /api/v1/nodes/a1/status"});
  CHECK(text(stage::body(effects, "/status"), {"status", "addresses"}) ==
        R"([{"type":"ExternalIP","address":"203.0.113.1"}])");
}

TEST_CASE("a node whose machine is gone is deleted once it reports no more; without a list every machine exists") {
  node_stage s;
  s.on.put(0, node_json("a1", "Unknown", R"("providerID":"local://a1")"));
  CHECK(s.on.turn("a1").empty());
  s.on.woken.clear();
  s.on.put(1, machines(R"("a2":"")"));
  CHECK(s.on.woken == std::vector<std::string>{"a1"});
  auto effects = s.on.turn("a1");
  CHECK(stage::writes(effects) == std::vector<std::string>{"DELETE /api/v1/nodes/a1"});
  CHECK(text(stage::body(effects, "/nodes/a1"), {"preconditions", "uid"}) == "u-a1");
  CHECK(notes(effects) ==
        std::vector<std::string>{"DeletingNode: Deleting node a1 because it does not exist in the cloud provider"});
  s.on.put(0, node_json("a1", "True", R"("providerID":"local://a1")"));
  CHECK(s.on.turn("a1").empty());
}

TEST_CASE("what the provider cannot tell deletes nobody") {
  node_stage s;
  s.on.put(0, node_json("a1", "Unknown", R"("providerID":"local://a1")"));
  for (auto* broken : {R"("a1":"{")", R"("a1":"[]")", R"("a1":"state: gone")"}) {
    s.on.put(1, machines(broken));
    auto effects = s.on.turn("a1");
    CHECK(stage::writes(effects).empty());
    CHECK(std::any_of(effects.begin(), effects.end(),
                      [](const auto& one) { return std::holds_alternative<controller::failed>(one); }));
    CHECK(notes(effects).size() == 1);
  }
}

TEST_CASE("a machine that is stopped taints its node until it is back") {
  node_stage s;
  s.on.put(1, machines(R"("a1":"state: stopped")"));
  s.on.put(0, node_json("a1", "Unknown", R"("providerID":"local://a1")"));
  CHECK(text(stage::body(s.on.turn("a1"), "/nodes/a1"), {"spec", "taints"}) ==
        R"([{"key":"node.cloudprovider.kubernetes.io/shutdown","effect":"NoSchedule"}])");
  auto tainted =
      R"("providerID":"local://a1","taints":[{"key":"node.cloudprovider.kubernetes.io/shutdown","effect":"NoSchedule"}])";
  s.on.put(0, node_json("a1", "Unknown", tainted));
  CHECK(s.on.turn("a1").empty());
  s.on.put(0, node_json("a1", "True", tainted));
  CHECK(text(stage::body(s.on.turn("a1"), "/nodes/a1"), {"spec", "taints"}) == "[]");
}
