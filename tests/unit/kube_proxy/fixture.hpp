// A core whose batches go into a table on paper, which refuses what the kernel would refuse.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "actors/kube_proxy/core.hpp"
#include "actors/kube_proxy/decode.hpp"

namespace troupe::kube_proxy::testing {

inline address ip(const char* text) { return parse_address(text).value(); }

inline service_info make_service(const std::string& name, const char* cluster_ip, std::uint16_t port = 80) {
  service_info s;
  s.key = "default/" + name;
  s.cluster_ip = ip(cluster_ip);
  s.ports = {{"", tcp, port, 0}};
  return s;
}

/// Ready endpoints at 10.244.0.x, port 8080.
inline slice_info make_slice(const std::string& name, const std::string& service, const std::vector<int>& hosts) {
  slice_info s;
  s.key = "default/" + name;
  s.service = "default/" + service;
  s.ports = {{"", tcp, 8080}};
  for (int host : hosts)
    s.endpoints.push_back({ip("10.244.0.0") + static_cast<address>(host), true, true, false, false});
  return s;
}

/// The kernel's side of it.
struct paper_table {
  bool there = false;
  std::map<element_key, element_value> elements;
  std::set<chain_id> chains;

  /// Throws what the kernel would refuse.
  void take(const batch& b) {
    if (b.kind == batch_kind::whole) *this = {true, {}, {}};
    if (!there) throw std::runtime_error("no such table");
    for (const auto& chain : b.chains)
      if (!chains.insert(chain).second) throw std::runtime_error("chain made twice");
    for (const auto& key : b.removed)
      if (elements.erase(key) == 0) throw std::runtime_error("no such element");
    for (const auto& one : b.added) {
      if (!elements.emplace(one.key, one.value).second) throw std::runtime_error("element exists");
      need(one.value.chain);
    }
  }

 private:
  void need(const chain_id& id) const {
    if (id.kind == chain_kind::none || id.kind == chain_kind::refuse || id.kind == chain_kind::drop) return;
    if (chains.count(id) == 0) throw std::runtime_error("no such chain");
    if (id.kind != chain_kind::local) return;
    if (id.backends > 0) need({chain_kind::inside, id.node_port, id.backends, 0, id.affinity_seconds});
    if (id.near_backends > 0) need({chain_kind::near, id.node_port, 0, id.near_backends, id.affinity_seconds});
  }
};

/// Runs a core over a paper table. While `hold` is set, batches stay unanswered.
struct machine {
  explicit machine(options limits = {}) : core(limits) {}

  state core;
  paper_table table;
  std::vector<batch> batches;
  std::vector<retry_after> pauses;
  std::vector<std::vector<address>> announced;  // every order
  std::string refuse;                           // the next batch's error
  bool hold = false;
  std::size_t turns = 0;

  void send(const event& first) {
    std::deque<event> todo{first};
    while (!todo.empty()) {
      auto out = step(core, todo.front());
      todo.pop_front();
      check_invariants(core);
      for (auto& one : out) {
        if (auto* order = std::get_if<apply_batch>(&one)) {
          batches.push_back(*order->what);
          if (!hold) todo.push_back(answer());
        }
        if (std::get_if<continue_soon>(&one)) {
          ++turns;
          todo.push_back(turn_due{});
        }
        if (auto* order = std::get_if<announce>(&one)) announced.push_back(order->ips);
        if (auto* pause = std::get_if<retry_after>(&one)) pauses.push_back(*pause);
      }
    }
  }
  /// Carries out the last batch.
  batch_done answer() {
    auto error = std::exchange(refuse, {});
    if (error.empty()) {
      try {
        table.take(batches.back());
      } catch (const std::runtime_error& refused) {
        error = refused.what();
      }
    }
    return {batches.back().id, error};
  }

  void service(const service_info& s) { send(service_observed{s}); }
  void slice(const slice_info& s) { send(slice_observed{s}); }
  void sync() { send(synced{}); }

  /// Where the frontend leads: backends in the first slots, and those in the near slots.
  struct way {
    chain_id chain;
    std::multiset<backend> backends, near;
    bool operator==(const way&) const = default;
  };
  static machine::way way_of(const paper_table& in, const frontend& at) {
    way out;
    auto entry = in.elements.find(entry_key(at));
    if (entry == in.elements.end()) return out;
    out.chain = entry->second.chain;
    auto pick = [&](std::uint32_t slot) {
      auto key = entry_key(at);
      auto shift = [&](table_map by_address) {
        key.map = static_cast<table_map>(static_cast<std::uint8_t>(by_address) + (at.node_port ? 1 : 0));
      };
      if (out.chain.affinity_seconds > 0) {
        shift(table_map::sticky_slots);
        key.slot = slot;
        auto id = in.elements.at(key).id;
        shift(table_map::sticky_endpoints);
        key.slot = id;
        return in.elements.at(key).to;
      }
      shift(table_map::endpoints);
      key.slot = slot;
      return in.elements.at(key).to;
    };
    for (std::uint32_t i = 0; i < out.chain.backends; ++i) out.backends.insert(pick(i));
    for (std::uint32_t i = 0; i < out.chain.near_backends; ++i) out.near.insert(pick(near_slots + i));
    return out;
  }
  way at(const frontend& which) const { return way_of(table, which); }
  way at(const char* cluster_ip, std::uint16_t port = 80) const { return at({false, tcp, port, ip(cluster_ip)}); }
  bool has(table_map map, const char* address, std::uint16_t port = 80, std::uint8_t protocol = tcp) const {
    return table.elements.count({map, protocol, port, ip(address), 0, 0}) > 0;
  }
  chain_kind refused(const char* address, std::uint16_t port = 80) const {
    auto found = table.elements.find({table_map::refused, tcp, port, ip(address), 0, 0});
    return found == table.elements.end() ? chain_kind::none : found->second.chain.kind;
  }
};

inline std::multiset<backend> pods(const std::vector<int>& hosts, std::uint16_t port = 8080) {
  std::multiset<backend> out;
  for (int host : hosts) out.insert({ip("10.244.0.0") + static_cast<address>(host), port});
  return out;
}

}  // namespace troupe::kube_proxy::testing
