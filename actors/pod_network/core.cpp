#include "actors/pod_network/core.hpp"

#include "messages/ipv4.hpp"

namespace troupe::pod_network {
namespace {

using effects = std::vector<effect>;

/// The routes that should be, of all nodes known. Of two that claim one range, who has it keeps it; if nobody does, the
/// first by name.
std::map<std::string, std::string> wanted_routes(const state& s) {
  std::map<std::string, std::string> out;
  for (const auto& [name, node] : s.others) {
    if (node.address.empty() || node.address == s.address || !is_pod_range(s.cluster, node.pod_cidr)) continue;
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
    if (!e.pod_cidr.empty() && known.pod_cidr != e.pod_cidr && !is_pod_range(s.cluster, e.pod_cidr))
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
