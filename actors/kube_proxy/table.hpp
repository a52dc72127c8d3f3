// What the kernel's table holds, element by element, and who wants it there.
//
// The table consists of maps and few chains. A frontend (an address and port, or a node port) leads to a chain that all
// frontends of equally many backends share; the chain looks up a backend by frontend and a random slot. So a change of
// one Service is a change of a few elements, whatever else is in the table. script.cpp has its text.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <msgpack.hpp>

#include "actors/kube_proxy/types.hpp"

namespace troupe::kube_proxy {

/// The maps and sets of the table. Those in pairs: by address and port; by node port.
enum class table_map : std::uint8_t {
  services,
  node_ports,  // frontend -> chain that picks a backend
  endpoints,
  node_port_endpoints,  // frontend, slot -> backend
  sticky_slots,
  node_port_sticky_slots,  // with session affinity: frontend, slot -> id of a backend
  sticky_endpoints,
  node_port_sticky_endpoints,  // with session affinity: frontend, id -> backend
  refused,
  refused_node_ports,  // frontend without backends -> reject or drop
  cluster_ips,         // all cluster addresses
  hairpins,            // backends on this machine, which may be their own clients
  limited,             // frontends with source ranges
  allowed,             // frontend, range of sources
  announced,           // balancer's addresses that are this machine's own, for the sake of ARP
};

/// How a chain picks. `outside`: and has the source masqueraded. `near`: the slots from near_slots on, which hold the
/// backends of the whole cluster where the others hold this machine's. `local`: near for sources in the cluster, the
/// first slots for others. `refuse`, `drop`: no backend at all.
enum class chain_kind : std::uint8_t { none, inside, outside, near, local, refuse, drop };

constexpr std::uint16_t near_slots = 0x8000;

/// A chain is named and made by what it does.
struct chain_id {
  chain_kind kind = chain_kind::none;
  bool node_port = false;           // looks up by node port
  std::uint16_t backends = 0;       // in the first slots
  std::uint16_t near_backends = 0;  // in the slots from near_slots on
  std::uint32_t affinity_seconds = 0;
  auto operator<=>(const chain_id&) const = default;
  MSGPACK_DEFINE(kind, node_port, backends, near_backends, affinity_seconds)
};

struct element_key {
  table_map map = table_map::services;
  std::uint8_t protocol = 0;
  std::uint16_t port = 0;
  address ip = 0;
  std::uint32_t slot = 0;  // slot or id of a backend; of `allowed`: base of the range
  std::uint8_t bits = 0;   // of `allowed`: length of the range's prefix
  auto operator<=>(const element_key&) const = default;
  MSGPACK_DEFINE(map, protocol, port, ip, slot, bits)
};

/// What the key leads to; which member counts depends on the map. Sets have none.
struct element_value {
  backend to;
  std::uint16_t id = 0;
  chain_id chain;
  auto operator<=>(const element_value&) const = default;
  MSGPACK_DEFINE(to, id, chain)
};

struct element {
  element_key key;
  element_value value;
  auto operator<=>(const element&) const = default;
  MSGPACK_DEFINE(key, value)
};

struct element_key_hash {
  std::size_t operator()(const element_key& key) const;
};

/// The elements every owner (a Service) wants. Two owners may want the same one: two Services with one external
/// address, a pod behind two Services. The first by name has it, so that the table does not depend on who came first.
class element_table {
 public:
  /// What an element is to become: `now` empty takes it out.
  struct change {
    std::optional<element_value> before, now;
  };
  using change_map = std::map<element_key, change>;

  /// The owner wants these, sorted and unique by key, instead of what it wanted. Changes are added to `changes`, unless
  /// null; a change that is taken back again is not in it.
  void want(const std::string& owner, std::vector<element> elements, change_map* changes);
  /// Everything, as one owner after the other has it.
  std::vector<element> all() const;
  /// The owner whose element of that key is in the table; null: there is none.
  const std::string* owner_of(const element_key& key) const;
  std::size_t size() const { return holders_.size(); }
  /// Throws std::logic_error when the records of owners and elements disagree.
  void check_invariants() const;

 private:
  using owner_map = std::map<std::string, std::vector<element>>;
  using owner = owner_map::value_type;
  struct by_name {
    bool operator()(const owner* a, const owner* b) const { return a->first < b->first; }
  };

  void claim(owner& by, const element& one, change_map* changes);
  void release(owner& by, const element& one, change_map* changes);
  static const element_value& value_of(const owner& by, const element_key& key);

  owner_map owners_;
  std::unordered_map<element_key, owner*, element_key_hash> holders_;
  std::map<element_key, std::set<owner*, by_name>> rivals_;  // keys that several want, the holder among them
};

}  // namespace troupe::kube_proxy

MSGPACK_ADD_ENUM(troupe::kube_proxy::table_map)
MSGPACK_ADD_ENUM(troupe::kube_proxy::chain_kind)
