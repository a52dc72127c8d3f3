// Whatever has happened: the table that changes have made is the one that a proxy starting now would make.
#include <doctest/doctest.h>

#include <random>

#include "tests/unit/kube_proxy/fixture.hpp"

using namespace troupe::kube_proxy;
using namespace troupe::kube_proxy::testing;

namespace {

/// Services and slices as an api_server would show them; few names and addresses, so that they clash.
struct world {
  explicit world(std::uint32_t seed) : random(seed) {}
  std::mt19937 random;
  std::map<std::string, service_info> services;
  std::map<std::string, slice_info> slices;

  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); }
  bool one_in(std::uint32_t n) { return below(n) == 0; }

  event happen() {
    auto name = "s" + std::to_string(below(5));
    switch (below(5)) {
      case 0: {
        services.erase("default/" + name);
        return service_removed{"default/" + name};
      }
      case 1: {
        auto key = "default/slice-" + std::to_string(below(6));
        slices.erase(key);
        return slice_removed{key};
      }
      case 2:
        return service_observed{services["default/" + name] = random_service(name)};
      default: {
        auto slice = random_slice("slice-" + std::to_string(below(6)), name);
        return slice_observed{slices[slice.key] = slice};
      }
    }
  }

  service_info random_service(const std::string& name) {
    auto s = make_service(name, "10.96.0.0");
    s.cluster_ip += below(8);
    if (one_in(2)) s.ports.push_back({"dns", udp, 53, 0});
    for (std::size_t i = 0; i < s.ports.size(); ++i) {
      if (s.ports.size() > 1 && i == 0) s.ports[i].name = "web";
      if (one_in(2)) s.ports[i].node_port = static_cast<std::uint16_t>(30000 + below(3));
    }
    if (one_in(3)) s.external_ips.push_back(ip("203.0.113.0") + below(3));
    if (one_in(3)) s.balancer_ips.push_back(ip("203.0.113.0") + below(3));
    if (one_in(3)) s.source_ranges.push_back({ip("192.0.2.0"), static_cast<std::uint8_t>(24 + below(3))});
    s.internal_local = one_in(4);
    s.external_local = one_in(3);
    if (one_in(3)) s.affinity_seconds = 60 + below(2);
    return s;
  }

  slice_info random_slice(const std::string& name, const std::string& service) {
    auto s = make_slice(name, service, {});
    s.ports = {{one_in(2) ? "" : "web", tcp, 8080}, {"dns", udp, 53}};
    auto count = below(6);
    for (std::uint32_t i = 0; i < count; ++i) {
      endpoint_info one;
      one.ip = ip("10.244.0.0") + below(8);
      one.ready = !one_in(3);
      one.terminating = !one.ready && one_in(2);
      one.serving = one.ready || one_in(2);
      one.local = one_in(2);
      s.endpoints.push_back(one);
    }
    return s;
  }
};

/// The table without the order of slots and without ids, which depend on what has been.
struct essence {
  std::map<frontend, machine::way> ways;
  std::map<element_key, element_value> rest;
  bool operator==(const essence&) const = default;

  explicit essence(const paper_table& table) {
    for (const auto& [key, value] : table.elements) {
      if (key.map == table_map::services || key.map == table_map::node_ports) {
        frontend at{key.map == table_map::node_ports, key.protocol, key.port, key.ip};
        ways[at] = machine::way_of(table, at);
      } else if (key.map >= table_map::refused) {
        rest[key] = value;
      }
    }
  }
};

machine fresh(const world& all) {
  machine m;
  for (const auto& [key, service] : all.services) m.service(service);
  for (const auto& [key, slice] : all.slices) m.slice(slice);
  m.sync();
  return m;
}

}  // namespace

TEST_CASE("incremental and whole tables agree for random histories") {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    world all(seed);
    machine m;
    m.sync();
    for (int i = 0; i < 150; ++i) {
      // Several things happen while a batch is under way, and now and then the kernel refuses one.
      m.hold = all.one_in(3);
      m.send(all.happen());
      if (m.hold) {
        m.send(all.happen());
        m.hold = false;
        if (m.core.in_flight != 0) m.send(m.answer());
      }
      if (all.one_in(20)) m.refuse = "busy";
      if (m.core.pausing) m.send(retry_due{});
    }
    m.refuse.clear();
    if (m.core.pausing) m.send(retry_due{});
    for (const auto& pause : m.pauses) REQUIRE(pause.why == "busy");
    REQUIRE(essence(m.table) == essence(fresh(all).table));
    // And exactly so for the table that this proxy would make anew.
    auto before = m.table.elements;
    m.table = {};
    m.send(probe_due{});
    m.send(retry_due{});
    REQUIRE(m.batches.back().kind == batch_kind::whole);
    REQUIRE(m.table.elements == before);
  }
}
