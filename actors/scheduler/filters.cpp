// The filter plug-ins.
#include "actors/scheduler/filters.hpp"

#include <algorithm>
#include <charconv>

namespace troupe::scheduler {
namespace {

constexpr std::string_view unschedulable_taint = "node.kubernetes.io/unschedulable";

bool parse_number(std::string_view text, std::int64_t& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

compiled_requirement compile(interner& ids, const requirement& r) {
  compiled_requirement out;
  out.key = ids.of(r.key);
  out.op = r.op;
  for (auto& v : r.values) out.values.push_back(ids.of(v));
  if (r.values.size() == 1) out.bound_ok = parse_number(r.values[0], out.bound);
  return out;
}

compiled_term compile(interner& ids, const selector_term& term) {
  compiled_term out;
  for (auto& r : term.expressions) out.expressions.push_back(compile(ids, r));
  for (auto& r : term.fields) out.names.push_back(compile(ids, r));
  return out;
}

bool contains(const std::vector<name_id>& values, name_id value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

const name_id* find_label(const label_ids& labels, name_id key) {
  auto at = std::lower_bound(labels.begin(), labels.end(), std::pair<name_id, name_id>(key, 0));
  return at != labels.end() && at->first == key ? &at->second : nullptr;
}

bool label_holds(const node_table& table, const compiled_requirement& r, slot_id slot) {
  auto* value = find_label(table.labels[slot], r.key);
  switch (r.op) {
    case selector_operator::in:
      return value && contains(r.values, *value);
    case selector_operator::not_in:
      return !value || !contains(r.values, *value);
    case selector_operator::exists:
      return value != nullptr;
    case selector_operator::does_not_exist:
      return value == nullptr;
    case selector_operator::gt:
    case selector_operator::lt:
      break;
  }
  std::int64_t number = 0;
  if (!value || !r.bound_ok || !parse_number(table.ids.text(*value), number)) return false;
  return r.op == selector_operator::gt ? number > r.bound : number < r.bound;
}

bool name_holds(const node_table& table, const compiled_requirement& r, slot_id slot) {
  auto equals = [&](name_id v) { return table.ids.text(v) == table.name(slot); };
  bool listed = std::any_of(r.values.begin(), r.values.end(), equals);
  if (r.op == selector_operator::in) return listed;
  return r.op == selector_operator::not_in && !listed;
}

// Kubernetes narrows the search only if every term names nodes by metadata.name In.
void restrict_names(const pod_info& pod, compiled_pod& out) {
  if (!pod.has_required_affinity || pod.required_affinity.empty()) return;
  std::vector<std::string> all;
  for (auto& term : pod.required_affinity) {
    std::vector<std::string> names;
    bool named = false;
    for (auto& f : term.fields) {
      if (f.op != selector_operator::in) continue;
      auto values = f.values;
      std::sort(values.begin(), values.end());
      if (named) {
        std::vector<std::string> both;
        std::set_intersection(names.begin(), names.end(), values.begin(), values.end(), std::back_inserter(both));
        names = std::move(both);
      } else {
        names = std::move(values);
      }
      named = true;
    }
    if (!named) return;
    all.insert(all.end(), names.begin(), names.end());
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  out.restricts_names = true;
  out.only_names = std::move(all);
}

bool tolerated(const pod_info& pod, const taint& what) {
  return std::any_of(pod.tolerations.begin(), pod.tolerations.end(), [&](auto& t) { return tolerates(t, what); });
}

}  // namespace

std::string_view plugin_name(plugin p) {
  switch (p) {
    case plugin::none:
      return "";
    case plugin::node_unschedulable:
      return "NodeUnschedulable";
    case plugin::node_name:
      return "NodeName";
    case plugin::taint_toleration:
      return "TaintToleration";
    case plugin::node_affinity:
      return "NodeAffinity";
    case plugin::node_ports:
      return "NodePorts";
    case plugin::node_resources_fit:
      return "NodeResourcesFit";
  }
  return "";
}

bool tolerates(const toleration& t, const taint& what) {
  if (!t.any_effect && t.effect != what.effect) return false;
  if (!t.key.empty() && t.key != what.key) return false;
  return t.exists || (!t.key.empty() && t.value == what.value);
}

compiled_pod compile(node_table& table, const pod_info& pod) {
  compiled_pod out;
  out.usage = table.usage_of(pod);
  out.best_effort = pod.requests.milli_cpu == 0 && pod.requests.memory == 0;
  out.tolerates_unschedulable = tolerated(pod, {std::string(unschedulable_taint), "", taint_effect::no_schedule});
  for (auto& [key, value] : pod.node_selector) out.selector.emplace_back(table.ids.of(key), table.ids.of(value));
  out.has_required = pod.has_required_affinity;
  for (auto& term : pod.required_affinity) out.required.push_back(compile(table.ids, term));
  for (auto& p : pod.preferred_affinity) out.preferred.emplace_back(p.weight, compile(table.ids, p.term));
  restrict_names(pod, out);
  return out;
}

bool term_matches(const node_table& table, const compiled_term& term, slot_id slot) {
  if (term.expressions.empty() && term.names.empty()) return false;
  for (auto& r : term.expressions)
    if (!label_holds(table, r, slot)) return false;
  for (auto& r : term.names)
    if (!name_holds(table, r, slot)) return false;
  return true;
}

cycle::cycle(const node_table& table, const pod_info& pod, const compiled_pod& compiled)
    : table_(table), pod_(pod), compiled_(compiled) {
  selects_ = !compiled.selector.empty() || compiled.has_required;
  classes_.resize(table.taint_class_count());
}

const cycle::judgement& cycle::judged(slot_id slot) {
  auto& j = classes_[table_.taint_class[slot]];
  if (j.known) return j;
  j.known = j.ok = true;
  for (auto& t : table_.taints_of(table_.taint_class[slot])) {
    if (tolerated(pod_, t)) continue;
    if (t.effect == taint_effect::no_schedule || t.effect == taint_effect::no_execute) j.ok = false;
    if (t.effect == taint_effect::prefer_no_schedule) ++j.preferences;
  }
  return j;
}

bool cycle::affinity_ok(slot_id slot) const {
  for (auto& [key, value] : compiled_.selector) {
    auto* have = find_label(table_.labels[slot], key);
    if (!have || *have != value) return false;
  }
  if (!compiled_.has_required) return true;
  return std::any_of(compiled_.required.begin(), compiled_.required.end(),
                     [&](auto& term) { return term_matches(table_, term, slot); });
}

bool cycle::ports_ok(slot_id slot) const {
  for (auto& wanted : compiled_.usage.ports)
    for (auto& used : table_.ports[slot])
      if (wanted.port == used.port && wanted.protocol == used.protocol &&
          (wanted.ip == 0 || used.ip == 0 || wanted.ip == used.ip))
        return false;
  return true;
}

bool cycle::fits(slot_id slot) const {
  auto& t = table_;
  auto& u = compiled_.usage;
  if (t.pods[slot] + 1 > t.allocatable_pods[slot]) return false;
  if (u.milli_cpu > 0 && u.milli_cpu > t.allocatable_cpu[slot] - t.requested_cpu[slot]) return false;
  if (u.memory > 0 && u.memory > t.allocatable_memory[slot] - t.requested_memory[slot]) return false;
  if (u.ephemeral_storage > 0 && u.ephemeral_storage > t.allocatable_storage[slot] - t.requested_storage[slot])
    return false;
  for (auto& [name, value] : u.scalars) {
    if (value == 0) continue;
    auto id = name;
    auto at = std::find_if(t.scalars[slot].begin(), t.scalars[slot].end(), [id](auto& a) { return a.name == id; });
    if (at == t.scalars[slot].end() || value > at->allocatable - at->requested) return false;
  }
  return true;
}

plugin cycle::first_failure(slot_id slot) {
  if (table_.unschedulable[slot] && !compiled_.tolerates_unschedulable) return plugin::node_unschedulable;
  if (!pod_.node_name.empty() && pod_.node_name != table_.name(slot)) return plugin::node_name;
  if (!judged(slot).ok) return plugin::taint_toleration;
  if (selects_ && !affinity_ok(slot)) return plugin::node_affinity;
  if (!compiled_.usage.ports.empty() && !ports_ok(slot)) return plugin::node_ports;
  return fits(slot) ? plugin::none : plugin::node_resources_fit;
}

std::vector<std::string> cycle::reasons(slot_id slot, plugin by, bool& resolvable) const {
  resolvable = false;
  switch (by) {
    case plugin::none:
      return {};
    case plugin::node_unschedulable:
      return {"node(s) were unschedulable"};
    case plugin::node_name:
      return {"node(s) didn't match the requested node name"};
    case plugin::taint_toleration:
      return {"node(s) had untolerated taint(s)"};
    case plugin::node_affinity:
      return {"node(s) didn't match Pod's node affinity/selector"};
    case plugin::node_ports:
      resolvable = true;
      return {"node(s) didn't have free ports for the requested pod ports"};
    case plugin::node_resources_fit:
      break;
  }
  std::vector<std::string> out;
  resolvable = true;
  auto& t = table_;
  auto& u = compiled_.usage;
  auto check = [&](std::string_view name, std::int64_t wanted, std::int64_t total, std::int64_t used) {
    if (wanted <= 0 || wanted <= total - used) return;
    out.push_back("Insufficient " + std::string(name));
    resolvable &= wanted <= total;
  };
  if (t.pods[slot] + 1 > t.allocatable_pods[slot]) out.push_back("Too many pods");
  check("cpu", u.milli_cpu, t.allocatable_cpu[slot], t.requested_cpu[slot]);
  check("memory", u.memory, t.allocatable_memory[slot], t.requested_memory[slot]);
  check("ephemeral-storage", u.ephemeral_storage, t.allocatable_storage[slot], t.requested_storage[slot]);
  for (auto& [name, value] : u.scalars) {
    auto id = name;
    auto at = std::find_if(t.scalars[slot].begin(), t.scalars[slot].end(), [id](auto& a) { return a.name == id; });
    bool known = at != t.scalars[slot].end();
    check(t.ids.text(id), value, known ? at->allocatable : 0, known ? at->requested : 0);
  }
  return out;
}

}  // namespace troupe::scheduler
