#include "actors/controller_manager/common/pod_facts.hpp"

#include <charconv>

#include "actors/controller_manager/common/requests.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::controllers {
namespace {

int phase_rank(std::string_view phase) { return phase == "Pending" ? 0 : phase == "Unknown" || phase.empty() ? 1 : 2; }

}  // namespace

pod_facts facts_of(const object& one) {
  auto decoded = decode(one);
  core_v1::pod_view pod(decoded);
  pod_facts facts;
  facts.uid = one.uid;
  facts.controlled_by = controller_of(pod.metadata());
  facts.phase = pod.status().phase();
  facts.node_name = one.node_name;
  facts.deleting = pod.metadata().has_deletion_timestamp();
  facts.created_ms = time_ms(pod.metadata().creation_timestamp());
  for (auto condition : pod.status().conditions())
    if (condition.type() == "Ready" && condition.status() == "True") {
      facts.ready = true;
      facts.ready_since_ms = time_ms(condition.last_transition_time());
    }
  for (auto container : pod.status().container_statuses()) facts.restarts += container.restart_count();
  auto cost = pod.metadata().annotations().get("controller.kubernetes.io/pod-deletion-cost");
  std::from_chars(cost.data(), cost.data() + cost.size(), facts.deletion_cost);
  return facts;
}

bool delete_first(const pod_facts& a, std::size_t a_company, const pod_facts& b, std::size_t b_company) {
  if (a.node_name.empty() != b.node_name.empty()) return a.node_name.empty();
  if (phase_rank(a.phase) != phase_rank(b.phase)) return phase_rank(a.phase) < phase_rank(b.phase);
  if (a.ready != b.ready) return !a.ready;
  if (a.deletion_cost != b.deletion_cost) return a.deletion_cost < b.deletion_cost;
  if (a_company != b_company) return a_company > b_company;
  if (a.ready && a.ready_since_ms != b.ready_since_ms) return a.ready_since_ms > b.ready_since_ms;
  if (a.restarts != b.restarts) return a.restarts > b.restarts;
  if (a.created_ms != b.created_ms) return a.created_ms > b.created_ms;
  return a.uid < b.uid;  // no preference, but always the same one
}

}  // namespace troupe::controllers
