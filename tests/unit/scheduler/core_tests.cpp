// The scheduler's step: order, assumptions, rollback, back-off, hints, slices.
#include <doctest/doctest.h>

#include <set>

#include "fixture.hpp"

using namespace troupe::scheduler;
using namespace troupe::scheduler::testing;

TEST_CASE("nothing is scheduled before everything has been observed") {
  cluster c;
  c.node(make_node("n1"));
  c.pod(make_pod("a"));
  CHECK(c.bindings.empty());
  c.sync();
  CHECK(c.node_of("a") == "n1");
  CHECK(c.events.back().message == "Successfully assigned default/a to n1");
}

TEST_CASE("higher priority goes first, then the older pod") {
  cluster c;
  c.node(make_node("n1"));
  auto high = make_pod("high");
  high.priority = 10;
  c.pod(make_pod("first"));
  c.pod(make_pod("second"));
  c.pod(high);
  c.sync();
  REQUIRE(c.bindings.size() == 3);
  CHECK(c.bindings[0].name == "high");
  CHECK(c.bindings[1].name == "first");
  CHECK(c.bindings[2].name == "second");
}

TEST_CASE("an assumed pod takes room before its binding is answered") {
  cluster c;
  c.answer_bindings = false;
  c.node(make_node("n1", 1000));
  c.sync();
  c.pod(make_pod("a", 600));
  c.pod(make_pod("b", 600));
  CHECK(c.bindings.size() == 1);
  CHECK(c.message().find("1 Insufficient cpu") != std::string::npos);
}

TEST_CASE("a failed binding is rolled back, told, and tried again after the back-off") {
  cluster c;
  c.answer_bindings = false;
  c.node(make_node("n1", 1000));
  c.sync();
  c.pod(make_pod("a", 600));
  REQUIRE(c.bindings.size() == 1);
  c.send(binding_answered{c.now, "uid-a", 500, "etcd is sad"});
  CHECK(c.core.nodes.requested_cpu[0] == 0);
  CHECK(c.conditions.back().reason == "SchedulerError");
  CHECK(c.conditions.back().message == "binding rejected: running Bind plugin \"DefaultBinder\": etcd is sad");
  CHECK(c.bindings.size() == 1);
  CHECK(c.wake == c.now + 1000);
  c.advance(999);
  CHECK(c.bindings.size() == 1);
  c.advance(1);
  CHECK(c.bindings.size() == 2);
  c.send(binding_answered{c.now, "uid-a", 0, "timeout"});
  c.advance(1999);
  CHECK(c.bindings.size() == 2);
  c.advance(1);
  CHECK(c.bindings.size() == 3);
}

TEST_CASE("a pod that vanished while it was bound is forgotten") {
  cluster c;
  c.answer_bindings = false;
  c.node(make_node("n1"));
  c.sync();
  c.pod(make_pod("a", 100));
  c.send(binding_answered{c.now, "uid-a", 404, "pods \"a\" not found"});
  CHECK(c.core.queue.size() == 0);
  CHECK(c.core.nodes.pods[0] == 0);
}

TEST_CASE("a late view of an unassigned pod does not schedule it twice") {
  cluster c;
  c.node(make_node("n1"));
  c.sync();
  c.pod(make_pod("a"));
  c.pod(make_pod("a"));  // the watch is behind the binding's answer
  CHECK(c.bindings.size() == 1);
  c.assigned(make_pod("a"), "n1");
  CHECK(c.core.nodes.pods[0] == 1);
}

TEST_CASE("a watch ahead of the binding's answer confirms the binding, once") {
  cluster c;
  c.answer_bindings = false;
  c.node(make_node("n1"));
  c.sync();
  c.pod(make_pod("a", 100));
  c.assigned(make_pod("a", 100), "n1");
  c.send(binding_answered{c.now, "uid-a", 201, ""});
  REQUIRE(c.events.size() == 1);
  CHECK(c.events[0].reason == "Scheduled");
  CHECK(c.core.nodes.requested_cpu[0] == 100);
  CHECK(c.core.queue.size() == 0);
}

TEST_CASE("room made by a deleted pod wakes exactly the pods that fit it") {
  cluster c;
  c.node(make_node("n1", 1000));
  c.sync();
  c.assigned(make_pod("old", 800), "n1");
  c.pod(make_pod("fits", 500));
  c.pod(make_pod("never", 5000));
  CHECK(c.bindings.empty());
  auto told = c.events.size();
  c.now += 2000;
  c.gone("old");
  CHECK(c.node_of("fits") == "n1");
  CHECK(c.events.size() == told + 1);  // only the success
}

TEST_CASE("a new or changed node wakes waiting pods") {
  cluster c;
  c.sync();
  c.pod(make_pod("a"));
  CHECK(c.message() == "no nodes available to schedule pods");
  auto n = make_node("n1");
  n.taints = {{"node.kubernetes.io/not-ready", "", taint_effect::no_schedule}};
  c.node(n);
  CHECK(c.bindings.empty());
  n.taints.clear();
  c.node(n);
  CHECK(c.node_of("a") == "n1");
}

TEST_CASE("after five minutes a pod is tried again whatever happened") {
  cluster c;
  c.node(make_node("n1", 100));
  c.sync();
  c.pod(make_pod("a", 200));
  auto told = c.events.size();
  while (c.now < 1'000'000 + 299'000) c.advance(1000);
  CHECK(c.events.size() == told);
  for (int i = 0; i < 32; ++i) c.advance(1000);
  CHECK(c.events.size() == told + 1);
  CHECK(c.conditions.size() == 1);  // the same message is not written twice
}

TEST_CASE("gated pods wait for their gates, other schedulers' pods for others") {
  cluster c;
  c.node(make_node("n1"));
  c.sync();
  auto gated = make_pod("gated");
  gated.gates = {"example.com/wait"};
  c.pod(gated);
  auto foreign = make_pod("foreign");
  foreign.ours = false;
  c.pod(foreign);
  CHECK(c.bindings.empty());
  gated.gates.clear();
  c.pod(gated);
  CHECK(c.node_of("gated") == "n1");
  CHECK(c.bindings.size() == 1);
}

TEST_CASE("replicas of one owner spread evenly") {
  cluster c;
  for (int i = 0; i < 5; ++i) c.node(make_node("n" + std::to_string(i)));
  c.sync();
  std::map<std::string, int> per_node;
  for (int i = 0; i < 50; ++i) {
    auto p = make_pod("p" + std::to_string(i), 10, 1 << 20);
    p.owner = "rs-1";
    c.pod(p);
    ++per_node[c.node_of(p.name)];
  }
  for (auto& [node, count] : per_node) CHECK(count == 10);
}

TEST_CASE("preferences are weighed: affinity draws, soft taints repel, equals are drawn by the random number") {
  cluster c;
  auto a = make_node("a"), b = make_node("b");
  a.labels.push_back({"zone", "x"});
  c.node(a);
  c.node(b);
  c.sync();
  auto p = make_pod("drawn");
  p.preferred_affinity = {{50, {{{"zone", selector_operator::in, {"x"}}}, {}}}};
  c.pod(p);
  CHECK(c.node_of("drawn") == "a");

  cluster d;
  b.taints = {{"slow", "", taint_effect::prefer_no_schedule}};
  d.node(a);
  d.node(b);
  d.sync();
  for (int i = 0; i < 10; ++i) {
    d.pod(make_pod("p" + std::to_string(i)));
    CHECK(d.node_of("p" + std::to_string(i)) == "a");
  }

  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 16; ++seed) {
    cluster e;
    e.random = seed * 1000;
    e.node(make_node("a"));
    e.node(make_node("b"));
    e.sync();
    e.pod(make_pod("p"));
    seen.insert(e.node_of("p"));
  }
  CHECK(seen.size() == 2);
}

TEST_CASE("deleted and terminal pods free their room; a removed node takes no pods") {
  cluster c;
  c.node(make_node("n1", 1000));
  c.sync();
  c.assigned(make_pod("job", 800), "n1");
  auto done = make_pod("job", 800);
  done.node_name = "n1";
  done.terminal = true;
  c.pod(done);
  CHECK(c.core.nodes.requested_cpu[0] == 0);
  c.send(node_removed{c.now, "n1"});
  c.pod(make_pod("late"));
  CHECK(c.bindings.empty());
  CHECK(c.message() == "no nodes available to schedule pods");
}

TEST_CASE("pods on a node that is not known yet count once it appears") {
  cluster c;
  c.assigned(make_pod("early", 800), "n1");
  c.node(make_node("n1", 1000));
  c.sync();
  c.pod(make_pod("a", 500));
  CHECK(c.bindings.empty());
}

TEST_CASE("bindings in flight and steps are bounded") {
  options config;
  config.max_bindings = 8;
  config.slice_pods = 4;
  cluster c(config);
  c.answer_bindings = false;
  c.node(make_node("n1", 1'000'000, 1ll << 40, 1000));
  for (int i = 0; i < 40; ++i) c.pod(make_pod("p" + std::to_string(i), 1));
  c.sync();
  CHECK(c.bindings.size() == 8);
  CHECK(c.longest_step <= 5);
  c.answer_bindings = true;
  for (int i = 0; i < 8; ++i) c.send(binding_answered{c.now, c.bindings[static_cast<std::size_t>(i)].uid, 201, ""});
  CHECK(c.bindings.size() == 40);
}

TEST_CASE("large clusters are sampled, small ones searched whole") {
  CHECK(enough_nodes(50, 100) == 50);
  CHECK(enough_nodes(100, 100) == 100);
  CHECK(enough_nodes(1000, 100) == 420);
  CHECK(enough_nodes(6000, 100) == 300);
  CHECK(enough_nodes(10000, 100) == 500);
}

TEST_CASE("the same events give the same effects") {
  auto run = [] {
    cluster c;
    for (int i = 0; i < 300; ++i) c.node(make_node("n" + std::to_string(i), 2000 + i % 7 * 100));
    c.sync();
    for (int i = 0; i < 500; ++i) c.pod(make_pod("p" + std::to_string(i), 100 + i % 5 * 50));
    std::string log;
    for (auto& b : c.bindings) log += b.name + ">" + b.node + " ";
    return log;
  };
  CHECK(run() == run());
}
