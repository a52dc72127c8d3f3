#include "actors/pod_network/core.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

#include "messages/number.hpp"

namespace troupe::pod_network {
namespace {

using effects = std::vector<effect>;

struct ipv4_block {
  std::uint32_t base = 0;
  std::uint32_t bits = 0;  // 1..32
  std::uint32_t mask() const { return ~std::uint32_t{0} << (32 - bits); }
};

/// Of "A.B.C.D/BITS" written as the kernel would write it, so that two texts are one range only if they are equal.
std::optional<ipv4_block> block_of(std::string_view text) {
  ipv4_block out;
  auto rest = text;
  for (char end : {'.', '.', '.', '/'}) {
    auto at = rest.find(end);
    if (at == std::string_view::npos || at == 0 || (at > 1 && rest[0] == '0')) return std::nullopt;
    auto value = number_in<std::uint8_t>(rest.substr(0, at));
    if (!value) return std::nullopt;
    out.base = out.base << 8 | *value;
    rest.remove_prefix(at + 1);
  }
  auto bits = number_in<std::uint32_t>(rest);
  if (!bits || *bits < 1 || *bits > 32 || rest[0] == '0') return std::nullopt;
  out.bits = *bits;
  if ((out.base & ~out.mask()) != 0) return std::nullopt;
  return out;
}

/// Whether it is what the node-ipam-controller gives: a whole /24 part of the cluster's range. Anything else would draw
/// traffic that is not for that node's pods: all of the cluster's, or the machine's own network.
bool is_part(const std::string& cluster, const std::string& pod_cidr) {
  auto all = block_of(cluster), one = block_of(pod_cidr);
  return all && one && one->bits == 24 && all->bits <= 24 && (one->base & all->mask()) == all->base;
}

/// The routes that should be, of all nodes known. Of two that claim one range, who has it keeps it; if nobody does, the
/// first by name.
std::map<std::string, std::string> wanted_routes(const state& s) {
  std::map<std::string, std::string> out;
  for (const auto& [name, node] : s.others) {
    if (node.address.empty() || node.address == s.address || !is_part(s.cluster, node.pod_cidr)) continue;
    auto had = s.routes.find(node.pod_cidr);
    if (had != s.routes.end() && had->second == node.address)
      out[node.pod_cidr] = node.address;
    else
      out.emplace(node.pod_cidr, node.address);
  }
  for (const auto& [name, range] : s.own) out.erase(range);
  return out;
}

effects settle_routes(state& s) {
  effects out;
  auto wanted = wanted_routes(s);
  for (const auto& [range, via] : s.routes)
    if (wanted.count(range) == 0) out.emplace_back(drop_route{range});
  for (const auto& [range, via] : wanted) {
    auto had = s.routes.find(range);
    if (had == s.routes.end() || had->second != via) out.emplace_back(set_route{range, via});
  }
  s.routes = std::move(wanted);
  return out;
}

effects on(state& s, const node_observed& e) {
  effects out;
  if (auto own = s.own.find(e.name); own != s.own.end()) {
    if (e.pod_cidr.empty() || own->second == e.pod_cidr) return {};
    own->second = e.pod_cidr;
    out.emplace_back(use_range{e.name, e.pod_cidr});
  } else {
    auto& known = s.others[e.name];
    if (!e.pod_cidr.empty() && known.pod_cidr != e.pod_cidr && !is_part(s.cluster, e.pod_cidr))
      out.emplace_back(range_refused{e.name, e.pod_cidr});
    known = e;
  }
  for (auto& one : settle_routes(s)) out.push_back(std::move(one));
  return out;
}

effects on(state& s, const node_removed& e) {
  s.others.erase(e.name);
  return settle_routes(s);
}

effects on(state& s, const nodes_known&) {
  keep_routes out;
  for (const auto& [range, via] : s.routes) out.pod_cidrs.push_back(range);
  return {std::move(out)};
}

}  // namespace

std::vector<effect> step(state& s, const event& e) {
  return std::visit([&](const auto& what) { return on(s, what); }, e);
}

}  // namespace troupe::pod_network
