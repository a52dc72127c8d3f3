// Taking over what the runtime had before this incarnation, and noticing what it lost.
#include "actors/kubelet/pod_turn.hpp"

namespace troupe::kubelet {

namespace {

std::string without_scheme(const std::string& id) {
  auto at = id.find("://");
  return at == id.npos ? id : id.substr(at + 3);
}

termination unknown_end(const std::string& id) {
  termination end;
  end.happened = true;
  end.id = id;
  end.exit_code = 137;
  end.reason = "ContainerStatusUnknown";
  end.message = "The container could not be located when the pod was terminated";
  return end;
}

}  // namespace

void pod_turn::adopt_sandboxes(const std::vector<container::sandbox_status>& sandboxes) {
  const container::sandbox_status* best = nullptr;
  for (auto& b : sandboxes) {
    s.sandbox_attempted = true;
    s.sandbox_attempt = std::max(s.sandbox_attempt, b.attempt);
    if (b.state == container::sandbox_state::ready && (!best || b.attempt > best->attempt)) best = &b;
  }
  // Without a living one, the last is kept until the pod goes: its containers' logs are in it.
  if (!best)
    for (auto& b : sandboxes)
      if (b.attempt == s.sandbox_attempt) best = &b;
  for (auto& b : sandboxes) {
    if (&b == best) continue;
    s.leftovers[b.id] = true;
    emit(stop_sandbox{b.id, true});
  }
  if (!best) return;
  s.sandbox_id = best->id;
  s.ips = best->ips;
  s.sandbox_attempt = best->attempt;
  if (best->state == container::sandbox_state::ready) s.sandbox = sandbox_stage::ready;
}

void pod_turn::adopt_container(std::size_t i, const std::vector<container::container_status>& all) {
  auto& r = s.runs[i];
  const container::container_status* newest = nullptr;
  const container::container_status* older = nullptr;
  for (auto& c : all) {
    if (c.name != plan(i).name) continue;
    if (!newest || c.attempt > newest->attempt) {
      older = newest;
      newest = &c;
    } else if (!older || c.attempt > older->attempt) {
      older = &c;
    }
  }
  const reported_container* reported = nullptr;
  for (auto& x : s.plan.reported)
    if (x.name == plan(i).name) reported = &x;
  if (!newest) {
    if (!reported || reported->container_id.empty()) return;
    r.created = true;
    r.attempt = reported->restarts;
    r.ended = unknown_end(without_scheme(reported->container_id));
    return;
  }
  r.created = true;
  r.id = newest->id;
  r.attempt = newest->attempt;
  r.image_ref = newest->image_ref;
  r.sandbox = newest->sandbox_id == s.sandbox_id ? s.sandbox_attempt : s.sandbox_attempt + 1;
  r.started_ns = newest->started_ns;
  r.started_ms = now.steady_ms;
  if (older && older->state == container::container_state::exited) {
    r.before = {true,           older->id,         older->exit_code,  older->reason,
                older->message, older->started_ns, older->finished_ns};
  }
  if (newest->state == container::container_state::running && newest->sandbox_id == s.sandbox_id) {
    became_running(i);
    if (reported && reported->started) r.probes[0].result = true;
    return;
  }
  if (newest->state == container::container_state::exited)
    exited(i, {true, newest->id, newest->exit_code, newest->reason, newest->message, newest->started_ns,
               newest->finished_ns});
  else
    r.ended = unknown_end(newest->id);
}

void pod_turn::adopt(const runtime_listed& e) {
  s.retry_at_ms = 0;
  adopt_sandboxes(e.sandboxes);
  bool over = s.plan.phase == "Succeeded" || s.plan.phase == "Failed";
  for (std::size_t i = 0; i < s.runs.size(); ++i) adopt_container(i, e.containers);
  for (std::size_t i = 0; i < s.runs.size(); ++i)
    if (plan(i).role == container_role::regular && s.runs[i].created && s.sandbox == sandbox_stage::ready)
      s.initialized = true;
  if (!over) return;
  s.frozen = true;
  begin_end(s.plan.grace);
}

void pod_turn::compare_with(const runtime_listed& e) {
  for (auto& c : e.containers) observe(c);
  for (std::size_t i = 0; i < s.runs.size(); ++i) {
    auto& r = s.runs[i];
    bool listed = std::any_of(e.containers.begin(), e.containers.end(), [&](auto& c) { return c.id == r.id; });
    if (r.running() && !listed) disappeared(i);
  }
  if (s.sandbox != sandbox_stage::ready) return;
  auto mine = std::find_if(e.sandboxes.begin(), e.sandboxes.end(), [&](auto& b) { return b.id == s.sandbox_id; });
  if (mine == e.sandboxes.end() || mine->state == container::sandbox_state::not_ready) lose_sandbox();
}

/// A running container that the runtime does not know any more.
void pod_turn::disappeared(std::size_t i) {
  if (s.runs[i].running()) exited(i, unknown_end(s.runs[i].id));
}

}  // namespace troupe::kubelet
