// The table of nodes: observed nodes, accounted pods.
#include "actors/scheduler/snapshot.hpp"

#include <algorithm>

namespace troupe::scheduler {

name_id interner::of(std::string_view text) {
  if (auto found = ids_.find(text); found != ids_.end()) return found->second;
  auto id = static_cast<name_id>(texts_.size());
  texts_.emplace_back(text);
  ids_.emplace(texts_.back(), id);
  return id;
}

node_table::node_table() {
  ids.of("");  // id 0: port_use::ip of every address
  class_of({});
}

slot_id node_table::find(std::string_view name) const {
  auto found = by_name_.find(std::string(name));
  return found == by_name_.end() ? no_slot : found->second;
}

slot_id node_table::slot_for(std::string_view name) {
  if (auto known = find(name); known != no_slot) return known;
  slot_id slot;
  if (!free_.empty()) {
    slot = free_.back();
    free_.pop_back();
  } else {
    slot = static_cast<slot_id>(alive.size());
    for (auto* column : {&allocatable_cpu, &requested_cpu, &scored_cpu, &allocatable_memory, &requested_memory,
                         &scored_memory, &allocatable_storage, &requested_storage, &allocatable_pods, &pods})
      column->push_back(0);
    alive.push_back(0);
    unschedulable.push_back(0);
    taint_class.push_back(0);
    labels.emplace_back();
    scalars.emplace_back();
    ports.emplace_back();
    names_.emplace_back();
    pods_on_.emplace_back();
  }
  names_[slot] = name;
  by_name_.emplace(std::string(name), slot);
  return slot;
}

void node_table::free_if_unused(slot_id slot) {
  if (alive[slot] || !pods_on_[slot].empty()) return;
  by_name_.erase(names_[slot]);
  names_[slot].clear();
  labels[slot].clear();
  scalars[slot].clear();
  ports[slot].clear();
  free_.push_back(slot);
}

std::uint32_t node_table::class_of(const std::vector<taint>& taints) {
  std::string key;
  for (auto& t : taints) {
    key.append(t.key).push_back('\0');
    key.append(t.value).push_back('\0');
    key.push_back(static_cast<char>(t.effect));
  }
  auto [at, fresh] = taint_class_ids_.emplace(key, static_cast<std::uint32_t>(taint_classes_.size()));
  if (fresh) taint_classes_.push_back(taints);
  return at->second;
}

bool node_table::set_scalars(slot_id slot, const resources& allocatable) {
  auto& amounts = scalars[slot];
  bool changed = false;
  for (auto& a : amounts) {
    auto now = std::find_if(allocatable.scalars.begin(), allocatable.scalars.end(),
                            [&](auto& s) { return s.first == ids.text(a.name); });
    std::int64_t value = now == allocatable.scalars.end() ? 0 : now->second;
    changed |= a.allocatable != value;
    a.allocatable = value;
  }
  for (auto& [name, value] : allocatable.scalars) {
    auto id = ids.of(name);
    auto known = std::find_if(amounts.begin(), amounts.end(), [id](auto& a) { return a.name == id; });
    if (known != amounts.end()) continue;
    amounts.push_back({id, value, 0});
    changed = true;
  }
  return changed;
}

node_change node_table::observe(const node_info& node) {
  auto slot = slot_for(node.name);
  node_change change;
  change.added = !alive[slot];
  if (change.added) {
    alive[slot] = 1;
    order_.push_back(slot);
  }
  auto put = [&](std::int64_t& old, std::int64_t now) {
    change.allocatable |= old != now;
    old = now;
  };
  put(allocatable_cpu[slot], node.allocatable.milli_cpu);
  put(allocatable_memory[slot], node.allocatable.memory);
  put(allocatable_storage[slot], node.allocatable.ephemeral_storage);
  put(allocatable_pods[slot], node.allocatable_pods);
  change.allocatable |= set_scalars(slot, node.allocatable);

  label_ids now;
  for (auto& [key, value] : node.labels) now.emplace_back(ids.of(key), ids.of(value));
  std::sort(now.begin(), now.end());
  change.labels = now != labels[slot];
  labels[slot] = std::move(now);

  auto taints = class_of(node.taints);
  change.taints = taints != taint_class[slot] || node.unschedulable != (unschedulable[slot] != 0);
  taint_class[slot] = taints;
  unschedulable[slot] = node.unschedulable;
  return change;
}

void node_table::remove(std::string_view name) {
  auto slot = find(name);
  if (slot == no_slot || !alive[slot]) return;
  alive[slot] = 0;
  order_.erase(std::find(order_.begin(), order_.end(), slot));
  free_if_unused(slot);
}

pod_usage node_table::usage_of(const pod_info& pod) {
  pod_usage usage;
  usage.milli_cpu = pod.requests.milli_cpu;
  usage.memory = pod.requests.memory;
  usage.ephemeral_storage = pod.requests.ephemeral_storage;
  usage.scored_milli_cpu = pod.scored_milli_cpu;
  usage.scored_memory = pod.scored_memory;
  for (auto& [name, value] : pod.requests.scalars) usage.scalars.emplace_back(ids.of(name), value);
  for (auto& p : pod.ports) usage.ports.push_back({p.ip == "0.0.0.0" ? 0 : ids.of(p.ip), ids.of(p.protocol), p.port});
  return usage;
}

void node_table::account(slot_id slot, const pod_usage& usage, int sign) {
  requested_cpu[slot] += sign * usage.milli_cpu;
  requested_memory[slot] += sign * usage.memory;
  requested_storage[slot] += sign * usage.ephemeral_storage;
  scored_cpu[slot] += sign * usage.scored_milli_cpu;
  scored_memory[slot] += sign * usage.scored_memory;
  pods[slot] += sign;
  for (auto& [name, value] : usage.scalars) {
    auto& amounts = scalars[slot];
    auto id = name;
    auto known = std::find_if(amounts.begin(), amounts.end(), [id](auto& a) { return a.name == id; });
    if (known == amounts.end()) known = amounts.insert(amounts.end(), {id, 0, 0});
    known->requested += sign * value;
  }
  for (auto& use : usage.ports) {
    auto& used = ports[slot];
    if (sign > 0)
      used.push_back(use);
    else if (auto at = std::find(used.begin(), used.end(), use); at != used.end())
      used.erase(at);
  }
}

void node_table::count_owner(const std::string& owner, slot_id slot, int sign) {
  if (owner.empty()) return;
  auto& counts = owners_[owner].counts;
  auto at = std::lower_bound(counts.begin(), counts.end(), slot, [](auto& c, slot_id s) { return c.first < s; });
  if (at == counts.end() || at->first != slot) at = counts.insert(at, {slot, 0});
  at->second += static_cast<std::uint32_t>(sign);
  if (at->second == 0) counts.erase(at);
  if (counts.empty()) owners_.erase(owner);
}

void node_table::assign(const std::string& uid, const pod_info& pod, std::string_view node, pod_usage usage,
                        bool assumed) {
  release(uid);
  auto slot = slot_for(node);
  account(slot, usage, 1);
  count_owner(pod.owner, slot, 1);
  pods_on_[slot].push_back(uid);
  pods_[uid] = {pod.namespace_name, pod.name, slot, std::move(usage), pod.priority, pod.owner, assumed};
}

slot_id node_table::release(const std::string& uid) {
  auto found = pods_.find(uid);
  if (found == pods_.end()) return no_slot;
  auto slot = found->second.slot;
  account(slot, found->second.usage, -1);
  count_owner(found->second.owner, slot, -1);
  auto& here = pods_on_[slot];
  auto at = std::find(here.begin(), here.end(), uid);
  *at = std::move(here.back());
  here.pop_back();
  pods_.erase(found);
  free_if_unused(slot);
  return alive[slot] ? slot : no_slot;
}

assigned_pod* node_table::find_pod(const std::string& uid) {
  auto found = pods_.find(uid);
  return found == pods_.end() ? nullptr : &found->second;
}

const owner_spread* node_table::spread_of(const std::string& owner) const {
  auto found = owners_.find(owner);
  return found == owners_.end() ? nullptr : &found->second;
}

}  // namespace troupe::scheduler
