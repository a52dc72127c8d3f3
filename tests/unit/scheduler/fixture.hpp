// Pods, nodes and a scheduler whose bindings the test answers.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "actors/scheduler/core.hpp"

namespace troupe::scheduler::testing {

inline node_info make_node(const std::string& name, std::int64_t milli_cpu = 4000, std::int64_t memory = 8ll << 30,
                           std::int64_t pods = 110) {
  node_info n;
  n.name = name;
  n.labels = {{"kubernetes.io/hostname", name}};
  n.allocatable.milli_cpu = milli_cpu;
  n.allocatable.memory = memory;
  n.allocatable_pods = pods;
  return n;
}

inline pod_info make_pod(const std::string& name, std::int64_t milli_cpu = 0, std::int64_t memory = 0) {
  pod_info p;
  p.namespace_name = "default";
  p.name = name;
  p.uid = "uid-" + name;
  p.ours = true;
  p.requests.milli_cpu = milli_cpu;
  p.requests.memory = memory;
  p.scored_milli_cpu = milli_cpu ? milli_cpu : 100;
  p.scored_memory = memory ? memory : 200ll << 20;
  return p;
}

/// Runs a core: continues slices at once, keeps what it said.
struct cluster {
  explicit cluster(options config = {}) : core(config) {}

  state core;
  std::int64_t now = 1'000'000;
  std::uint64_t random = 7;
  bool answer_bindings = true;
  std::vector<bind_pod> bindings;
  std::vector<patch_condition> conditions;
  std::vector<record_event> events;
  std::int64_t wake = 0;
  std::size_t longest_step = 0;  // effects of one step

  void send(const event& e) {
    std::vector<event> todo{e};
    while (!todo.empty()) {
      auto next = todo.front();
      todo.erase(todo.begin());
      auto out = step(core, next);
      longest_step = std::max(longest_step, out.size());
      check_invariants(core);
      for (auto& x : out) take(x, todo);
    }
  }
  void take(const effect& x, std::vector<event>& todo) {
    if (auto* b = std::get_if<bind_pod>(&x)) {
      bindings.push_back(*b);
      if (answer_bindings) todo.push_back(binding_answered{now, b->uid, 201, ""});
    }
    if (auto* c = std::get_if<patch_condition>(&x)) conditions.push_back(*c);
    if (auto* r = std::get_if<record_event>(&x)) events.push_back(*r);
    if (std::get_if<continue_soon>(&x)) todo.push_back(slice_due{now, random++});
    if (auto* w = std::get_if<wake_at>(&x)) wake = w->at_ms;
  }

  void node(const node_info& n) { send(node_observed{now, n}); }
  void pod(const pod_info& p) { send(pod_observed{now, p}); }
  void assigned(pod_info p, const std::string& on) {
    p.node_name = on;
    pod(p);
  }
  void gone(const std::string& name) { send(pod_removed{now, "uid-" + name}); }
  void sync() { send(synced{now}); }
  void advance(std::int64_t ms) {
    now += ms;
    send(wake_due{now});
  }

  std::string node_of(const std::string& name) const {
    for (auto at = bindings.rbegin(); at != bindings.rend(); ++at)
      if (at->name == name) return at->node;
    return "";
  }
  std::string message() const { return conditions.empty() ? "" : conditions.back().message; }
};

}  // namespace troupe::scheduler::testing
