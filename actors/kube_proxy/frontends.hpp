// One Service's part of the table: its frontends, their backends, and which of the table's elements they become.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "actors/kube_proxy/table.hpp"
#include "actors/kube_proxy/types.hpp"

namespace troupe::kube_proxy {

/// Where clients connect to. Node ports are on every address of the machine.
struct frontend {
  bool node_port = false;
  std::uint8_t protocol = tcp;
  std::uint16_t port = 0;
  address ip = 0;  // 0 for node ports
  auto operator<=>(const frontend&) const = default;
  MSGPACK_DEFINE(node_port, protocol, port, ip)
};

/// A Service port's backends in the order of their slots. The order is kept over changes, so that one backend's coming
/// or going moves at most one other.
struct lineup {
  std::vector<backend> cluster;  // usable from anywhere
  std::vector<backend> local;    // of this machine; only where a traffic policy is Local
  bool any = false;              // whether there is a usable endpoint in the cluster
  /// With session affinity: what clients are remembered by. A backend that comes back gets a new id, so that nothing
  /// that is remembered ever leads to the wrong one.
  std::map<backend, std::uint16_t> ids;
  std::uint16_t last_id = 0;
};

/// What the endpoints of the slices are for a Service port. Rules: k8s.io/kubernetes/pkg/proxy/topology.go,
/// CategorizeEndpoints (topology hints are not built): the ready ones; where there are none, those that still serve
/// while they terminate.
void arrange(lineup& line, const service_info& service, const service_port& port,
             const std::map<std::string, slice_info>& slices);

/// A Service's part of the table.
struct service_part {
  std::vector<element> elements;                       // sorted, unique by key
  std::map<frontend, std::vector<backend>> udp_flows;  // where flows of its UDP frontends may lead
};

/// `lines` by port name, as arrange() left them.
service_part part_of(const service_info& service, const std::map<std::string, lineup>& lines,
                     const std::map<std::string, slice_info>& slices);

/// The key by which the frontend is found in the table, when it has backends.
element_key entry_key(const frontend& of);

}  // namespace troupe::kube_proxy
