// Filters: may this pod run on that node? Named and ordered as Kubernetes' scheduler plug-ins.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "actors/scheduler/snapshot.hpp"

namespace troupe::scheduler {

/// Who rejects. The filters stand in the order in which they are asked; a node's first rejection counts.
enum class plugin : std::uint8_t {
  none,
  node_unschedulable,
  node_name,
  taint_toleration,
  node_affinity,
  node_ports,
  node_resources_fit,
};
/// "NodeResourcesFit" and so on.
std::string_view plugin_name(plugin p);

struct compiled_requirement {
  name_id key = 0;
  selector_operator op = selector_operator::in;
  std::vector<name_id> values;
  std::int64_t bound = 0;  // of gt and lt
  bool bound_ok = false;
};
struct compiled_term {
  std::vector<compiled_requirement> expressions;
  std::vector<compiled_requirement> names;  // matchFields on metadata.name
};

/// A pod with its constraints in the table's ids; made once, when the pod arrives.
struct compiled_pod {
  pod_usage usage;
  bool best_effort = false;  // asks for neither cpu nor memory
  bool tolerates_unschedulable = false;
  std::vector<std::pair<name_id, name_id>> selector;
  bool has_required = false;
  std::vector<compiled_term> required;
  std::vector<std::pair<std::int32_t, compiled_term>> preferred;
  /// Set when every required term names nodes: only these need looking at.
  bool restricts_names = false;
  std::vector<std::string> only_names;
};
compiled_pod compile(node_table& table, const pod_info& pod);

/// Does the toleration cover the taint (key, value and effect)?
bool tolerates(const toleration& t, const taint& what);
bool term_matches(const node_table& table, const compiled_term& term, slot_id slot);

/// One pod against the table. Taints are judged once per class of nodes.
class cycle {
 public:
  cycle(const node_table& table, const pod_info& pod, const compiled_pod& compiled);

  /// The first filter that rejects the node, or none.
  plugin first_failure(slot_id slot);
  /// PreferNoSchedule taints that the pod does not tolerate.
  std::uint32_t untolerated_preferences(slot_id slot) { return judged(slot).preferences; }

  /// Why the node was rejected by that filter, in Kubernetes' words. `resolvable`: removing pods could help.
  std::vector<std::string> reasons(slot_id slot, plugin by, bool& resolvable) const;

  const node_table& table() const { return table_; }
  const pod_info& pod() const { return pod_; }
  const compiled_pod& compiled() const { return compiled_; }

 private:
  struct judgement {
    bool known = false;
    bool ok = false;
    std::uint32_t preferences = 0;
  };
  const judgement& judged(slot_id slot);
  bool affinity_ok(slot_id slot) const;
  bool ports_ok(slot_id slot) const;
  bool fits(slot_id slot) const;

  const node_table& table_;
  const pod_info& pod_;
  const compiled_pod& compiled_;
  bool selects_ = false;
  std::vector<judgement> classes_;
};

}  // namespace troupe::scheduler
