#include "actors/controller_manager/node_lifecycle/core.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "actors/controller_manager/common/owner.hpp"
#include "actors/controller_manager/common/requests.hpp"
#include "messages/text_search.hpp"
#include "messages/views/coordination_v1.hpp"

namespace troupe::controllers {

using controller::effect;

namespace {

constexpr std::uint64_t monitor_ms = 5'000;  // node-monitor-period

}  // namespace

struct node_lifecycle_core::turn {
  std::string name;
  object_ptr object;
  document content;
  core_v1::node_view node;
  std::uint64_t now_ms;
  const controller::caches& view;
  std::vector<effect> out;
  std::uint64_t next_ms = 0;  // when to look again, from now; 0: on changes only

  turn(const controller::key_due& due, object_ptr one, const controller::caches& caches)
      : name(due.key),
        object(std::move(one)),
        content(decode(*object)),
        node(content),
        now_ms(due.now_ms),
        view(caches) {}
  void look_again(std::uint64_t after_ms) { next_ms = next_ms ? std::min(next_ms, after_ms) : after_ms; }
  std::string path() const { return "/api/v1/nodes/" + name; }
};

std::vector<controller::source> node_lifecycle_core::sources() const {
  return {{"/api/v1/nodes", {}, {}},
          {"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", {}, {}},
          {"/api/v1/pods", {}, {}}};
}

std::vector<effect> node_lifecycle_core::observe(const controller::object_changed& change,
                                                 const controller::caches& view) {
  if (change.source == nodes) {
    observe_node(change);
    return {controller::enqueue{change.key, 0}};
  }
  if (change.source == leases) {
    // A renewal alone wakes nobody: the next look at the node sees it. The first one and the one after silence do.
    auto name = change.key.substr(change.key.find('/') + 1);
    bool first = !change.before || !change.now;
    if (first) return {controller::enqueue{name, 0}};
    auto node = view.find(nodes, name);
    bool silent = node && has_text(node->json.view(), "\"NodeStatusUnknown\"");
    return silent ? std::vector<effect>{controller::enqueue{name, 0}} : std::vector<effect>{};
  }
  auto known = node_of_.find(change.key);
  auto node = change.now ? std::string(change.now->node_name) : std::string();
  if (known != node_of_.end() && known->second != node) {
    pods_on_[known->second].erase(change.key);
    if (pods_on_[known->second].empty()) {
      pods_on_.erase(known->second);
      missing_since_ms_.erase(known->second);
    }
    node_of_.erase(known);
  }
  if (node.empty()) return {};
  bool fresh = node_of_.emplace(change.key, node).second;
  pods_on_[node].insert(change.key);
  return fresh ? std::vector<effect>{controller::enqueue{node, 0}} : std::vector<effect>{};
}

void node_lifecycle_core::observe_node(const controller::object_changed& change) {
  if (!change.now) {
    heartbeats_.erase(change.key);
    evicting_.erase(change.key);
    return zones_.forget(change.key);
  }
  auto content = decode(*change.now);
  core_v1::node_view node(content);
  if (change.now->label("node.kubernetes.io/exclude-disruption"))
    zones_.forget(change.key);
  else
    zones_.observe(change.key, zone_of(node), condition_status(node, "Ready") == "True");
}

/// Nobody knows which node was silent while nobody was heard of: all of them have their grace period again.
void node_lifecycle_core::settle_zones(const controller::key_due& due, const controller::caches& view,
                                       std::vector<effect>& out) {
  auto changed = zones_.settle(due.now_ms);
  if (changed == zones::turn::none) return;
  evicting_.clear();
  if (changed == zones::turn::left)
    for (auto& [name, last] : heartbeats_) last.seen_ms = due.now_ms;
  for (const auto& [name, node] : view.all(nodes))
    if (name != due.key) out.emplace_back(controller::enqueue{name, 0});
}

std::vector<effect> node_lifecycle_core::reconcile(const controller::key_due& due, const controller::caches& view) {
  std::vector<effect> woken;
  settle_zones(due, view, woken);
  auto found = view.find(nodes, due.key);
  if (!found) {
    for (auto& one : collect_lost_pods(due, view)) woken.push_back(std::move(one));
    return woken;
  }
  missing_since_ms_.erase(due.key);
  turn now(due, found, view);
  now.out = std::move(woken);
  // The taints follow when the condition is seen.
  if (!alive(now) && mark_unknown(now)) return std::move(now.out);
  keep_taints(now);
  evict(now);
  mark_pods_not_ready(now);
  if (now.next_ms) now.out.emplace_back(controller::enqueue{now.name, now.next_ms});
  return std::move(now.out);
}

// Whether the heartbeat has changed within the grace period.
bool node_lifecycle_core::alive(turn& now) {
  std::string reading;
  if (auto lease = now.view.find(leases, "kube-node-lease/" + now.name)) {
    auto content = decode(*lease);
    reading = coordination_v1::lease_view(content).spec().renew_time();
  }
  for (auto condition : now.node.status().conditions())
    if (condition.type() == "Ready" && condition.reason() != "NodeStatusUnknown")
      reading += " " + std::string(condition.last_heartbeat_time());
  auto& last = heartbeats_[now.name];
  if (last.seen_ms == 0 || (last.renewed != reading && !reading.empty())) last = {reading, now.now_ms};
  auto silent_ms = now.now_ms - std::min(now.now_ms, last.seen_ms);
  now.look_again(silent_ms < grace_ms_ ? grace_ms_ - silent_ms + 1 : grace_ms_);
  return silent_ms <= grace_ms_;
}

/// Whether something was to be marked.
bool node_lifecycle_core::mark_unknown(turn& now) {
  auto time = time_text(now.now_ms);
  document body;
  body.make_object(body.root());
  auto& status = body.set(body.root(), "status");
  body.make_object(status);
  auto& list = body.set(status, "conditions");
  body.make_array(list);
  for (const char* type : {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"}) {
    bool known = false, unknown = false;
    for (auto one : now.node.status().conditions())
      if (one.type() == type) {
        known = true;
        unknown = one.status() == "Unknown";
      }
    if (unknown) continue;
    auto& entry = body.append(list);
    body.make_object(entry);
    body.set(entry, "type", type);
    body.set(entry, "status", "Unknown");
    body.set(entry, "reason", known ? "NodeStatusUnknown" : "NodeStatusNeverUpdated");
    body.set(entry, "message", known ? "Kubelet stopped posting node status." : "Kubelet never posted node status.");
    body.set(entry, "lastTransitionTime", time);
  }
  if (list.empty()) return false;
  auto order = merge_patch(now.path() + "/status", to_json(body.root()), nodes);
  order.request.content_type = "application/strategic-merge-patch+json";
  order.tolerated = {reason::not_found};
  now.out.emplace_back(std::move(order));
  now.out.emplace_back(
      controller::note{now.object, false, "NodeNotReady", "Node " + now.name + " status is now: NodeNotReady"});
  return true;
}

/// Whether the node may have, or keep, a taint that evicts. One of them is exchanged for the other at once.
bool node_lifecycle_core::may_evict(turn& now) {
  auto ready = condition_status(now.node, "Ready");
  if (zones_.stopped()) return false;
  if (ready == "True" || ready.empty()) {
    evicting_.erase(now.name);
    return true;
  }
  auto taints = taints_of(now.node);
  if (evicting_.count(now.name) > 0 || std::any_of(taints.begin(), taints.end(), evicts)) return true;
  auto wait_ms = zones_.take(zone_of(now.node), now.now_ms);
  if (wait_ms == 0) return evicting_.insert(now.name).second;
  now.look_again(wait_ms.value_or(monitor_ms));
  return false;
}

void node_lifecycle_core::keep_taints(turn& now) {
  auto wanted = wanted_taints(now.node, time_text(now.now_ms), may_evict(now));
  if (same_taints(wanted, taints_of(now.node))) return;
  document body;
  body.make_object(body.root());
  core_v1::node_view changes(body);
  auto metadata = changes.mutable_metadata();
  metadata.set_resource_version(std::to_string(now.object->revision));
  auto list = changes.mutable_spec().mutable_taints();
  for (const auto& one : wanted) {
    auto added = list.append();
    added.set_key(one.key);
    if (!one.value.empty()) added.set_value(one.value);
    added.set_effect(one.effect);
    if (!one.time_added.empty()) added.set_time_added(one.time_added);
  }
  auto order = merge_patch(now.path(), to_json(body.root()), nodes);
  order.tolerated = {reason::not_found};
  now.out.emplace_back(std::move(order));
}

/// Those that evict; while evictions are stopped, less those that are about to be taken away.
std::vector<taint> node_lifecycle_core::harmful_taints(const turn& now) const {
  auto all = taints_of(now.node);
  std::erase_if(all, [&](const taint& one) { return one.effect != "NoExecute" || (zones_.stopped() && evicts(one)); });
  return all;
}

void node_lifecycle_core::evict(turn& now) {
  auto found = pods_on_.find(now.name);
  if (found == pods_on_.end() || harmful_taints(now).empty()) return;
  for (const auto& key : found->second)
    if (auto pod = now.view.find(pods, key)) evict_pod(now, *pod);
}

void node_lifecycle_core::evict_pod(turn& now, const object& one) {
  auto content = decode(one);
  core_v1::pod_view pod(content);
  auto phase = pod.status().phase();
  if (pod.metadata().has_deletion_timestamp() || phase == "Succeeded" || phase == "Failed") return;
  auto taints = harmful_taints(now);
  auto stay = stay_seconds(pod, taints);
  if (!stay) return;
  std::uint64_t since = now.now_ms;
  for (const auto& each : taints)
    if (time_ms(each.time_added)) since = std::min(since, time_ms(each.time_added));
  auto due = since + static_cast<std::uint64_t>(*stay) * 1000;
  if (due > now.now_ms) {
    now.look_again(due - now.now_ms + 1);
    return;
  }
  auto path = collection_path("v1", one.namespace_name, "pods") + "/" + std::string(one.name);
  now.out.emplace_back(erase(path, one.uid, pods));
  if (auto object = now.view.find(pods, key_of(one)))
    now.out.emplace_back(
        controller::note{object, false, "TaintManagerEviction", "Marking for deletion Pod " + key_of(one)});
}

// Services must not send traffic to pods of a node that nobody hears of.
void node_lifecycle_core::mark_pods_not_ready(turn& now) {
  auto status = condition_status(now.node, "Ready");
  auto found = pods_on_.find(now.name);
  if (status == "True" || status.empty() || found == pods_on_.end()) return;
  for (const auto& key : found->second) {
    auto one = now.view.find(pods, key);
    if (!one) continue;
    auto content = decode(*one);
    bool ready = false;
    for (auto condition : core_v1::pod_view(content).status().conditions())
      ready = ready || (condition.type() == "Ready" && condition.status() == "True");
    if (!ready) continue;
    auto body = fmt::format(
        R"({{"metadata":{{"uid":"{}"}},"status":{{"conditions":[{{"type":"Ready","status":"False","lastTransitionTime":"{}"}}]}}}})",
        one->uid, time_text(now.now_ms));
    auto path = collection_path("v1", one->namespace_name, "pods") + "/" + std::string(one->name);
    auto order = merge_patch(path + "/status", body, pods);
    order.request.content_type = "application/strategic-merge-patch+json";
    order.tolerated = {reason::not_found, reason::conflict};
    now.out.emplace_back(std::move(order));
    now.out.emplace_back(controller::note{one, true, "NodeNotReady", "Node is not ready"});
  }
}

// Pods bound to a node that does not exist will never be reported gone by it (pod garbage collector). The cache of
// nodes may lag behind that of pods: only a node missing for a while is believed to be gone (upstream's quarantine).
std::vector<effect> node_lifecycle_core::collect_lost_pods(const controller::key_due& due,
                                                           const controller::caches& view) {
  constexpr std::uint64_t quarantine_ms = 40'000;
  auto found = pods_on_.find(due.key);
  if (found == pods_on_.end()) {
    missing_since_ms_.erase(due.key);
    return {};
  }
  auto since = missing_since_ms_.emplace(due.key, due.now_ms).first->second;
  if (due.now_ms < since + quarantine_ms) return {controller::enqueue{due.key, since + quarantine_ms - due.now_ms}};
  std::vector<effect> out;
  for (const auto& key : found->second) {
    auto one = view.find(pods, key);
    if (!one) continue;
    auto order =
        erase(collection_path("v1", one->namespace_name, "pods") + "/" + std::string(one->name), one->uid, pods);
    order.request.body = shared_bytes(fmt::format(
        R"({{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0,"preconditions":{{"uid":"{}"}}}})",
        one->uid));
    out.emplace_back(std::move(order));
  }
  return out;
}

}  // namespace troupe::controllers
