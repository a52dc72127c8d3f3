// Ranges of this machine's nodes and routes to the others'.
#include <doctest/doctest.h>

#include "actors/pod_network/core.hpp"

using namespace troupe::pod_network;

namespace {

state of_machine() {
  state out;
  out.cluster = "10.244.0.0/16";
  out.address = "10.99.0.1";
  out.own = {{"here", ""}};
  return out;
}

std::vector<std::string> texts(const std::vector<effect>& effects) {
  std::vector<std::string> out;
  for (const auto& one : effects) {
    if (const auto* m = std::get_if<use_range>(&one)) out.push_back(m->node + " has " + m->pod_cidr);
    if (const auto* m = std::get_if<set_route>(&one)) out.push_back(m->pod_cidr + " via " + m->via);
    if (const auto* m = std::get_if<drop_route>(&one)) out.push_back("no " + m->pod_cidr);
    if (const auto* m = std::get_if<range_refused>(&one)) out.push_back(m->node + " may not have " + m->pod_cidr);
    if (const auto* m = std::get_if<keep_routes>(&one)) {
      std::string all = "keep";
      for (const auto& range : m->pod_cidrs) all += " " + range;
      out.push_back(all);
    }
  }
  return out;
}

using lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a node of this machine uses its range once it has one, and hears of it once") {
  auto s = of_machine();
  CHECK(step(s, node_observed{"here", "10.99.0.1", ""}).empty());
  CHECK(texts(step(s, node_observed{"here", "10.99.0.1", "10.244.0.0/24"})) == lines{"here has 10.244.0.0/24"});
  CHECK(step(s, node_observed{"here", "10.99.0.1", "10.244.0.0/24"}).empty());
  CHECK(texts(step(s, node_observed{"here", "10.99.0.1", "10.244.7.0/24"})) == lines{"here has 10.244.7.0/24"});
}

TEST_CASE("a route to each other machine's pods, as long as its node is there") {
  auto s = of_machine();
  CHECK(step(s, node_observed{"b", "10.99.0.2", ""}).empty());
  CHECK(texts(step(s, node_observed{"b", "10.99.0.2", "10.244.1.0/24"})) == lines{"10.244.1.0/24 via 10.99.0.2"});
  CHECK(step(s, node_observed{"b", "10.99.0.2", "10.244.1.0/24"}).empty());
  CHECK(texts(step(s, node_observed{"b", "10.99.0.3", "10.244.1.0/24"})) == lines{"10.244.1.0/24 via 10.99.0.3"});
  CHECK(texts(step(s, node_observed{"b", "10.99.0.3", "10.244.2.0/24"})) ==
        lines{"no 10.244.1.0/24", "10.244.2.0/24 via 10.99.0.3"});
  CHECK(texts(step(s, nodes_known{})) == lines{"keep 10.244.2.0/24"});
  CHECK(texts(step(s, node_removed{"b"})) == lines{"no 10.244.2.0/24"});
  CHECK(step(s, node_removed{"unknown"}).empty());
}

TEST_CASE("nodes that share this machine's address need no route") {
  auto s = of_machine();
  CHECK(step(s, node_observed{"b", "10.99.0.1", "10.244.1.0/24"}).empty());
}

TEST_CASE("a node that claims this machine's range, or another's, takes no traffic of it") {
  auto s = of_machine();
  step(s, node_observed{"here", "10.99.0.1", "10.244.0.0/24"});
  CHECK(step(s, node_observed{"evil", "10.99.0.9", "10.244.0.0/24"}).empty());
  step(s, node_observed{"b", "10.99.0.2", "10.244.1.0/24"});
  CHECK(step(s, node_observed{"evil", "10.99.0.9", "10.244.1.0/24"}).empty());
  // Who has a range keeps it, whatever the names are.
  CHECK(step(s, node_observed{"aaa", "10.99.0.8", "10.244.1.0/24"}).empty());
  CHECK(texts(step(s, node_removed{"b"})) == lines{"10.244.1.0/24 via 10.99.0.8"});
}

TEST_CASE("no route leads to what is not a whole part of the cluster's range") {
  for (const char* range : {"0.0.0.0/0", "0.0.0.0/1", "10.244.0.0/16", "10.244.2.0/23", "10.244.2.0/25",
                            "10.244.2.7/24", "10.244.2.7/32", "10.245.2.0/24", "10.99.0.0/24", "010.244.2.0/24",
                            "10.244.2.0/024", "10.244.2/24", "10.244.2.0", "fd00::/64", "nonsense", "/", ".../24"}) {
    CAPTURE(range);
    auto s = of_machine();
    CHECK(texts(step(s, node_observed{"evil", "10.99.0.9", range})) ==
          lines{std::string("evil may not have ") + range});
    CHECK(step(s, node_observed{"evil", "10.99.0.9", range}).empty());  // said once
    CHECK(s.routes.empty());
    // One that had a good range loses it.
    step(s, node_observed{"evil", "10.99.0.9", "10.244.3.0/24"});
    CHECK(s.routes.size() == 1);
    step(s, node_observed{"evil", "10.99.0.9", range});
    CHECK(s.routes.empty());
  }
}
