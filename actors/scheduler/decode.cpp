// From core/v1 Pod and Node to the scheduler's records.
#include "actors/scheduler/decode.hpp"

#include <algorithm>

#include "messages/schema/codec.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::scheduler {
namespace {

constexpr std::int64_t default_milli_cpu = 100;               // what a container without a request counts for in scores
constexpr std::int64_t default_memory = 200ll * 1024 * 1024;  // the same for memory

/// Requests together with the amounts that scores go by.
struct amounts {
  resources asked;
  std::int64_t scored_milli_cpu = 0;
  std::int64_t scored_memory = 0;
};

std::int64_t& scalar(resources& r, std::string_view name) {
  auto at = std::lower_bound(r.scalars.begin(), r.scalars.end(), name, [](auto& s, auto n) { return s.first < n; });
  if (at == r.scalars.end() || at->first != name) at = r.scalars.insert(at, {std::string(name), 0});
  return at->second;
}

resources read_resources(const map_view& list, std::int64_t* pods = nullptr) {
  resources out;
  for (auto [name, text] : list) {
    std::int64_t value = 0;
    if (name == "cpu") {
      schema::quantity_milli(text, out.milli_cpu);
      continue;
    }
    schema::quantity_value(text, value);
    if (name == "memory")
      out.memory = value;
    else if (name == "ephemeral-storage")
      out.ephemeral_storage = value;
    else if (name != "pods")
      scalar(out, name) = value;
    else if (pods)
      *pods = value;
  }
  return out;
}

amounts of_container(const core_v1::container_view& c) {
  auto list = c.resources().requests();
  amounts out{read_resources(list), 0, 0};
  out.scored_milli_cpu = list.contains("cpu") ? out.asked.milli_cpu : default_milli_cpu;
  out.scored_memory = list.contains("memory") ? out.asked.memory : default_memory;
  return out;
}

template <class Merge>
void merge(amounts& into, const amounts& other, Merge merge_one) {
  merge_one(into.asked.milli_cpu, other.asked.milli_cpu);
  merge_one(into.asked.memory, other.asked.memory);
  merge_one(into.asked.ephemeral_storage, other.asked.ephemeral_storage);
  merge_one(into.scored_milli_cpu, other.scored_milli_cpu);
  merge_one(into.scored_memory, other.scored_memory);
  for (auto& [name, value] : other.asked.scalars) merge_one(scalar(into.asked, name), value);
}
void add(amounts& into, const amounts& other) {
  merge(into, other, [](std::int64_t& a, std::int64_t b) { a += b; });
}
void at_least(amounts& into, const amounts& other) {
  merge(into, other, [](std::int64_t& a, std::int64_t b) { a = std::max(a, b); });
}

// Containers and sidecars run together; an init container runs beside the sidecars started before it.
amounts effective(const core_v1::pod_spec_view& spec) {
  amounts running, sidecars, peak;
  for (auto c : spec.containers()) add(running, of_container(c));
  for (auto c : spec.init_containers()) {
    auto one = of_container(c);
    if (c.restart_policy() == "Always") {
      add(running, one);
      add(sidecars, one);
      at_least(peak, sidecars);
    } else {
      add(one, sidecars);
      at_least(peak, one);
    }
  }
  at_least(running, peak);
  // Pod level requests replace what the containers add up to (KEP-2837).
  auto pod_level = spec.resources().requests();
  auto asked = read_resources(pod_level);
  if (pod_level.contains("cpu")) running.asked.milli_cpu = running.scored_milli_cpu = asked.milli_cpu;
  if (pod_level.contains("memory")) running.asked.memory = running.scored_memory = asked.memory;
  for (auto& [name, value] : asked.scalars) scalar(running.asked, name) = value;
  amounts overhead{read_resources(spec.overhead()), 0, 0};
  overhead.scored_milli_cpu = overhead.asked.milli_cpu;
  overhead.scored_memory = overhead.asked.memory;
  add(running, overhead);
  return running;
}

taint_effect effect_of(std::string_view text) {
  if (text == "NoSchedule") return taint_effect::no_schedule;
  if (text == "PreferNoSchedule") return taint_effect::prefer_no_schedule;
  if (text == "NoExecute") return taint_effect::no_execute;
  return taint_effect::other;
}

selector_operator operator_of(std::string_view text) {
  if (text == "NotIn") return selector_operator::not_in;
  if (text == "Exists") return selector_operator::exists;
  if (text == "DoesNotExist") return selector_operator::does_not_exist;
  if (text == "Gt") return selector_operator::gt;
  if (text == "Lt") return selector_operator::lt;
  return selector_operator::in;
}

std::vector<requirement> read_requirements(const list_view<core_v1::node_selector_requirement_view>& list) {
  std::vector<requirement> out;
  for (auto r : list) {
    requirement one{std::string(r.key()), operator_of(r.operator_()), {}};
    for (auto v : r.values()) one.values.emplace_back(v);
    out.push_back(std::move(one));
  }
  return out;
}

selector_term read_term(const core_v1::node_selector_term_view& term) {
  return {read_requirements(term.match_expressions()), read_requirements(term.match_fields())};
}

void read_affinity(const core_v1::affinity_view& affinity, pod_info& out) {
  auto node = affinity.node_affinity();
  out.has_required_affinity = node.has_required_during_scheduling_ignored_during_execution();
  for (auto term : node.required_during_scheduling_ignored_during_execution().node_selector_terms())
    out.required_affinity.push_back(read_term(term));
  for (auto p : node.preferred_during_scheduling_ignored_during_execution())
    out.preferred_affinity.push_back({static_cast<std::int32_t>(p.weight()), read_term(p.preference())});
  auto refuse = [&](const char* what) {
    out.unsupported.push_back(std::string("this scheduler does not evaluate ") + what);
  };
  if (!affinity.pod_affinity().required_during_scheduling_ignored_during_execution().empty())
    refuse("required pod affinity");
  if (!affinity.pod_anti_affinity().required_during_scheduling_ignored_during_execution().empty())
    refuse("required pod anti-affinity");
}

void read_unsupported(const core_v1::pod_spec_view& spec, pod_info& out) {
  auto refuse = [&](const std::string& what) { out.unsupported.push_back("this scheduler does not evaluate " + what); };
  for (auto c : spec.topology_spread_constraints())
    if (c.when_unsatisfiable() == "DoNotSchedule") {
      refuse("topology spread constraints with whenUnsatisfiable DoNotSchedule");
      break;
    }
  for (auto v : spec.volumes())
    if (v.has_persistent_volume_claim() || v.has_ephemeral()) {
      refuse("persistent volume claims");
      break;
    }
  if (!spec.resource_claims().empty()) refuse("resource claims");
}

void read_tolerations(const core_v1::pod_spec_view& spec, pod_info& out) {
  for (auto t : spec.tolerations()) {
    toleration one;
    one.key = t.key();
    one.value = t.value();
    one.exists = t.operator_() == "Exists";
    one.any_effect = t.effect().empty();
    one.effect = effect_of(t.effect());
    out.tolerations.push_back(std::move(one));
  }
}

void read_ports(const core_v1::pod_spec_view& spec, pod_info& out) {
  auto take = [&](const core_v1::container_view& c) {
    for (auto p : c.ports()) {
      auto port = static_cast<std::int32_t>(p.host_port(spec.host_network() ? p.container_port() : 0));
      if (port <= 0) continue;
      auto protocol = p.protocol().empty() ? "TCP" : p.protocol();
      out.ports.push_back({std::string(p.host_ip()), std::string(protocol), port});
    }
  };
  for (auto c : spec.containers()) take(c);
  for (auto c : spec.init_containers())
    if (c.restart_policy() == "Always") take(c);
}

void read_status(const core_v1::pod_view& pod, pod_info& out) {
  auto phase = pod.status().phase();
  out.terminal = phase == "Succeeded" || phase == "Failed";
  for (auto c : pod.status().conditions()) {
    if (c.type() != "PodScheduled" || c.status() != "False") continue;
    out.condition_reason = c.reason();
    out.condition_message = c.message();
  }
}

}  // namespace

pod_info read_pod(const document& doc, std::string_view scheduler_name) {
  core_v1::pod_view pod(doc);
  auto meta = pod.metadata();
  auto spec = pod.spec();
  pod_info out;
  out.namespace_name = meta.namespace_();
  out.name = meta.name();
  out.uid = meta.uid();
  out.node_name = spec.node_name();
  out.ours = spec.scheduler_name() == scheduler_name;
  out.deleting = meta.has_deletion_timestamp();
  out.priority = static_cast<std::int32_t>(spec.priority());
  out.never_preempts = spec.preemption_policy() == "Never";
  auto need = effective(spec);
  out.requests = std::move(need.asked);
  out.scored_milli_cpu = need.scored_milli_cpu;
  out.scored_memory = need.scored_memory;
  read_ports(spec, out);
  for (auto owner : meta.owner_references())
    if (owner.controller()) out.owner = owner.uid();
  read_status(pod, out);
  if (!out.node_name.empty()) return out;  // what follows is needed to place it only
  for (auto [key, value] : spec.node_selector()) out.node_selector.emplace_back(key, value);
  read_affinity(spec.affinity(), out);
  read_tolerations(spec, out);
  for (auto g : spec.scheduling_gates()) out.gates.emplace_back(g.name());
  read_unsupported(spec, out);
  return out;
}

node_info read_node(const document& doc) {
  core_v1::node_view node(doc);
  node_info out;
  out.name = node.metadata().name();
  out.unschedulable = node.spec().unschedulable();
  for (auto [key, value] : node.metadata().labels()) out.labels.emplace_back(key, value);
  for (auto t : node.spec().taints())
    out.taints.push_back({std::string(t.key()), std::string(t.value()), effect_of(t.effect())});
  out.allocatable = read_resources(node.status().allocatable(), &out.allocatable_pods);
  return out;
}

result<pod_info> decode_pod(const object& pod, std::string_view scheduler_name) {
  auto doc = document::parse(pod.json.view());
  if (!doc) return doc.error();
  auto out = read_pod(*doc, scheduler_name);
  out.revision = pod.revision;
  return out;
}

result<node_info> decode_node(const object& node) {
  auto doc = document::parse(node.json.view());
  if (!doc) return doc.error();
  auto out = read_node(*doc);
  out.revision = node.revision;
  return out;
}

}  // namespace troupe::scheduler
