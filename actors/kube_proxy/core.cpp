// The proxy's decisions.
#include "actors/kube_proxy/core.hpp"

#include <algorithm>
#include <stdexcept>

namespace troupe::kube_proxy {
namespace {

bool idle(const state& s) { return s.in_flight == 0 && !s.pausing && !s.turn_pending; }

effects wake(state& s) {
  if (!s.is_synced || !idle(s)) return {};
  s.turn_pending = true;
  return {continue_soon{}};
}

effects touch(state& s, const std::string& service) {
  s.dirty.insert(service);
  return wake(s);
}

/// Not before everything is known: until then the addresses of an earlier incarnation stay.
effects settle_announced(state& s) {
  if (!s.is_synced) return {};
  std::set<address> wanted;
  for (const auto& [key, ips] : s.announced) wanted.insert(ips.begin(), ips.end());
  if (s.told == wanted) return {};
  announce out{{wanted.begin(), wanted.end()}};
  s.told = std::move(wanted);
  return {std::move(out)};
}

effects note_announced(state& s, const std::string& service, std::vector<address> ips) {
  auto known = s.announced.find(service);
  if (known == s.announced.end() ? ips.empty() : known->second == ips) return {};
  if (ips.empty())
    s.announced.erase(known);
  else
    s.announced[service] = std::move(ips);
  return settle_announced(s);
}

effects together(effects first, effects second) {
  for (auto& one : second) first.push_back(std::move(one));
  return first;
}

effects on_service(state& s, const service_info& service) {
  s.services[service.key].info = std::make_unique<service_info>(service);
  auto out = note_announced(s, service.key, service.announced ? service.balancer_ips : std::vector<address>());
  return together(std::move(out), touch(s, service.key));
}

effects on_service_gone(state& s, const std::string& key) {
  auto found = s.services.find(key);
  if (found == s.services.end() || !found->second.info) return {};
  found->second.info.reset();
  return together(note_announced(s, key, {}), touch(s, key));
}

effects on_slice_gone(state& s, const std::string& key) {
  auto of = s.service_of_slice.find(key);
  if (of == s.service_of_slice.end()) return {};
  auto service = of->second;
  s.service_of_slice.erase(of);
  s.services.at(service).slices.erase(key);
  return touch(s, service);
}

effects on_slice(state& s, const slice_info& slice) {
  effects out;
  auto known = s.service_of_slice.find(slice.key);
  if (known != s.service_of_slice.end() && known->second != slice.service) out = on_slice_gone(s, slice.key);
  s.service_of_slice[slice.key] = slice.service;
  s.services[slice.service].slices[slice.key] = slice;
  return together(std::move(out), touch(s, slice.service));
}

/// UDP frontends whose backends are others than before.
void note_flows(state& s, const std::map<frontend, std::vector<backend>>& before,
                const std::map<frontend, std::vector<backend>>& now) {
  for (const auto& [at, backends] : before)
    if (auto same = now.find(at); same == now.end() || same->second != backends) s.pending_flows.insert(at);
  for (const auto& [at, backends] : now)
    if (before.count(at) == 0) s.pending_flows.insert(at);
}

void keep_lines(service_state& service) {
  std::map<std::string, lineup> kept;
  for (const auto& port : service.info->ports) {
    auto before = service.lines.find(port.name);
    auto& line = kept[port.name] = before == service.lines.end() ? lineup{} : std::move(before->second);
    arrange(line, *service.info, port, service.slices);
  }
  service.lines = std::move(kept);
}

/// Decides a service's part of the table anew.
void refresh(state& s, const std::string& key) {
  auto found = s.services.find(key);
  if (found == s.services.end()) return;
  auto& service = found->second;
  service_part part;
  if (service.info) {
    keep_lines(service);
    part = part_of(*service.info, service.lines, service.slices);
  } else {
    service.lines.clear();
  }
  s.table.want(key, std::move(part.elements), s.whole ? nullptr : &s.pending);
  note_flows(s, service.udp_flows, part.udp_flows);
  service.udp_flows = std::move(part.udp_flows);
  if (!service.info && service.slices.empty()) s.services.erase(found);
}

std::vector<flow_check> checks_of(const state& s, const std::set<frontend>& which) {
  std::vector<flow_check> out;
  for (const auto& at : which) {
    flow_check check{at, {}};
    // Of two Services with one address only that which has it in the table counts.
    const auto* owner = s.table.owner_of(entry_key(at));
    if (auto service = owner ? s.services.find(*owner) : s.services.end(); service != s.services.end())
      if (auto flows = service->second.udp_flows.find(at); flows != service->second.udp_flows.end())
        check.backends = flows->second;
    out.push_back(std::move(check));
  }
  return out;
}

/// The chains that the elements lead to, with those that these lead to.
std::set<chain_id> chains_for(const std::vector<element>& elements) {
  std::set<chain_id> out;
  for (const auto& one : elements) {
    auto id = one.value.chain;
    if (id.kind == chain_kind::none || id.kind == chain_kind::refuse || id.kind == chain_kind::drop) continue;
    out.insert(id);
    if (id.kind != chain_kind::local) continue;
    if (id.backends > 0) out.insert({chain_kind::inside, id.node_port, id.backends, 0, id.affinity_seconds});
    if (id.near_backends > 0) out.insert({chain_kind::near, id.node_port, 0, id.near_backends, id.affinity_seconds});
  }
  return out;
}

effects send(state& s, batch made) {
  s.in_flight = made.id = ++s.last_id;
  s.pending.clear();
  s.flows_in_flight = std::exchange(s.pending_flows, {});
  return {apply_batch{std::make_shared<const batch>(std::move(made))}};
}

/// Everything. In one step however much there is: it happens at the start and when the table was lost.
effects send_whole(state& s) {
  batch made;
  made.kind = batch_kind::whole;
  made.added = s.table.all();
  s.chains = chains_for(made.added);
  made.chains.assign(s.chains.begin(), s.chains.end());
  auto flows = s.pending_flows;
  for (const auto& [key, service] : s.services)
    for (const auto& [at, backends] : service.udp_flows) flows.insert(at);
  made.flows = checks_of(s, flows);
  s.whole = false;
  return send(s, std::move(made));
}

effects send_changes(state& s) {
  batch made;
  for (const auto& [key, change] : s.pending) {
    if (change.before) made.removed.push_back(key);
    if (change.now) made.added.push_back({key, *change.now});
  }
  auto chains = chains_for(made.added);
  std::set_difference(chains.begin(), chains.end(), s.chains.begin(), s.chains.end(), std::back_inserter(made.chains));
  s.chains.insert(made.chains.begin(), made.chains.end());
  made.flows = checks_of(s, s.pending_flows);
  return send(s, std::move(made));
}

effects on_turn(state& s) {
  s.turn_pending = false;
  if (!s.is_synced || !idle(s)) return {};
  for (std::size_t n = 0; n < s.config.slice_services && !s.dirty.empty(); ++n) {
    auto key = s.dirty.extract(s.dirty.begin());
    refresh(s, key.value());
  }
  if (!s.dirty.empty()) return wake(s);
  if (s.whole || s.chains.size() > s.config.most_chains) return send_whole(s);
  if (s.pending.empty() && s.pending_flows.empty()) return {};
  return send_changes(s);
}

effects on_done(state& s, const batch_done& done) {
  if (done.id != s.in_flight) return {};
  s.in_flight = 0;
  if (done.error.empty()) {
    s.failures = 0;
    return s.dirty.empty() ? effects{} : wake(s);
  }
  s.whole = true;
  s.pausing = true;
  s.pending_flows.merge(s.flows_in_flight);
  auto pause = std::min(s.config.retry_ms << std::min(s.failures, 16u), s.config.most_retry_ms);
  ++s.failures;
  return {retry_after{pause, done.error}};
}

effects on_probe(state& s) {
  if (!s.is_synced || !idle(s) || s.whole) return {};
  batch made;
  made.kind = batch_kind::probe;
  return send(s, std::move(made));
}

}  // namespace

effects step(state& s, const event& e) {
  struct visitor {
    state& s;
    effects operator()(const service_observed& x) { return on_service(s, x.service); }
    effects operator()(const service_removed& x) { return on_service_gone(s, x.key); }
    effects operator()(const slice_observed& x) { return on_slice(s, x.slice); }
    effects operator()(const slice_removed& x) { return on_slice_gone(s, x.key); }
    effects operator()(const synced&) {
      s.is_synced = true;
      return together(settle_announced(s), wake(s));
    }
    effects operator()(const turn_due&) { return on_turn(s); }
    effects operator()(const batch_done& x) { return on_done(s, x); }
    effects operator()(const retry_due&) {
      s.pausing = false;
      return wake(s);
    }
    effects operator()(const probe_due&) { return on_probe(s); }
  };
  return std::visit(visitor{s}, e);
}

void check_invariants(const state& s) {
  s.table.check_invariants();
  for (const auto& [slice, service] : s.service_of_slice) {
    auto found = s.services.find(service);
    if (found == s.services.end() || found->second.slices.count(slice) == 0)
      throw std::logic_error("kube_proxy: a slice is not with its service");
  }
  if (s.turn_pending && s.in_flight != 0) throw std::logic_error("kube_proxy: two batches would be under way");
  if (s.is_synced && !s.dirty.empty() && idle(s))
    throw std::logic_error("kube_proxy: nobody looks at what has changed");
}

}  // namespace troupe::kube_proxy
