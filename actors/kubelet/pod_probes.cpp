// The pod core's probes.
#include "actors/kubelet/pod_turn.hpp"

namespace troupe::kubelet {

namespace {
const char* title(probe_kind kind) {
  switch (kind) {
    case probe_kind::startup:
      return "Startup";
    case probe_kind::liveness:
      return "Liveness";
    case probe_kind::readiness:
      break;
  }
  return "Readiness";
}
}  // namespace

void pod_turn::reset_probes(std::size_t i) {
  for (auto& p : s.runs[i].probes) p = {};
  s.runs[i].probes[static_cast<std::size_t>(probe_kind::liveness)].result = true;
}

void pod_turn::run_probes() {
  for (std::size_t i = 0; i < s.runs.size(); ++i) {
    if (s.runs[i].at != stage::running) continue;
    bool up = started(i);
    if (!up) run_probe_of(i, probe_kind::startup);
    if (!up) continue;
    if (!s.stopping) run_probe_of(i, probe_kind::liveness);
    if (s.runs[i].at == stage::running) run_probe_of(i, probe_kind::readiness);
  }
}

void pod_turn::run_probe_of(std::size_t i, probe_kind kind) {
  auto& p = plan(i).probe(kind);
  auto& state = s.runs[i].probes[static_cast<std::size_t>(kind)];
  if (!p.action || state.under_way) return;
  if (state.due_ms == 0) state.due_ms = std::max(now.steady_ms, s.runs[i].started_ms + p.initial_delay * 1000);
  if (!due(state.due_ms)) return;
  state.under_way = true;
  emit(run_probe{plan(i).name, s.runs[i].id, kind});
}

void pod_turn::on(const probe_done& e) {
  auto i = find(e.container);
  if (i == s.runs.size() || s.runs[i].id != e.id || s.runs[i].at != stage::running) return;
  auto& p = plan(i).probe(e.probe);
  auto& state = s.runs[i].probes[static_cast<std::size_t>(e.probe)];
  if (!state.under_way) return;
  state.under_way = false;
  state.due_ms = std::max(now.steady_ms, state.due_ms + p.period * 1000);
  if (e.outcome == probe_outcome::unknown) {
    note(true, e.container, "Unhealthy",
         std::string(title(e.probe)) + " probe errored and resulted in unknown state: " + e.output);
    return;
  }
  bool good = e.outcome == probe_outcome::success;
  if (!good) note(true, e.container, "Unhealthy", std::string(title(e.probe)) + " probe failed: " + e.output);
  state.streak = state.streak > 0 && state.streak_success == good ? state.streak + 1 : 1;
  state.streak_success = good;
  if (state.streak >= (good ? p.successes : p.failures)) probe_decided(i, e.probe, good, e.output);
}

void pod_turn::probe_decided(std::size_t i, probe_kind kind, bool good, const std::string&) {
  auto& state = s.runs[i].probes[static_cast<std::size_t>(kind)];
  state.result = good;
  if (good || kind == probe_kind::readiness) return;
  auto grace = plan(i).probe(kind).grace;
  auto name = kind == probe_kind::liveness ? "liveness" : "startup";
  begin_stop(i, grace >= 0 ? grace : s.plan.grace,
             "Container " + plan(i).name + " failed " + name + " probe, will be restarted");
}

}  // namespace troupe::kubelet
