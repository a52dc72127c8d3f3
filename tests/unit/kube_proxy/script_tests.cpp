// What nft is told.
#include <doctest/doctest.h>

#include "actors/kube_proxy/script.hpp"
#include "tests/unit/kube_proxy/fixture.hpp"

using namespace troupe::kube_proxy;
using namespace troupe::kube_proxy::testing;

namespace {

const script_options options_for_tests{{0x0af40000, 16}};

std::string text(const batch& b) { return script_for(b, options_for_tests); }

bool has(const std::string& script, const std::string& line) { return script.find(line) != std::string::npos; }

}  // namespace

TEST_CASE("adding, changing and removing a Service") {
  machine m;
  m.sync();
  m.service(make_service("web", "10.96.0.10"));
  CHECK(text(m.batches.back()) ==
        "add element ip troupe refused { 10.96.0.10 . tcp . 80 : goto refuse }\n"
        "add element ip troupe cluster_ips { 10.96.0.10 }\n");
  m.slice(make_slice("web-1", "web", {1, 2}));
  CHECK(text(m.batches.back()) ==
        "delete element ip troupe refused { 10.96.0.10 . tcp . 80 }\n"
        "add chain ip troupe inside_2\n"
        "add rule ip troupe inside_2 dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 2 map "
        "@endpoints\n"
        "add element ip troupe services { 10.96.0.10 . tcp . 80 : goto inside_2 }\n"
        "add element ip troupe endpoints { 10.96.0.10 . tcp . 80 . 0 : 10.244.0.1 . 8080, 10.96.0.10 . tcp . 80 . 1 : "
        "10.244.0.2 . 8080 }\n");
  m.slice(make_slice("web-1", "web", {3, 2}));
  CHECK(text(m.batches.back()) ==
        "delete element ip troupe endpoints { 10.96.0.10 . tcp . 80 . 0, 10.96.0.10 . tcp . 80 . 1 }\n"
        "add element ip troupe endpoints { 10.96.0.10 . tcp . 80 . 0 : 10.244.0.2 . 8080, 10.96.0.10 . tcp . 80 . 1 : "
        "10.244.0.3 . 8080 }\n");
  m.send(service_removed{"default/web"});
  CHECK(text(m.batches.back()) ==
        "delete element ip troupe services { 10.96.0.10 . tcp . 80 }\n"
        "delete element ip troupe endpoints { 10.96.0.10 . tcp . 80 . 0, 10.96.0.10 . tcp . 80 . 1 }\n"
        "delete element ip troupe cluster_ips { 10.96.0.10 }\n");
}

TEST_CASE("a whole table takes the place of the one before in the same transaction") {
  machine m;
  auto service = make_service("web", "10.96.0.10");
  service.ports[0].node_port = 30080;
  service.external_local = true;
  service.affinity_seconds = 60;
  m.service(service);
  auto slice = make_slice("web-1", "web", {1, 2});
  slice.endpoints[0].local = true;
  m.slice(slice);
  m.sync();
  auto script = text(m.batches.back());
  CHECK(script.starts_with("add table ip troupe\ndelete table ip troupe\ntable ip troupe {"));
  CHECK(has(script, "add rule ip troupe node_port_local_1_2_60s ip saddr 10.244.0.0/16 goto node_port_near_2_60s\n"));
  CHECK(has(script, "fib saddr type local meta mark set meta mark or 0x4000 goto node_port_near_2_60s\n"));
  CHECK(has(script, "add rule ip troupe node_port_local_1_2_60s goto node_port_inside_1_60s\n"));
  CHECK(has(script, "numgen random mod 2 offset 32768 map @node_port_sticky_slots\n"));
  CHECK(has(script, "node_ports { tcp . 30080 : goto node_port_local_1_2_60s }"));
  CHECK(has(script, "node_port_sticky_slots { tcp . 30080 . 0 : 7472:1, tcp . 30080 . 32768 : 7472:1"));
  CHECK(has(script, "hairpins { 10.244.0.1 . 10.244.0.1 }"));
}
