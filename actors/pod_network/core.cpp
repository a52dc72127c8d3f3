#include "actors/pod_network/core.hpp"

namespace troupe::pod_network {
namespace {

using effects = std::vector<effect>;

/// The routes that should be, of all nodes known; of two that claim one range the first by name has it.
std::map<std::string, std::string> wanted_routes(const state& s) {
  std::map<std::string, std::string> out;
  for (const auto& [name, node] : s.others)
    if (!node.pod_cidr.empty() && !node.address.empty() && node.address != s.address)
      out.emplace(node.pod_cidr, node.address);
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
    s.others[e.name] = e;
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
