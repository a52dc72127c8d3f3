// The proxy's decisions: what goes into the table, and when.
#include <doctest/doctest.h>

#include "tests/unit/kube_proxy/fixture.hpp"

using namespace troupe::kube_proxy;
using namespace troupe::kube_proxy::testing;

TEST_CASE("nothing is sent before everything is known; then the table is replaced as a whole") {
  machine m;
  m.service(make_service("web", "10.96.0.10"));
  m.slice(make_slice("web-1", "web", {1, 2, 3}));
  CHECK(m.batches.empty());
  m.sync();
  REQUIRE(m.batches.size() == 1);
  CHECK(m.batches[0].kind == batch_kind::whole);
  CHECK(m.at("10.96.0.10").backends == pods({1, 2, 3}));
  CHECK(m.at("10.96.0.10").chain.kind == chain_kind::inside);
  CHECK(m.has(table_map::cluster_ips, "10.96.0.10", 0, 0));
}

TEST_CASE("an endpoint that goes moves at most one other") {
  machine m;
  m.service(make_service("web", "10.96.0.10"));
  m.slice(make_slice("web-1", "web", {1, 2, 3, 4, 5}));
  m.sync();
  m.slice(make_slice("web-1", "web", {1, 3, 4, 5}));
  REQUIRE(m.batches.size() == 2);
  CHECK(m.batches[1].kind == batch_kind::change);
  // Out: the frontend's old chain, the slot that was freed, the last slot. In: the new chain, the slot filled again.
  CHECK(m.batches[1].removed.size() == 3);
  CHECK(m.batches[1].added.size() == 2);
  CHECK(m.at("10.96.0.10").backends == pods({1, 3, 4, 5}));
}

TEST_CASE("what changes while a batch is under way goes into the next one, together") {
  machine m;
  m.service(make_service("web", "10.96.0.10"));
  m.sync();
  m.hold = true;
  m.slice(make_slice("web-1", "web", {1}));
  CHECK(m.batches.size() == 2);
  m.slice(make_slice("web-2", "web", {2}));
  m.service(make_service("db", "10.96.0.11", 5432));
  CHECK(m.batches.size() == 2);
  m.hold = false;
  m.send(m.answer());
  CHECK(m.batches.size() == 3);
  CHECK(m.at("10.96.0.10").backends == pods({1, 2}));
  CHECK(m.refused("10.96.0.11", 5432) == chain_kind::refuse);
}

TEST_CASE("a change that is taken back is not sent") {
  machine m;
  m.service(make_service("web", "10.96.0.10"));
  m.slice(make_slice("web-1", "web", {1}));
  m.sync();
  m.hold = true;
  m.service(make_service("db", "10.96.0.11"));
  m.slice(make_slice("web-1", "web", {1, 2}));
  m.slice(make_slice("web-1", "web", {1}));
  m.hold = false;
  auto before = m.batches.size();
  m.send(m.answer());
  CHECK(m.batches.size() == before);
}

TEST_CASE("a refused batch is followed, after a growing pause, by the whole table") {
  machine m;
  m.service(make_service("web", "10.96.0.10"));
  m.sync();
  m.refuse = "Device or resource busy";
  m.slice(make_slice("web-1", "web", {1}));
  REQUIRE(m.pauses.size() == 1);
  CHECK(m.pauses[0].pause_ms == 100);
  CHECK(m.pauses[0].why == "Device or resource busy");
  m.slice(make_slice("web-1", "web", {1, 2}));
  CHECK(m.batches.size() == 2);  // not before the pause is over
  m.refuse = "still";
  m.send(retry_due{});
  CHECK(m.pauses.back().pause_ms == 200);
  m.send(retry_due{});
  CHECK(m.batches.back().kind == batch_kind::whole);
  CHECK(m.at("10.96.0.10").backends == pods({1, 2}));
  CHECK(m.core.failures == 0);
}

TEST_CASE("a probe that finds the table gone brings it back") {
  machine m;
  m.service(make_service("web", "10.96.0.10"));
  m.slice(make_slice("web-1", "web", {1}));
  m.sync();
  m.send(probe_due{});
  CHECK(m.batches.back().kind == batch_kind::probe);
  CHECK(m.pauses.empty());
  m.table = {};
  m.send(probe_due{});
  CHECK(m.pauses.size() == 1);
  m.send(retry_due{});
  CHECK(m.at("10.96.0.10").backends == pods({1}));
}

TEST_CASE("an answer to another batch than the one under way is nobody's") {
  machine m;
  m.service(make_service("web", "10.96.0.10"));
  m.hold = true;
  m.sync();
  m.send(batch_done{77, "old"});
  CHECK(m.pauses.empty());
  CHECK(m.core.in_flight == m.batches.back().id);
}

TEST_CASE("ready endpoints serve; where there are none, those that serve while they terminate; else nobody") {
  machine m;
  m.service(make_service("web", "10.96.0.10"));
  auto slice = make_slice("web-1", "web", {1, 2, 3});
  slice.endpoints[0].ready = slice.endpoints[0].serving = false;
  slice.endpoints[1].ready = false;
  slice.endpoints[1].terminating = true;
  m.slice(slice);
  m.sync();
  CHECK(m.at("10.96.0.10").backends == pods({3}));
  slice.endpoints[2].ready = slice.endpoints[2].serving = false;
  m.slice(slice);
  CHECK(m.at("10.96.0.10").backends == pods({2}));
  slice.endpoints[1].serving = false;
  m.slice(slice);
  CHECK(m.at("10.96.0.10").chain.kind == chain_kind::none);
  CHECK(m.refused("10.96.0.10") == chain_kind::refuse);
}

TEST_CASE("ports are matched by name and protocol") {
  machine m;
  auto service = make_service("dns", "10.96.0.10", 53);
  service.ports = {{"dns", udp, 53, 0}, {"dns-tcp", tcp, 53, 0}, {"metrics", tcp, 9153, 0}};
  m.service(service);
  auto slice = make_slice("dns-1", "dns", {1});
  slice.ports = {{"dns", udp, 5353}, {"dns-tcp", tcp, 5354}};
  m.slice(slice);
  m.sync();
  CHECK(m.at({false, udp, 53, ip("10.96.0.10")}).backends == pods({1}, 5353));
  CHECK(m.at({false, tcp, 53, ip("10.96.0.10")}).backends == pods({1}, 5354));
  CHECK(m.refused("10.96.0.10", 9153) == chain_kind::refuse);
}

TEST_CASE("node ports, external and balancer addresses are masqueraded; the cluster address is not") {
  machine m;
  auto service = make_service("web", "10.96.0.10");
  service.ports[0].node_port = 30080;
  service.external_ips = {ip("203.0.113.5")};
  service.balancer_ips = {ip("203.0.113.6")};
  m.service(service);
  m.slice(make_slice("web-1", "web", {1, 2}));
  m.sync();
  CHECK(m.at("10.96.0.10").chain.kind == chain_kind::inside);
  for (auto at : {frontend{true, tcp, 30080, 0}, frontend{false, tcp, 80, ip("203.0.113.5")},
                  frontend{false, tcp, 80, ip("203.0.113.6")}}) {
    CHECK(m.at(at).chain.kind == chain_kind::outside);
    CHECK(m.at(at).chain.node_port == at.node_port);
    CHECK(m.at(at).backends == pods({1, 2}));
  }
}

TEST_CASE("externalTrafficPolicy Local: this machine's endpoints for the outside, all of them for the cluster") {
  machine m;
  auto service = make_service("web", "10.96.0.10");
  service.ports[0].node_port = 30080;
  service.external_local = true;
  m.service(service);
  auto slice = make_slice("web-1", "web", {1, 2, 3});
  slice.endpoints[1].local = true;
  m.slice(slice);
  m.sync();
  frontend port{true, tcp, 30080, 0};
  CHECK(m.at(port).chain.kind == chain_kind::local);
  CHECK(m.at(port).backends == pods({2}));
  CHECK(m.at(port).near == pods({1, 2, 3}));
  CHECK(m.at("10.96.0.10").backends == pods({1, 2, 3}));
  slice.endpoints[1].local = false;
  m.slice(slice);
  CHECK(m.at(port).backends.empty());
  CHECK(m.at(port).near == pods({1, 2, 3}));
  CHECK(m.table.elements.at({table_map::refused_node_ports, tcp, 30080, 0, 0, 0}).chain.kind == chain_kind::drop);
  m.slice(make_slice("web-1", "web", {}));
  CHECK(m.at(port).chain.kind == chain_kind::none);
  CHECK(m.table.elements.at({table_map::refused_node_ports, tcp, 30080, 0, 0, 0}).chain.kind == chain_kind::refuse);
}

TEST_CASE("internalTrafficPolicy Local: only this machine's endpoints, and silence where others have some") {
  machine m;
  auto service = make_service("web", "10.96.0.10");
  service.internal_local = true;
  m.service(service);
  auto slice = make_slice("web-1", "web", {1, 2});
  slice.endpoints[0].local = true;
  m.slice(slice);
  m.sync();
  CHECK(m.at("10.96.0.10").backends == pods({1}));
  slice.endpoints[0].local = false;
  m.slice(slice);
  CHECK(m.refused("10.96.0.10") == chain_kind::drop);
}

TEST_CASE("hairpins are known for endpoints of this machine only") {
  machine m;
  m.service(make_service("web", "10.96.0.10"));
  auto slice = make_slice("web-1", "web", {1, 2});
  slice.endpoints[0].local = true;
  m.slice(slice);
  m.sync();
  CHECK(m.has(table_map::hairpins, "10.244.0.1", 0, 0));
  CHECK_FALSE(m.has(table_map::hairpins, "10.244.0.2", 0, 0));
}

TEST_CASE("session affinity: a backend keeps its id while others come and go, and never gets it back") {
  machine m;
  auto service = make_service("web", "10.96.0.10");
  service.affinity_seconds = 60;
  m.service(service);
  m.slice(make_slice("web-1", "web", {1, 2, 3}));
  m.sync();
  CHECK(m.at("10.96.0.10").backends == pods({1, 2, 3}));
  CHECK(m.at("10.96.0.10").chain.affinity_seconds == 60);
  auto ids = [&] { return m.core.services.at("default/web").lines.at("").ids; };
  auto before = ids();
  m.slice(make_slice("web-1", "web", {2, 3}));
  m.slice(make_slice("web-1", "web", {1, 2, 3}));
  auto after = ids();
  backend one{ip("10.244.0.1"), 8080}, two{ip("10.244.0.2"), 8080};
  CHECK(after.at(two) == before.at(two));
  CHECK(after.at(one) != before.at(one));
  CHECK(m.at("10.96.0.10").backends == pods({1, 2, 3}));
  service.affinity_seconds = 0;
  m.service(service);
  CHECK(ids().empty());
  CHECK(m.at("10.96.0.10").backends == pods({1, 2, 3}));
}

TEST_CASE("of two Services with one address the first by name has it, whoever came first") {
  machine m;
  auto b = make_service("b", "10.96.0.11"), a = make_service("a", "10.96.0.12");
  b.external_ips = a.external_ips = {ip("203.0.113.5")};
  m.service(b);
  m.slice(make_slice("b-1", "b", {2}));
  m.sync();
  frontend shared{false, tcp, 80, ip("203.0.113.5")};
  CHECK(m.at(shared).backends == pods({2}));
  m.service(a);
  m.slice(make_slice("a-1", "a", {1}));
  CHECK(m.at(shared).backends == pods({1}));
  m.send(service_removed{"default/a"});
  CHECK(m.at(shared).backends == pods({2}));
  CHECK(m.pauses.empty());
}

TEST_CASE("source ranges: nested ones are left out, everyone is no limit") {
  machine m;
  auto service = make_service("web", "10.96.0.10");
  service.balancer_ips = {ip("203.0.113.6")};
  service.source_ranges = {*parse_range("10.0.0.0/8"), *parse_range("10.1.0.0/16"), *parse_range("192.0.2.0/24")};
  m.service(service);
  m.sync();
  CHECK(m.has(table_map::limited, "203.0.113.6"));
  auto allowed = [&](const char* base, std::uint8_t bits) {
    return m.table.elements.count({table_map::allowed, tcp, 80, ip("203.0.113.6"), ip(base), bits});
  };
  CHECK(allowed("10.0.0.0", 8) == 1);
  CHECK(allowed("10.1.0.0", 16) == 0);
  CHECK(allowed("192.0.2.0", 24) == 1);
  service.source_ranges.push_back({0, 0});
  m.service(service);
  CHECK_FALSE(m.has(table_map::limited, "203.0.113.6"));
}

TEST_CASE("addresses that this machine announces are told when everything is known, and when they change") {
  machine m;
  auto web = make_service("web", "10.96.0.1");
  web.balancer_ips = {ip("203.0.113.8")};
  web.announced = true;
  m.service(web);
  CHECK(m.announced.empty());
  m.sync();
  using order = std::vector<address>;
  CHECK(m.announced == std::vector<order>{{ip("203.0.113.8")}});
  const element_key own{table_map::announced, 0, 0, ip("203.0.113.8"), 0, 0};
  CHECK(m.table.elements.count(own) == 1);
  auto other = make_service("other", "10.96.0.2");
  other.balancer_ips = {ip("203.0.113.7")};
  m.service(other);
  CHECK(m.announced.size() == 1);  // another machine's
  other.announced = true;
  m.service(other);
  CHECK(m.announced.back() == order{ip("203.0.113.7"), ip("203.0.113.8")});
  m.send(service_removed{"default/web"});
  CHECK(m.announced.back() == order{ip("203.0.113.7")});
  CHECK(m.table.elements.count(own) == 0);
  other.announced = false;
  m.service(other);
  CHECK(m.announced.back().empty());
  CHECK(m.announced.size() == 4);
}

TEST_CASE("a machine that announces nothing says so, for the sake of an earlier incarnation") {
  machine m;
  m.service(make_service("web", "10.96.0.1"));
  m.sync();
  CHECK(m.announced == std::vector<std::vector<address>>{{}});
}

TEST_CASE("UDP flows are looked after when the backends change, TCP's are not") {
  machine m;
  auto service = make_service("dns", "10.96.0.10", 53);
  service.ports = {{"dns", udp, 53, 30053}, {"tcp", tcp, 53, 0}};
  m.service(service);
  auto slice = make_slice("dns-1", "dns", {1, 2});
  slice.ports = {{"dns", udp, 53}, {"tcp", tcp, 53}};
  m.slice(slice);
  m.sync();
  CHECK(m.batches.back().flows.size() == 2);
  slice.endpoints.pop_back();
  m.slice(slice);
  REQUIRE(m.batches.back().flows.size() == 2);
  CHECK(m.batches.back().flows[0].at == frontend{false, udp, 53, ip("10.96.0.10")});
  CHECK(m.batches.back().flows[0].backends == std::vector<backend>{{ip("10.244.0.1"), 53}});
  CHECK(m.batches.back().flows[1].at == frontend{true, udp, 30053, 0});
  m.refuse = "busy";
  m.send(service_removed{"default/dns"});
  m.send(retry_due{});
  REQUIRE(m.batches.back().flows.size() == 2);
  CHECK(m.batches.back().flows[0].backends.empty());
}

TEST_CASE("a slice may name another Service, come before its Service and outlive it") {
  machine m;
  m.slice(make_slice("s", "a", {1}));
  m.sync();
  CHECK(m.table.elements.empty());
  m.service(make_service("a", "10.96.0.10"));
  m.service(make_service("b", "10.96.0.11"));
  CHECK(m.at("10.96.0.10").backends == pods({1}));
  m.slice(make_slice("s", "b", {1}));
  CHECK(m.refused("10.96.0.10") == chain_kind::refuse);
  CHECK(m.at("10.96.0.11").backends == pods({1}));
  m.send(service_removed{"default/b"});
  CHECK(m.at("10.96.0.11").chain.kind == chain_kind::none);
  m.send(slice_removed{"default/s"});
  m.send(service_removed{"default/a"});
  CHECK(m.table.elements.empty());
  CHECK(m.core.services.empty());
}

TEST_CASE("many services are looked at in slices, and sent together") {
  machine m;
  for (int i = 0; i < 1000; ++i) {
    auto service = make_service("s" + std::to_string(i), "10.97.0.0");
    service.cluster_ip += static_cast<address>(i);
    m.service(service);
  }
  m.sync();
  CHECK(m.batches.size() == 1);
  CHECK(m.turns == 1000 / 32 + 1);
}

TEST_CASE("chains that nobody needs any more go with a whole table when there are too many") {
  options limits;
  limits.most_chains = 5;
  machine m(limits);
  auto service = make_service("web", "10.96.0.10");
  m.service(service);
  m.slice(make_slice("web-1", "web", {1}));
  m.sync();
  for (std::uint32_t seconds = 1; seconds < 20; ++seconds) {
    service.affinity_seconds = seconds;
    m.service(service);
    CHECK(m.at("10.96.0.10").backends == pods({1}));
  }
  CHECK(m.table.chains.size() <= 6);
}
