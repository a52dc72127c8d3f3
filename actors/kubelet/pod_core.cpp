// The pod core: events, and what follows from the whole.
#include "actors/kubelet/pod_core.hpp"

#include "actors/kubelet/pod_turn.hpp"
#include "messages/schema/scalars.hpp"

namespace troupe::kubelet {

namespace {
constexpr std::int64_t first_status_hold_ms = 100;  // a pod that runs by then is reported once
}

std::size_t pod_turn::find(const std::string& name) const {
  std::size_t i = 0;
  while (i < s.plan.containers.size() && s.plan.containers[i].name != name) ++i;
  return i;
}

// -- events

void pod_turn::on(const pod_observed& e) {
  if (s.planned && !worth_reading(*s.object, *e.pod)) {
    s.object = e.pod;
    return;
  }
  auto plan = read_plan(*e.pod);
  if (!plan) return;
  s.object = e.pod;
  bool first = !s.planned;
  s.planned = true;
  s.plan = std::move(*plan);
  s.runs.resize(s.plan.containers.size());
  if (!first) return;
  s.first_seen_steady_ms = now.steady_ms;
  s.start_time = s.plan.start_time.empty() ? time_text(now.wall_ms) : s.plan.start_time;
  s.started_wall_ms = schema::time_ms(s.start_time).value_or(0);
  for (auto& [type, value] : s.plan.conditions) s.conditions[type] = value;
}

void pod_turn::on(const pod_vanished&) { s.vanished = true; }

void pod_turn::on(const runtime_listed& e) {
  s.list_under_way = false;
  if (!e.error.ok()) {
    s.retry_at_ms = now.steady_ms + 1000;
    return;
  }
  if (s.listed) return compare_with(e);
  s.listed = true;
  adopt(e);
}

void pod_turn::on(const runtime_changed& e) {
  if (!s.listed) return;  // the list will tell
  for (auto& c : e.containers) observe(c);
  for (auto& b : e.sandboxes)
    if (b.id == s.sandbox_id && b.state == container::sandbox_state::not_ready) lose_sandbox();
  for (auto& id : e.gone) {
    if (id == s.sandbox_id) lose_sandbox();
    for (std::size_t i = 0; i < s.runs.size(); ++i)
      if (s.runs[i].id == id) disappeared(i);
  }
}

void pod_turn::on(const volumes_prepared& e) {
  if (s.volumes != pod_state::volume_stage::preparing) return;
  s.volume_failed = !e.error.empty();
  s.volumes = s.volume_failed ? pod_state::volume_stage::none : pod_state::volume_stage::ready;
  if (!s.volume_failed) return;
  note(true, "", "FailedMount", e.error);
  s.retry_at_ms = now.steady_ms + s.options.retry_ms;
}

void pod_turn::on(const sandbox_answered& e) {
  if (s.sandbox != sandbox_stage::starting) return;
  s.sandbox_attempted = true;
  if (!e.error.ok()) {
    s.sandbox = sandbox_stage::none;
    note(true, "", "FailedCreatePodSandBox", "Failed to create pod sandbox: " + e.error.message);
    s.retry_at_ms = now.steady_ms + s.options.retry_ms;
    return;
  }
  s.sandbox = sandbox_stage::ready;
  s.sandbox_id = e.id;
  s.ips = e.ips;
}

void pod_turn::on(const sandbox_ended& e) {
  s.leftovers.erase(e.id);
  if (e.id != s.sandbox_id) return;
  if (!e.error.ok()) {
    s.sandbox = sandbox_stage::ready;  // tried again
    s.retry_at_ms = now.steady_ms + 1000;
    return;
  }
  s.sandbox = sandbox_stage::none;
  for (std::size_t i = 0; i < s.runs.size(); ++i)
    if (s.runs[i].running()) disappeared(i);
  if (e.removed) s.sandbox_id.clear();
}

void pod_turn::on(const status_written& e) {
  s.write_under_way = false;
  if (e.code >= 200 && e.code < 300) {
    s.written_status = s.last_status;
    s.written_revision = std::max(s.written_revision, e.revision);
    return;
  }
  if (e.code == 404 || e.code == 409) {  // gone, or another pod by that name: the watch will tell
    s.written_status = s.last_status;
    return;
  }
  s.last_status.clear();
  s.write_retry_ms = now.steady_ms + 1000;
}

void pod_turn::on(const deletion_answered& e) {
  if ((e.code >= 200 && e.code < 300) || e.code == 404 || e.code == 409) return;
  s.deletion_sent = false;
  s.retry_at_ms = now.steady_ms + 1000;
}

void pod_turn::on(const clock_due&) {
  if (s.wake_ms <= now.steady_ms) s.wake_ms = 0;
}

// -- the whole

void pod_turn::sync() {
  if (s.finished || (!s.planned && !s.vanished)) return;
  if (!s.listed) {
    if (s.list_under_way || !due(s.retry_at_ms)) return;
    s.list_under_way = true;
    return emit(list_runtime{});
  }
  decide_end();
  if (s.stopping)
    wind_down();
  else
    bring_up();
  run_probes();
  report();
  if (s.stopping) finish_end();
}

void pod_turn::begin_end(std::int64_t grace) {
  bool shorter = s.stopping && grace < s.kill_grace;
  if (s.stopping && !shorter) return;
  s.stopping = true;
  s.kill_grace = grace;
  s.retry_at_ms = 0;
  if (!shorter) return;
  for (std::size_t i = 0; i < s.runs.size(); ++i) {
    auto& r = s.runs[i];
    if (r.at != stage::pre_stop && r.at != stage::stopping) continue;
    r.stop_grace = std::min(r.stop_grace, grace);
    r.stop_deadline_ms = std::min(r.stop_deadline_ms, now.steady_ms + grace * 1000);
    if (r.at == stage::stopping) send_stop(i);
  }
}

void pod_turn::decide_end() {
  if (s.vanished) return begin_end(s.plan.deleting ? s.plan.deletion_grace : s.plan.grace);
  if (s.plan.deleting) begin_end(s.plan.deletion_grace);
  if (s.stopping || s.frozen) return;
  if (s.plan.active_deadline >= 0) {
    auto left = s.started_wall_ms + s.plan.active_deadline * 1000 - now.wall_ms;
    if (due(now.steady_ms + left)) {
      s.failed_reason = "DeadlineExceeded";
      s.failed_message = "Pod was active on the node longer than the specified deadline";
      note(false, "", s.failed_reason, s.failed_message);
      return begin_end(s.plan.grace);
    }
  }
  bool all_done = true;
  for (std::size_t i = 0; i < s.runs.size(); ++i) {
    auto role = plan(i).role;
    if (role == container_role::init && done_for_good(i) && !finished_ok(i) && s.runs[i].ended.exit_code != 0 &&
        !s.initialized)
      return begin_end(s.plan.grace);
    if (role == container_role::regular) all_done &= done_for_good(i);
  }
  if (all_done) begin_end(s.plan.grace);
}

bool pod_turn::bring_up_sandbox() {
  if (s.sandbox == sandbox_stage::ready) return true;
  if (s.sandbox != sandbox_stage::none || !due(s.retry_at_ms)) return false;
  if (s.sandbox_attempted) ++s.sandbox_attempt;
  s.sandbox_attempted = true;
  s.sandbox = sandbox_stage::starting;
  s.sandbox_id.clear();
  s.ips.clear();
  s.initialized = false;
  emit(run_sandbox{s.sandbox_attempt});
  return false;
}

void pod_turn::bring_up() {
  using volume = pod_state::volume_stage;
  if (s.volumes == volume::none) {
    if (!due(s.retry_at_ms)) return;
    s.volumes = volume::preparing;
    emit(prepare_volumes{});
  }
  if (s.volumes != volume::ready || !bring_up_sandbox()) return;
  for (std::size_t i = 0; i < s.runs.size(); ++i) {
    auto role = plan(i).role;
    if (role == container_role::init) {
      if (s.initialized || finished_ok(i)) continue;
      return start_if_needed(i);
    }
    start_if_needed(i);
    if (role == container_role::sidecar && !s.initialized && !started(i)) return;
    if (role == container_role::regular) s.initialized = true;
  }
}

/// The sandbox went away under the pod.
void pod_turn::lose_sandbox() {
  if (s.sandbox != sandbox_stage::ready) return;
  if (!s.stopping) note(false, "", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
  s.sandbox = sandbox_stage::stopping;
  emit(stop_sandbox{s.sandbox_id, !s.stopping});
}

// -- the end

/// True once nothing runs. Regular containers go first, then sidecars in reverse order, one by one.
bool pod_turn::stop_all() {
  bool regular_busy = false;
  for (std::size_t i = 0; i < s.runs.size(); ++i) {
    auto& r = s.runs[i];
    if (r.at == stage::checking || r.at == stage::pulling) r.at = stage::idle;  // its answer is ignored
    if (plan(i).role == container_role::sidecar) continue;
    if (r.at == stage::running || r.at == stage::post_start)
      begin_stop(i, s.kill_grace, "Stopping container " + plan(i).name);
    check_pre_stop(i);
    regular_busy |= r.busy();
  }
  if (regular_busy) return false;
  for (std::size_t i = s.runs.size(); i-- > 0;) {
    auto& r = s.runs[i];
    if (!r.busy()) continue;
    if (r.at == stage::running || r.at == stage::post_start)
      begin_stop(i, s.kill_grace, "Stopping container " + plan(i).name);
    check_pre_stop(i);
    if (r.busy()) return false;
  }
  return true;
}

/// True once the sandbox is stopped, or removed when the pod is.
bool pod_turn::end_sandbox() {
  bool remove = s.plan.deleting || s.vanished;
  if (s.sandbox == sandbox_stage::starting || s.sandbox == sandbox_stage::stopping) return false;
  if (s.sandbox == sandbox_stage::none && (s.sandbox_id.empty() || !remove)) return true;
  if (!due(s.retry_at_ms)) return false;
  s.sandbox = sandbox_stage::stopping;
  emit(stop_sandbox{s.sandbox_id, remove});
  return false;
}

void pod_turn::wind_down() {
  if (!stop_all() || !end_sandbox()) return;
  using volume = pod_state::volume_stage;
  if (s.volumes == volume::ready) emit(release_volumes{});
  s.volumes = volume::released;
  s.terminal = true;
}

/// The last status is written: the object, then the worker may go.
void pod_turn::finish_end() {
  if (!s.terminal) return;
  if (s.vanished) {
    if (!s.leftovers.empty()) return;
    s.finished = true;
    return emit(pod_finished{});
  }
  bool told = s.frozen || (!s.write_under_way && s.written_status == s.last_status && !s.written_status.empty());
  if (!s.plan.deleting || s.deletion_sent || !told || !due(s.retry_at_ms)) return;
  s.deletion_sent = true;
  emit(delete_pod{});
}

/// Whether somebody has written another verdict over ours since it was acknowledged: the node lifecycle controller does
/// when the node falls silent, and leaves it so when the node is heard of again. (Kubernetes' kubelet compares, too:
/// needsReconcile in pkg/kubelet/status/status_manager.go.)
bool pod_turn::overwritten() {
  if (s.object->revision <= s.written_revision) return false;
  s.written_revision = s.object->revision;
  for (const char* type : {"Ready", "ContainersReady", "Initialized"}) {
    auto shown = condition_status(*s.object, type);
    if (!shown.empty() && shown != s.conditions[type].first) return true;
  }
  return false;
}

void pod_turn::report() {
  if (s.frozen || s.vanished || !s.planned) return;
  if (s.write_under_way || !due(s.write_retry_ms)) return;
  if (s.last_status.empty() && s.written_status.empty() && !s.stopping && phase_of(s) == "Pending" &&
      !due(s.first_seen_steady_ms + first_status_hold_ms))
    return;
  auto status = status_json(s, now.wall_ms);
  if (status == s.last_status && !overwritten()) return;
  s.last_status = status;
  s.write_under_way = true;
  emit(write_status{std::move(status)});
}

pod_effects step(pod_state& s, const pod_event& e) {
  return std::visit(
      [&](auto& what) {
        pod_turn t{s, what.at, {}, 0};
        t.on(what);
        t.sync();
        if (t.wake != 0 && (s.wake_ms == 0 || t.wake < s.wake_ms)) {
          s.wake_ms = t.wake;
          t.emit(wake_at{t.wake});
        }
        return std::move(t.out);
      },
      e);
}

}  // namespace troupe::kubelet
