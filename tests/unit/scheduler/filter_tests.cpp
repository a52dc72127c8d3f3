// Filters, one by one, and how their verdicts are worded.
#include <doctest/doctest.h>

#include "fixture.hpp"

using namespace troupe::scheduler;
using namespace troupe::scheduler::testing;

namespace {

const std::string no_victims = "No preemption victims found for incoming pod.";
const std::string no_help = "Preemption is not helpful for scheduling.";

std::string rejected(const std::string& reasons, const std::string& preemption, int nodes = 1) {
  auto all = "0/" + std::to_string(nodes) + " nodes are available:";
  return all + " " + reasons + ". no new claims to deallocate, preemption: " + all + " " + preemption;
}

toleration tolerate(std::string key, std::string value, bool exists = false) {
  toleration t;
  t.key = std::move(key);
  t.value = std::move(value);
  t.exists = exists;
  return t;
}

}  // namespace

TEST_CASE("no node at all has its own sentence") {
  cluster c;
  c.sync();
  c.pod(make_pod("a"));
  CHECK(c.message() == "no nodes available to schedule pods");
  CHECK(c.events.back().reason == "FailedScheduling");
  CHECK(c.conditions.back().reason == "Unschedulable");
}

TEST_CASE("a pod is placed by every filter or explained in Kubernetes' words") {
  struct row {
    const char* name;
    void (*change)(node_info&, pod_info&);
    std::string message;  // empty: placed
  };
  std::vector<row> rows = {
      {"nothing asked", [](node_info&, pod_info&) {}, ""},
      {"cordoned", [](node_info& n, pod_info&) { n.unschedulable = true; },
       rejected("1 node(s) were unschedulable", "1 " + no_help)},
      {"cordoned but tolerated",
       [](node_info& n, pod_info& p) {
         n.unschedulable = true;
         p.tolerations = {tolerate("node.kubernetes.io/unschedulable", "", true)};
       },
       ""},
      {"taint",
       [](node_info& n, pod_info&) {
         n.taints = {{"a", "b", taint_effect::no_schedule}};
       },
       rejected("1 node(s) had untolerated taint(s)", "1 " + no_help)},
      {"taint NoExecute, other value tolerated",
       [](node_info& n, pod_info& p) {
         n.taints = {{"a", "b", taint_effect::no_execute}};
         p.tolerations = {tolerate("a", "c")};
       },
       rejected("1 node(s) had untolerated taint(s)", "1 " + no_help)},
      {"taint tolerated by value",
       [](node_info& n, pod_info& p) {
         n.taints = {{"a", "b", taint_effect::no_execute}};
         p.tolerations = {tolerate("a", "b")};
       },
       ""},
      {"everything tolerated",
       [](node_info& n, pod_info& p) {
         n.taints = {{"a", "b", taint_effect::no_schedule}};
         p.tolerations = {tolerate("", "", true)};
       },
       ""},
      {"preference alone does not reject",
       [](node_info& n, pod_info&) {
         n.taints = {{"a", "b", taint_effect::prefer_no_schedule}};
       },
       ""},
      {"node selector",
       [](node_info&, pod_info& p) {
         p.node_selector = {{"disk", "ssd"}};
       },
       rejected("1 node(s) didn't match Pod's node affinity/selector", "1 " + no_help)},
      {"node selector met",
       [](node_info& n, pod_info& p) {
         n.labels.push_back({"disk", "ssd"});
         p.node_selector = {{"disk", "ssd"}};
       },
       ""},
      {"required affinity with an empty list", [](node_info&, pod_info& p) { p.has_required_affinity = true; },
       rejected("1 node(s) didn't match Pod's node affinity/selector", "1 " + no_help)},
      {"greater than",
       [](node_info& n, pod_info& p) {
         n.labels.push_back({"cores", "8"});
         p.has_required_affinity = true;
         p.required_affinity = {{{{"cores", selector_operator::gt, {"7"}}}, {}}};
       },
       ""},
      {"not greater than",
       [](node_info& n, pod_info& p) {
         n.labels.push_back({"cores", "8"});
         p.has_required_affinity = true;
         p.required_affinity = {{{{"cores", selector_operator::gt, {"8"}}}, {}}};
       },
       rejected("1 node(s) didn't match Pod's node affinity/selector", "1 " + no_help)},
      {"more cpu than the node will ever have", [](node_info&, pod_info& p) { p.requests.milli_cpu = 4001; },
       rejected("1 Insufficient cpu", "1 " + no_help)},
      {"exactly all cpu", [](node_info&, pod_info& p) { p.requests.milli_cpu = 4000; }, ""},
      {"cpu and an unknown device",
       [](node_info&, pod_info& p) {
         p.requests.milli_cpu = 4001;
         p.requests.scalars = {{"example.com/gpu", 1}};
       },
       rejected("1 Insufficient cpu, 1 Insufficient example.com/gpu", "1 " + no_help)},
      {"no pods allowed", [](node_info& n, pod_info&) { n.allocatable_pods = 0; },
       rejected("1 Too many pods", "1 " + no_victims)},
      {"preemption forbidden",
       [](node_info& n, pod_info& p) {
         n.allocatable_pods = 0;
         p.never_preempts = true;
       },
       "0/1 nodes are available: 1 Too many pods. no new claims to deallocate, preemption: not eligible due to "
       "preemptionPolicy=Never."},
      {"named node that is not there",
       [](node_info&, pod_info& p) {
         p.has_required_affinity = true;
         p.required_affinity = {{{}, {{"metadata.name", selector_operator::in, {"other"}}}}};
       },
       rejected("1 node(s) didn't satisfy plugin(s) [NodeAffinity]", "1 " + no_help)},
      {"named node",
       [](node_info&, pod_info& p) {
         p.has_required_affinity = true;
         p.required_affinity = {{{}, {{"metadata.name", selector_operator::in, {"n1"}}}}};
       },
       ""},
  };
  for (auto& r : rows) {
    CAPTURE(r.name);
    cluster c;
    auto n = make_node("n1");
    auto p = make_pod("a");
    r.change(n, p);
    c.node(n);
    c.sync();
    c.pod(p);
    CHECK(c.message() == r.message);
    CHECK(c.node_of("a") == (r.message.empty() ? "n1" : ""));
  }
}

TEST_CASE("host ports collide by protocol and address") {
  auto with_port = [](const char* name, const char* ip, const char* protocol) {
    auto p = make_pod(name);
    p.ports = {{ip, protocol, 80}};
    return p;
  };
  cluster c;
  c.node(make_node("n1"));
  c.sync();
  c.assigned(with_port("used", "127.0.0.1", "TCP"), "n1");
  c.pod(with_port("udp", "", "UDP"));
  CHECK(c.node_of("udp") == "n1");
  c.pod(with_port("other-address", "127.0.0.2", "TCP"));
  CHECK(c.node_of("other-address") == "n1");
  c.pod(with_port("any-address", "0.0.0.0", "TCP"));
  CHECK(c.node_of("any-address") == "");
  CHECK(c.message() == rejected("1 node(s) didn't have free ports for the requested pod ports", "1 " + no_victims));
}

TEST_CASE("reasons are counted and sorted as texts") {
  cluster c;
  for (int i = 0; i < 2; ++i) {
    auto n = make_node("tainted" + std::to_string(i));
    n.taints = {{"a", "b", taint_effect::no_schedule}};
    c.node(n);
  }
  for (int i = 0; i < 10; ++i) {
    auto name = "full" + std::to_string(i);
    c.node(make_node(name, 1000));
    c.assigned(make_pod("p-" + name, 900), name);
  }
  c.sync();
  c.pod(make_pod("a", 500));
  CHECK(c.message() ==
        "0/12 nodes are available: 10 Insufficient cpu, 2 node(s) had untolerated taint(s). no new claims "
        "to deallocate, preemption: 0/12 nodes are available: 10 No preemption victims found for incoming "
        "pod, 2 Preemption is not helpful for scheduling.");
}

TEST_CASE("a required constraint that is not evaluated is said, not ignored") {
  cluster c;
  c.node(make_node("n1"));
  c.sync();
  auto p = make_pod("a");
  p.unsupported = {"this scheduler does not evaluate required pod affinity"};
  c.pod(p);
  CHECK(c.bindings.empty());
  CHECK(c.message().find("0/1 nodes are available: this scheduler does not evaluate required pod affinity.") == 0);
}

TEST_CASE("the verdict tells plug-in and reasons of every node") {
  cluster c;
  c.node(make_node("small", 100));
  auto cordoned = make_node("cordoned");
  cordoned.unschedulable = true;
  c.node(cordoned);
  c.sync();
  c.pod(make_pod("a", 200));
  auto v = explain(c.core, "uid-a");
  REQUIRE(v.nodes.size() == 2);
  CHECK(v.nodes[0].node == "small");
  CHECK(v.nodes[0].plugin == "NodeResourcesFit");
  CHECK(v.nodes[0].reasons == std::vector<std::string>{"Insufficient cpu"});
  CHECK(v.nodes[1].plugin == "NodeUnschedulable");
}
