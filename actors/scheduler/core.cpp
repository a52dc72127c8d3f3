// The scheduler's step function.
#include "actors/scheduler/core.hpp"

#include <algorithm>
#include <stdexcept>

namespace troupe::scheduler {
namespace {

std::uint64_t next_random(std::uint64_t& seed) {  // splitmix64
  seed += 0x9e3779b97f4a7c15ull;
  auto z = seed;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

/// Steps of one event share this.
struct turn {
  state& s;
  std::int64_t now;
  effects out;

  void tell(const pod_info& pod, bool warning, std::string reason, std::string action, std::string message) {
    if (message.size() > 1024) message = message.substr(0, 1021) + "...";
    out.emplace_back(record_event{pod.uid, pod.namespace_name, pod.name, pod.revision, warning, std::move(reason),
                                  std::move(action), std::move(message)});
  }

  void explain_failure(pending_pod& p, const std::string& reason, const std::string& message) {
    tell(p.pod, true, "FailedScheduling", "Scheduling", message);
    if (p.pod.condition_reason == reason && p.pod.condition_message == message) return;
    p.pod.condition_reason = reason;
    p.pod.condition_message = message;
    out.emplace_back(patch_condition{p.pod.uid, p.pod.namespace_name, p.pod.name, reason, message});
  }

  // -- searching

  bool try_slot(cycle& pod, slot_id slot) {
    if (pod.first_failure(slot) != plugin::none) return false;
    s.feasible.push_back(slot);
    return true;
  }

  /// Fills s.feasible; the number of nodes looked at.
  std::size_t search(cycle& pod) {
    s.feasible.clear();
    if (pod.compiled().restricts_names) {
      for (auto& name : pod.compiled().only_names)
        if (auto slot = s.nodes.find(name); slot != no_slot && s.nodes.alive[slot]) try_slot(pod, slot);
      return pod.compiled().only_names.size();
    }
    auto& order = s.nodes.order();
    auto enough = enough_nodes(order.size(), s.config.min_feasible_nodes);
    std::size_t looked = 0;
    for (; looked < order.size() && s.feasible.size() < enough; ++looked)
      try_slot(pod, order[(s.next_start + looked) % order.size()]);
    if (!order.empty()) s.next_start = (s.next_start + looked) % order.size();
    return looked;
  }

  /// Tries one pod; the nodes looked at.
  std::size_t schedule(pending_pod& p, std::uint64_t random) {
    cycle pod(s.nodes, p.pod, p.compiled);
    s.feasible.clear();
    std::size_t looked = p.pod.unsupported.empty() ? search(pod) : 0;
    if (s.feasible.empty()) {
      auto v = judge(pod);
      s.queue.to_unschedulable(p, now);
      explain_failure(p, "Unschedulable", message_of(v, p.pod));
      return looked + s.nodes.order().size();
    }
    auto chosen = s.feasible.front();
    if (s.feasible.size() > 1) {
      score(pod, s.feasible, s.board);
      chosen = pick_best(s.feasible, s.board, random);
      looked += s.feasible.size();
    }
    std::string node(s.nodes.name(chosen));
    s.nodes.assign(p.pod.uid, p.pod, node, p.compiled.usage, true);
    s.queue.to_binding(p, node);
    out.emplace_back(bind_pod{p.pod.uid, p.pod.namespace_name, p.pod.name, node});
    return looked;
  }

  bool may_schedule() const {
    return s.is_synced && s.queue.has_next() && s.queue.binding_count() < s.config.max_bindings;
  }

  void schedule_slice(std::uint64_t random) {
    std::size_t looked = 0;
    for (std::size_t tried = 0; tried < s.config.slice_pods && looked < s.config.slice_nodes && may_schedule(); ++tried)
      looked += schedule(*s.queue.next(), next_random(random)) + 16;
  }

  // -- event hints

  void hint(slot_id slot) {
    if (slot == no_slot || s.queue.unschedulable_count() == 0) return;
    if (std::find(s.sweeps.begin() + (s.sweeps.empty() ? 0 : 1), s.sweeps.end(), slot) == s.sweeps.end())
      s.sweeps.push_back(slot);
  }

  /// Wakes unschedulable pods that fit the changed node now.
  void sweep_slice() {
    std::size_t judged = 0;
    while (!s.sweeps.empty() && judged < s.config.slice_hints) {
      auto slot = s.sweeps.front();
      auto& waiting = s.queue.unschedulable();
      auto at = s.nodes.alive[slot] ? waiting.lower_bound(s.sweep_from) : waiting.end();
      while (at != waiting.end() && judged < s.config.slice_hints) {
        ++judged;
        auto* p = at->second;
        s.sweep_from = {at->first.first, at->first.second + 1};
        ++at;
        if (!p->pod.unsupported.empty()) continue;
        if (cycle(s.nodes, p->pod, p->compiled).first_failure(slot) == plugin::none) s.queue.wake(*p, now);
      }
      if (at != waiting.end()) return;
      s.sweeps.pop_front();
      s.sweep_from = {};
    }
  }

  // -- pods

  void release(const std::string& uid) { hint(s.nodes.release(uid)); }

  void drop(const std::string& uid) {
    release(uid);
    s.queue.remove(uid);
  }

  void bound(const pending_pod& p) {
    tell(p.pod, false, "Scheduled", "Binding",
         "Successfully assigned " + p.pod.namespace_name + "/" + p.pod.name + " to " + p.node);
    s.queue.remove(std::string(p.pod.uid));
  }

  void observe_assigned(const pod_info& pod) {
    // The watch may be ahead of the binding's answer.
    auto* p = s.queue.find(pod.uid);
    if (p && p->where == place::binding && p->node == pod.node_name)
      bound(*p);
    else if (p)
      s.queue.remove(pod.uid);
    auto* known = s.nodes.find_pod(pod.uid);
    auto usage = s.nodes.usage_of(pod);
    if (known && s.nodes.name(known->slot) == pod.node_name) {
      known->assumed = false;
      if (known->usage.milli_cpu == usage.milli_cpu && known->usage.memory == usage.memory) return;
    }
    release(pod.uid);
    s.nodes.assign(pod.uid, pod, pod.node_name, std::move(usage), false);
  }

  void observe_pending(const pod_info& pod) {
    if (!pod.ours) return;
    if (pod.deleting) return drop(pod.uid);
    if (s.nodes.find_pod(pod.uid) && !s.queue.find(pod.uid)) return;  // bound; the watch is behind
    auto* p = s.queue.find(pod.uid);
    if (!p) {
      auto compiled = compile(s.nodes, pod);
      s.queue.add(pod, std::move(compiled));
      return;
    }
    if (p->where == place::binding) {
      p->pod.revision = pod.revision;
      return;
    }
    update_pending(*p, pod);
  }

  /// A change of what the pod asks for is a reason to try again; a change of its status is not.
  void update_pending(pending_pod& p, const pod_info& pod) {
    auto wishes = [](pod_info x) {
      x.revision = 0;
      x.condition_reason.clear();
      x.condition_message.clear();
      return x;
    };
    msgpack::sbuffer before, after;
    msgpack::pack(before, wishes(p.pod));
    msgpack::pack(after, wishes(pod));
    bool same = before.size() == after.size() && std::equal(before.data(), before.data() + before.size(), after.data());
    if (same) {
      p.pod.revision = pod.revision;
      return;
    }
    auto rejections = p.rejections;
    auto backoff_until = p.backoff_until;
    if (p.where == place::active || p.where == place::gated || !pod.gates.empty() || p.pod.priority != pod.priority) {
      s.queue.remove(pod.uid);
      auto compiled = compile(s.nodes, pod);
      auto& fresh = s.queue.add(pod, std::move(compiled));
      fresh.rejections = rejections;
      fresh.backoff_until = backoff_until;
      return;
    }
    p.compiled = compile(s.nodes, pod);
    p.pod = pod;
    s.queue.wake(p, now);
  }

  // -- events

  void on(const node_observed& e) {
    auto change = s.nodes.observe(e.node);
    if (change.any()) hint(s.nodes.find(e.node.name));
  }
  void on(const node_removed& e) { s.nodes.remove(e.name); }
  void on(const pod_observed& e) {
    if (e.pod.terminal) return drop(e.pod.uid);
    if (!e.pod.node_name.empty()) return observe_assigned(e.pod);
    observe_pending(e.pod);
  }
  void on(const pod_removed& e) { drop(e.uid); }
  void on(const synced&) { s.is_synced = true; }
  void on(const slice_due& e) {
    s.slice_pending = false;
    s.queue.advance(now);
    sweep_slice();
    schedule_slice(e.random);
  }
  void on(const wake_due&) {
    if (s.wake_pending <= now) s.wake_pending = 0;
    s.queue.advance(now);
  }

  void on(const binding_answered& e) {
    auto* p = s.queue.find(e.uid);
    if (!p || p->where != place::binding) return;
    if (e.code == 200 || e.code == 201) return bound(*p);  // the account stays; the watch confirms it
    release(e.uid);
    if (e.code == 404) return s.queue.remove(e.uid);
    s.queue.to_error_backoff(*p, now);
    explain_failure(*p, "SchedulerError", "binding rejected: running Bind plugin \"DefaultBinder\": " + e.message);
  }

  /// What every event ends with: ask for the next slice or timer if there is reason to.
  void finish() {
    if (!s.slice_pending && (may_schedule() || !s.sweeps.empty())) {
      s.slice_pending = true;
      out.emplace_back(continue_soon{});
    }
    auto due = s.queue.next_due();
    if (due == 0 || (s.wake_pending != 0 && s.wake_pending <= due)) return;
    s.wake_pending = std::max(due, now + 1);
    out.emplace_back(wake_at{s.wake_pending});
  }
};

}  // namespace

effects step(state& s, const event& e) {
  return std::visit(
      [&](auto& what) {
        turn t{s, what.at_ms, {}};
        t.on(what);
        t.finish();
        return std::move(t.out);
      },
      e);
}

verdict explain(state& s, const std::string& uid) {
  auto* p = s.queue.find(uid);
  if (!p || p->where == place::binding) return {};
  cycle pod(s.nodes, p->pod, p->compiled);
  return judge(pod);
}

std::size_t enough_nodes(std::size_t all, std::size_t at_least) {
  if (all < at_least) return all;
  std::size_t percentage = all / 125 >= 45 ? 5 : 50 - all / 125;
  return std::max(all * percentage / 100, at_least);
}

void check_invariants(const state& s) {
  auto& t = s.nodes;
  for (slot_id slot = 0; slot < t.slots(); ++slot) {
    if (t.pods[slot] != static_cast<std::int64_t>(t.pods_on(slot).size()))
      throw std::logic_error("pod count of a node differs from its pods");
    if (t.requested_cpu[slot] < 0 || t.requested_memory[slot] < 0 || t.requested_storage[slot] < 0)
      throw std::logic_error("a node's requests are negative");
    if (t.pods_on(slot).empty() && (t.requested_cpu[slot] != 0 || !t.ports[slot].empty()))
      throw std::logic_error("an empty node has requests");
  }
  if (s.queue.binding_count() > s.config.max_bindings) throw std::logic_error("too many bindings in flight");
}

}  // namespace troupe::scheduler
