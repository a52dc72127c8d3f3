// Ranges of this machine's nodes and routes to the others'.
#include <doctest/doctest.h>

#include "actors/pod_network/core.hpp"

using namespace troupe::pod_network;

namespace {

state of_machine() {
  state out;
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
}
