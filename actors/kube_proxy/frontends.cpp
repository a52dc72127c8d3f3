// From a Service and its slices to elements.
#include "actors/kube_proxy/frontends.hpp"

#include <algorithm>
#include <set>

namespace troupe::kube_proxy {
namespace {

constexpr std::size_t most_backends = near_slots;  // of one port: slots are 15 bits

/// The table's map for the frontend: the second of a pair is that by node port.
table_map map_for(const frontend& of, table_map by_address) {
  return static_cast<table_map>(static_cast<std::uint8_t>(by_address) + (of.node_port ? 1 : 0));
}

element_key key_for(const frontend& of, table_map by_address, std::uint32_t slot = 0) {
  return {map_for(of, by_address), of.protocol, of.port, of.ip, slot, 0};
}

bool has_external(const service_info& service, const service_port& port) {
  return port.node_port != 0 || !service.external_ips.empty() || !service.balancer_ips.empty();
}

/// Keeps who is still wanted where it is, fills gaps from the end, appends who is new.
void line_up(std::vector<backend>& slots, const std::set<backend>& wanted) {
  for (std::size_t i = 0; i < slots.size();) {
    if (wanted.count(slots[i]) > 0) {
      ++i;
      continue;
    }
    slots[i] = slots.back();
    slots.pop_back();
  }
  std::set<backend> present(slots.begin(), slots.end());
  for (const auto& one : wanted)
    if (present.count(one) == 0 && slots.size() < most_backends) slots.push_back(one);
}

void give_ids(lineup& line, bool sticky) {
  std::set<backend> all;
  if (sticky) {
    all.insert(line.cluster.begin(), line.cluster.end());
    all.insert(line.local.begin(), line.local.end());
  }
  std::erase_if(line.ids, [&](const auto& one) { return all.count(one.first) == 0; });
  std::set<std::uint16_t> used;
  for (const auto& [ignored, id] : line.ids) used.insert(id);
  for (const auto& one : all) {
    if (line.ids.count(one) > 0) continue;
    do ++line.last_id;
    while (line.last_id == 0 || used.count(line.last_id) > 0);
    used.insert(line.last_id);
    line.ids.emplace(one, line.last_id);
  }
}

/// Collects the elements of one Service.
class collector {
 public:
  explicit collector(const service_info& service) : service_(service) {}

  void port(const service_port& port, const lineup& line) {
    if (service_.cluster_ip != 0) {
      frontend inside{false, port.protocol, port.port, service_.cluster_ip};
      add({table_map::cluster_ips, 0, 0, service_.cluster_ip, 0, 0}, {});
      serve(inside, service_.internal_local ? line.local : line.cluster, chain_kind::inside, line);
    }
    for (auto ip : service_.external_ips) external({false, port.protocol, port.port, ip}, line);
    for (auto ip : service_.balancer_ips) {
      external({false, port.protocol, port.port, ip}, line);
      limit({false, port.protocol, port.port, ip});
      if (service_.announced) add({table_map::announced, 0, 0, ip, 0, 0}, {});
    }
    if (port.node_port != 0) external({true, port.protocol, port.node_port, 0}, line);
  }

  void hairpin(address ip) { add({table_map::hairpins, 0, 0, ip, 0, 0}, {}); }

  service_part finish() {
    auto& all = part_.elements;
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.key == b.key; }),
              all.end());
    return std::move(part_);
  }

 private:
  void add(element_key key, element_value value) { part_.elements.push_back({key, value}); }

  void serve(const frontend& at, const std::vector<backend>& backends, chain_kind kind, const lineup& line) {
    if (at.protocol == udp) part_.udp_flows[at] = backends;
    if (backends.empty()) return refuse(at, line.any);
    put(at, backends, 0, line);
    enter(at, {kind, at.node_port, static_cast<std::uint16_t>(backends.size()), 0, service_.affinity_seconds});
  }

  /// External addresses under externalTrafficPolicy Local: clients of this cluster may still go anywhere.
  void external(const frontend& at, const lineup& line) {
    if (!service_.external_local) return serve(at, line.cluster, chain_kind::outside, line);
    if (at.protocol == udp) {
      auto& flows = part_.udp_flows[at];
      flows = line.cluster;
      flows.insert(flows.end(), line.local.begin(), line.local.end());
    }
    if (line.local.empty()) refuse(at, line.any);
    if (line.cluster.empty() && line.local.empty()) return;
    put(at, line.local, 0, line);
    put(at, line.cluster, near_slots, line);
    enter(at, {chain_kind::local, at.node_port, static_cast<std::uint16_t>(line.local.size()),
               static_cast<std::uint16_t>(line.cluster.size()), service_.affinity_seconds});
  }

  void enter(const frontend& at, chain_id by) {
    element_value value;
    value.chain = by;
    add(key_for(at, table_map::services), value);
  }

  /// No endpoint at all is told to the client; one that policy keeps from it is not
  /// (k8s.io/kubernetes/pkg/proxy/nftables: "reject-chain" and "drop").
  void refuse(const frontend& at, bool any) {
    element_value value;
    value.chain.kind = any ? chain_kind::drop : chain_kind::refuse;
    add(key_for(at, table_map::refused), value);
  }

  void put(const frontend& at, const std::vector<backend>& backends, std::uint32_t first, const lineup& line) {
    auto slot = first;
    for (const auto& one : backends) {
      element_value value;
      if (service_.affinity_seconds == 0) {
        value.to = one;
        add(key_for(at, table_map::endpoints, slot++), value);
        continue;
      }
      auto id = line.ids.at(one);
      value.id = id;
      add(key_for(at, table_map::sticky_slots, slot++), value);
      value = {};
      value.to = one;
      add(key_for(at, table_map::sticky_endpoints, id), value);
    }
  }

  /// Ranges in other ranges are left out: the kernel takes no overlaps.
  void limit(const frontend& at) {
    const auto& ranges = service_.source_ranges;
    auto everyone = [](const auto& range) { return range.bits == 0; };
    if (ranges.empty() || std::any_of(ranges.begin(), ranges.end(), everyone)) return;
    add(key_for(at, table_map::limited), {});
    for (const auto& range : ranges) {
      auto wider = [&](const auto& other) { return other != range && other.contains(range); };
      if (std::any_of(ranges.begin(), ranges.end(), wider)) continue;
      auto key = key_for(at, table_map::allowed, range.base);
      key.bits = range.bits;
      add(key, {});
    }
  }

  const service_info& service_;
  service_part part_;
};

}  // namespace

element_key entry_key(const frontend& of) { return key_for(of, table_map::services); }

void arrange(lineup& line, const service_info& service, const service_port& port,
             const std::map<std::string, slice_info>& slices) {
  std::set<backend> ready, ready_local, leaving, leaving_local;
  for (const auto& [key, slice] : slices) {
    for (const auto& target : slice.ports) {
      if (target.name != port.name || target.protocol != port.protocol) continue;
      for (const auto& one : slice.endpoints) {
        backend at{one.ip, target.port};
        if (one.ready) ready.insert(at);
        if (one.ready && one.local) ready_local.insert(at);
        if (one.serving && one.terminating) leaving.insert(at);
        if (one.serving && one.terminating && one.local) leaving_local.insert(at);
      }
    }
  }
  bool external = has_external(service, port);
  line.any = !ready.empty() || !leaving.empty();
  bool from_cluster = !service.internal_local || external;
  bool from_here = service.internal_local || (service.external_local && external);
  line_up(line.cluster, !from_cluster ? std::set<backend>() : ready.empty() ? leaving : ready);
  line_up(line.local, !from_here ? std::set<backend>() : ready_local.empty() ? leaving_local : ready_local);
  give_ids(line, service.affinity_seconds > 0);
}

service_part part_of(const service_info& service, const std::map<std::string, lineup>& lines,
                     const std::map<std::string, slice_info>& slices) {
  collector out(service);
  for (const auto& port : service.ports) out.port(port, lines.at(port.name));
  for (const auto& [key, slice] : slices)
    for (const auto& one : slice.endpoints)
      if (one.local && (one.ready || one.serving)) out.hairpin(one.ip);
  return out.finish();
}

}  // namespace troupe::kube_proxy
