// What the proxy knows of Services and EndpointSlices.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include <msgpack.hpp>

namespace troupe::kube_proxy {

/// An IPv4 address in host byte order. IPv6 is not built yet: such addresses are left out when objects are decoded.
using address = std::uint32_t;

/// IP protocol numbers, as the kernel has them.
constexpr std::uint8_t tcp = 6, udp = 17, sctp = 132;

/// Where a connection ends up: a pod's address and port.
struct backend {
  address ip = 0;
  std::uint16_t port = 0;
  auto operator<=>(const backend&) const = default;
  MSGPACK_DEFINE(ip, port)
};

/// Addresses whose first `bits` bits are those of `base`.
struct address_range {
  address base = 0;
  std::uint8_t bits = 32;
  auto operator<=>(const address_range&) const = default;
  bool contains(const address_range& other) const {
    return bits <= other.bits && (bits == 0 || (base >> (32 - bits)) == (other.base >> (32 - bits)));
  }
  MSGPACK_DEFINE(base, bits)
};

struct service_port {
  std::string name;
  std::uint8_t protocol = tcp;
  std::uint16_t port = 0;
  std::uint16_t node_port = 0;  // 0: none
  MSGPACK_DEFINE(name, protocol, port, node_port)
};

/// A Service as far as the proxy is concerned.
struct service_info {
  std::string key;  // "NAMESPACE/NAME"
  address cluster_ip = 0;
  std::vector<address> external_ips;         // spec.externalIPs
  std::vector<address> balancer_ips;         // status.loadBalancer.ingress, ipMode VIP
  std::vector<address_range> source_ranges;  // who may use the balancer's addresses; empty: everyone
  bool internal_local = false;               // internalTrafficPolicy: Local
  bool external_local = false;               // externalTrafficPolicy: Local
  std::uint32_t affinity_seconds = 0;        // sessionAffinity ClientIP; 0: none
  std::vector<service_port> ports;
  bool announced = false;  // this machine answers ARP for the balancer's addresses
  MSGPACK_DEFINE(key, cluster_ip, external_ips, balancer_ips, source_ranges, internal_local, external_local,
                 affinity_seconds, ports, announced)
};

struct endpoint_info {
  address ip = 0;
  bool ready = true, serving = true, terminating = false;
  bool local = false;  // on this machine
  MSGPACK_DEFINE(ip, ready, serving, terminating, local)
};

/// A port of a slice: named target ports are resolved in it.
struct slice_port {
  std::string name;
  std::uint8_t protocol = tcp;
  std::uint16_t port = 0;
  MSGPACK_DEFINE(name, protocol, port)
};

/// An EndpointSlice: all its endpoints have all its ports.
struct slice_info {
  std::string key;      // "NAMESPACE/NAME"
  std::string service;  // "NAMESPACE/NAME"
  std::vector<slice_port> ports;
  std::vector<endpoint_info> endpoints;
  MSGPACK_DEFINE(key, service, ports, endpoints)
};

}  // namespace troupe::kube_proxy
