// The table's text.
#include "actors/kube_proxy/script.hpp"

#include <array>
#include <functional>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

#include "actors/kube_proxy/decode.hpp"

namespace troupe::kube_proxy {
namespace {

// The bit by which kube-proxy and network plugins tell each other what to masquerade (iptables.masqueradeBit 14).
constexpr std::string_view masquerade_mark = "0x4000";

// Ids of backends with session affinity pass from rule to rule in the packet's priority, not in its mark: routing does
// not look at it, and forwarding sets it anew. The upper half keeps it from meaning anything to a queueing discipline.
constexpr std::string_view id_major = "7472";

constexpr std::string_view th = "meta l4proto . th dport";
constexpr std::string_view ported = "meta l4proto { tcp, udp, sctp }";

/// Declarations, in the order of table_map.
struct map_text {
  std::string_view name, declaration;
};
constexpr std::array<map_text, 15> maps = {{
    {"services", "map services { type ipv4_addr . inet_proto . inet_service : verdict; }"},
    {"node_ports", "map node_ports { type inet_proto . inet_service : verdict; }"},
    {"endpoints",
     "map endpoints { typeof ip daddr . meta l4proto . th dport . numgen random mod 65536 : ip daddr . th dport; }"},
    {"node_port_endpoints",
     "map node_port_endpoints { typeof meta l4proto . th dport . numgen random mod 65536 : ip daddr . th dport; }"},
    {"sticky_slots",
     "map sticky_slots { typeof ip daddr . meta l4proto . th dport . numgen random mod 65536 : meta priority; }"},
    {"node_port_sticky_slots",
     "map node_port_sticky_slots { typeof meta l4proto . th dport . numgen random mod 65536 : meta priority; }"},
    {"sticky_endpoints",
     "map sticky_endpoints { typeof ip daddr . meta l4proto . th dport . meta priority : ip daddr . th dport; }"},
    {"node_port_sticky_endpoints",
     "map node_port_sticky_endpoints { typeof meta l4proto . th dport . meta priority : ip daddr . th dport; }"},
    {"refused", "map refused { type ipv4_addr . inet_proto . inet_service : verdict; }"},
    {"refused_node_ports", "map refused_node_ports { type inet_proto . inet_service : verdict; }"},
    {"cluster_ips", "set cluster_ips { type ipv4_addr; }"},
    {"hairpins", "set hairpins { type ipv4_addr . ipv4_addr; }"},
    {"limited", "set limited { type ipv4_addr . inet_proto . inet_service; }"},
    {"allowed", "set allowed { type ipv4_addr . inet_proto . inet_service . ipv4_addr; flags interval; }"},
    {"announced", "set announced { type ipv4_addr; }"},
}};

std::string_view map_name(table_map map) { return maps[static_cast<std::size_t>(map)].name; }

std::string_view protocol_name(std::uint8_t protocol) {
  return protocol == udp ? "udp" : protocol == sctp ? "sctp" : "tcp";
}

bool by_node_port(table_map map) {
  return map == table_map::node_ports || map == table_map::node_port_endpoints ||
         map == table_map::node_port_sticky_slots || map == table_map::node_port_sticky_endpoints ||
         map == table_map::refused_node_ports;
}

/// The chains that are there whatever the Services. `alive` is what a probe touches.
void append_frame(std::string& out, const script_options& options) {
  auto pods = fmt::format("{}/{}", to_text(options.pods.base), options.pods.bits);
  out += fmt::format("add table ip {0}\ndelete table ip {0}\ntable ip {0} {{\n", table_name);
  for (const auto& map : maps) out.append(map.declaration).append("\n");
  out +=
      "map affinity { typeof ip saddr . ip daddr . meta l4proto . th dport : meta priority; size 65535; "
      "flags dynamic,timeout; }\n"
      "set alive { type inet_service; elements = { 1 } }\n";
  auto add = [&](std::string_view name, const std::vector<std::string>& rules) {
    out.append("chain ").append(name).append(" {\n");
    for (const auto& rule : rules) out.append(rule).append("\n");
    out.append("}\n");
  };
  add("refuse", {"reject"});
  add("dispatch", {fmt::format("{} ip daddr . {} vmap @services", ported, th),
                   fmt::format("{} fib daddr type local ip daddr != 127.0.0.0/8 {} vmap @node_ports", ported, th)});
  add("nat_prerouting", {"type nat hook prerouting priority dstnat", "jump dispatch"});
  add("nat_output", {"type nat hook output priority -100", "jump dispatch"});
  add("nat_postrouting",
      {"type nat hook postrouting priority srcnat",
       fmt::format("ct status dnat meta mark and {0} != 0 meta mark set meta mark xor {0} masquerade fully-random",
                   masquerade_mark),
       "ct status dnat ip saddr . ip daddr @hairpins masquerade fully-random",
       fmt::format("ct status dnat ip saddr != {} ct original ip daddr @cluster_ips masquerade fully-random", pods)});
  // Before DNAT: afterwards the frontend is not seen any more.
  auto limit =
      fmt::format("ct state new {0} ip daddr . {1} @limited ip daddr . {1} . ip saddr != @allowed drop", ported, th);
  add("limit_prerouting", {"type filter hook prerouting priority -110", limit});
  add("limit_output", {"type filter hook output priority -110", limit});
  // After DNAT: whatever still has a frontend as its destination has no backend.
  add("check_services", {fmt::format("{} ip daddr . {} vmap @refused", ported, th), "ip daddr @cluster_ips reject"});
  add("check_node_ports",
      {fmt::format("{} fib daddr type local ip daddr != 127.0.0.0/8 {} vmap @refused_node_ports", ported, th)});
  // What else listens on this machine is not to be reached by an address that is announced for a Service's ports.
  add("filter_input",
      {"type filter hook input priority filter", "ct state new jump check_node_ports",
       "ct state new jump check_services", fmt::format("ct state new {} ip daddr @announced reject", ported)});
  add("filter_forward", {"type filter hook forward priority filter", "ct state new jump check_services"});
  add("filter_output", {"type filter hook output priority filter", "ct state new jump check_services"});
  out += "}\n";
}

/// Rules that pick one of `count` backends from slot `first` on, and end there when there is one.
std::vector<std::string> picking(const chain_id& id, std::uint32_t count, std::uint32_t first) {
  std::string key = id.node_port ? std::string(th) : fmt::format("ip daddr . {}", th);
  std::string prefix = id.node_port ? "node_port_" : "";
  auto slot = fmt::format("numgen random mod {}", count) + (first ? fmt::format(" offset {}", first) : "");
  if (id.affinity_seconds == 0) return {fmt::format("dnat ip to {} . {} map @{}endpoints", key, slot, prefix)};
  auto client = fmt::format("ip saddr . ip daddr . {}", th);
  auto remember = fmt::format("update @affinity {{ {} timeout {}s : meta priority }}", client, id.affinity_seconds);
  // A client that is remembered with a backend that is gone comes back from `stick` and is forgotten first: an update
  // alone would keep the old id. When the map is full, the client is served without being remembered.
  return {fmt::format("meta priority set {} map @affinity {} jump {}stick", client, remember, prefix),
          fmt::format("meta priority set {} . {} map @{}sticky_slots", key, slot, prefix),
          fmt::format("delete @affinity {{ {} : meta priority }}", client), remember,
          fmt::format("goto {}stick", prefix)};
}

std::vector<std::string> rules_of(const chain_id& id, const script_options& options) {
  auto mark = fmt::format("meta mark set meta mark or {}", masquerade_mark);
  if (id.kind == chain_kind::near) return picking(id, id.near_backends, near_slots);
  if (id.kind != chain_kind::local) {
    auto rules = picking(id, id.backends, 0);
    if (id.kind == chain_kind::outside) rules.insert(rules.begin(), mark);
    return rules;
  }
  // Clients of the cluster may go anywhere, as if their packets had come back from the balancer; this machine's own
  // address may be the balancer's, so it is masqueraded (k8s.io/kubernetes/pkg/proxy/nftables: external traffic chain).
  std::vector<std::string> rules;
  if (id.near_backends > 0) {
    auto near = chain_name({chain_kind::near, id.node_port, 0, id.near_backends, id.affinity_seconds});
    rules.push_back(fmt::format("ip saddr {}/{} goto {}", to_text(options.pods.base), options.pods.bits, near));
    rules.push_back(fmt::format("fib saddr type local {} goto {}", mark, near));
  }
  if (id.backends > 0)
    rules.push_back("goto " + chain_name({chain_kind::inside, id.node_port, id.backends, 0, id.affinity_seconds}));
  return rules;
}

void append_chains(std::string& out, const batch& what, const script_options& options) {
  auto begin = [&](const std::string& name) { out += fmt::format("add chain ip {} {}\n", table_name, name); };
  if (what.kind == batch_kind::whole) {
    for (const auto* prefix : {"", "node_port_"}) {
      auto key = *prefix ? std::string(th) : fmt::format("ip daddr . {}", th);
      begin(fmt::format("{}stick", prefix));
      out += fmt::format("add rule ip {} {}stick dnat ip to {} . meta priority map @{}sticky_endpoints\n", table_name,
                         prefix, key, prefix);
    }
  }
  // First all chains, then their rules, which lead from one to another.
  for (const auto& id : what.chains) begin(chain_name(id));
  for (const auto& id : what.chains)
    for (const auto& rule : rules_of(id, options))
      out += fmt::format("add rule ip {} {} {}\n", table_name, chain_name(id), rule);
}

void append_address(std::string& out, address ip) {
  fmt::format_to(std::back_inserter(out), "{}.{}.{}.{}", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
}

void append_key(std::string& out, const element_key& key) {
  if (!by_node_port(key.map)) append_address(out, key.ip);
  if (key.map == table_map::hairpins) {
    out += " . ";
    append_address(out, key.ip);
  }
  if (key.map == table_map::cluster_ips || key.map == table_map::hairpins || key.map == table_map::announced) return;
  fmt::format_to(std::back_inserter(out), "{}{} . {}", by_node_port(key.map) ? "" : " . ", protocol_name(key.protocol),
                 key.port);
  switch (key.map) {
    case table_map::endpoints:
    case table_map::node_port_endpoints:
    case table_map::sticky_slots:
    case table_map::node_port_sticky_slots:
      fmt::format_to(std::back_inserter(out), " . {}", key.slot);
      break;
    case table_map::sticky_endpoints:
    case table_map::node_port_sticky_endpoints:
      fmt::format_to(std::back_inserter(out), " . {}:{:x}", id_major, key.slot);
      break;
    case table_map::allowed:
      out += " . ";
      append_address(out, key.slot);
      fmt::format_to(std::back_inserter(out), "/{}", key.bits);
      break;
    default:
      break;
  }
}

void append_value(std::string& out, const element& one) {
  switch (one.key.map) {
    case table_map::services:
    case table_map::node_ports:
    case table_map::refused:
    case table_map::refused_node_ports:
      out += one.value.chain.kind == chain_kind::drop     ? " : drop"
             : one.value.chain.kind == chain_kind::refuse ? " : goto refuse"
                                                          : " : goto " + chain_name(one.value.chain);
      break;
    case table_map::endpoints:
    case table_map::node_port_endpoints:
    case table_map::sticky_endpoints:
    case table_map::node_port_sticky_endpoints:
      out += " : ";
      append_address(out, one.value.to.ip);
      fmt::format_to(std::back_inserter(out), " . {}", one.value.to.port);
      break;
    case table_map::sticky_slots:
    case table_map::node_port_sticky_slots:
      fmt::format_to(std::back_inserter(out), " : {}:{:x}", id_major, one.value.id);
      break;
    default:
      break;
  }
}

/// One command for each run of elements of the same map.
template <class List, class KeyOf, class Append>
void append_elements(std::string& out, std::string_view verb, const List& list, KeyOf key_of, Append append) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    bool first = i == 0 || key_of(list[i]).map != key_of(list[i - 1]).map;
    if (first)
      fmt::format_to(std::back_inserter(out), "{} element ip {} {} {{ ", verb, table_name,
                     map_name(key_of(list[i]).map));
    else
      out += ", ";
    append(list[i]);
    if (i + 1 == list.size() || key_of(list[i + 1]).map != key_of(list[i]).map) out += " }\n";
  }
}

}  // namespace

std::string chain_name(const chain_id& id) {
  static constexpr std::string_view kinds[] = {"none", "inside", "outside", "near", "local", "refuse", "drop"};
  std::string out = id.node_port ? "node_port_" : "";
  out += kinds[static_cast<std::size_t>(id.kind)];
  if (id.kind != chain_kind::near) out += fmt::format("_{}", id.backends);
  if (id.kind == chain_kind::near || id.kind == chain_kind::local) out += fmt::format("_{}", id.near_backends);
  if (id.affinity_seconds > 0) out += fmt::format("_{}s", id.affinity_seconds);
  return out;
}

std::string script_for(const batch& what, const script_options& options) {
  std::string out;
  if (what.kind == batch_kind::probe) return fmt::format("add element ip {} alive {{ 1 }}\n", table_name);
  out.reserve(64 * (what.added.size() + what.removed.size()) + 16384);
  if (what.kind == batch_kind::whole) append_frame(out, options);
  append_elements(out, "delete", what.removed, std::identity(), [&](const element_key& key) { append_key(out, key); });
  append_chains(out, what, options);
  append_elements(
      out, "add", what.added, [](const element& one) -> const element_key& { return one.key; },
      [&](const element& one) {
        append_key(out, one.key);
        append_value(out, one);
      });
  return out;
}

std::string removal_script() { return fmt::format("add table ip {0}\ndelete table ip {0}\n", table_name); }

}  // namespace troupe::kube_proxy
