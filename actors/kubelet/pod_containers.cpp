// The pod core's containers: image, creation, start, end, back-off.
#include "actors/kubelet/pod_turn.hpp"

namespace troupe::kubelet {

namespace {
constexpr std::int64_t forget_ms = 600'000;        // a back-off older than this starts anew
constexpr std::int64_t least_stop_s = 2;           // what is left for SIGTERM after a long preStop hook
constexpr std::int64_t show_pull_error_ms = 2000;  // ErrImagePull stands this long before it becomes ImagePullBackOff
}  // namespace

void back_off_more(back_off& b, std::int64_t now_ms, std::int64_t initial, std::int64_t cap) {
  bool fresh = b.delay_ms == 0 || now_ms - b.updated_ms > forget_ms;
  b.delay_ms = fresh ? initial : std::min(b.delay_ms * 2, cap);
  b.updated_ms = now_ms;
}

bool pod_turn::should_restart(std::size_t i) const {
  switch (plan(i).restart) {
    case restart_rule::always:
      return true;
    case restart_rule::on_failure:
      return s.runs[i].ended.exit_code != 0;
    case restart_rule::never:
      break;
  }
  return false;
}

bool pod_turn::finished_ok(std::size_t i) const {
  auto& r = s.runs[i];
  return r.created && !r.busy() && r.ended.happened && r.ended.exit_code == 0 && r.sandbox == s.sandbox_attempt;
}

bool pod_turn::done_for_good(std::size_t i) const {
  auto& r = s.runs[i];
  return r.created && !r.busy() && r.ended.happened && !should_restart(i);
}

bool pod_turn::started(std::size_t i) const {
  auto& r = s.runs[i];
  if (r.at != stage::running && r.at != stage::pre_stop && r.at != stage::stopping) return false;
  return !plan(i).probe(probe_kind::startup).action || r.probes[0].result;
}

bool pod_turn::ready(std::size_t i) const {
  if (!started(i)) return false;
  return !plan(i).probe(probe_kind::readiness).action || s.runs[i].probes[2].result;
}

void pod_turn::wait_as(std::size_t i, const char* reason, const std::string& message) {
  s.runs[i].waiting_reason = reason;
  s.runs[i].waiting_message = message;
}

/// True while one of the container's back-offs holds it.
bool pod_turn::backed_off(std::size_t i) {
  auto& r = s.runs[i];
  if (r.created && r.ended.happened && !due(r.crash.until_ms)) {
    if (r.waiting_reason == "CrashLoopBackOff") return true;
    auto delay = duration_text(r.crash.delay_ms);
    wait_as(i, "CrashLoopBackOff",
            "back-off " + delay + " restarting failed container=" + plan(i).name + " pod=" + pod_text());
    note(true, plan(i).name, "BackOff",
         "Back-off restarting failed container " + plan(i).name + " in pod " + pod_text());
    return true;
  }
  if (!due(r.create.until_ms)) return true;
  if (r.image.until_ms <= now.steady_ms) return false;
  bool show = r.waiting_reason == "ErrImagePull";
  if (show && !due(r.image.until_ms - r.image.delay_ms + show_pull_error_ms)) return true;
  if (show) {
    auto text = "Back-off pulling image \"" + plan(i).image + "\"";
    note(false, plan(i).name, "BackOff", text);
    note(true, plan(i).name, "Failed", "Error: ImagePullBackOff");
    wait_as(i, "ImagePullBackOff", text + ": ErrImagePull: " + r.waiting_message);
  }
  due(r.image.until_ms);
  return true;
}

void pod_turn::start_if_needed(std::size_t i) {
  auto& r = s.runs[i];
  if (r.busy() || (r.created && r.ended.happened && !should_restart(i) && plan(i).role != container_role::init)) return;
  if (plan(i).role == container_role::init && done_for_good(i) && r.ended.exit_code != 0) return;
  if (backed_off(i)) return;
  if (r.created && r.ended.happened)
    back_off_more(r.crash, now.steady_ms, s.options.backoff_initial_ms, s.options.backoff_max_ms);
  if (plan(i).pull == pull_policy::always) {
    r.at = stage::pulling;
    note(false, plan(i).name, "Pulling", "Pulling image \"" + plan(i).image + "\"");
    return emit(pull_image{plan(i).name, plan(i).image});
  }
  r.at = stage::checking;
  emit(check_image{plan(i).name, plan(i).image});
}

void pod_turn::on(const image_answered& e) {
  auto i = find(e.container);
  if (i == s.runs.size() || s.runs[i].at != (e.pulled ? stage::pulling : stage::checking)) return;
  auto& r = s.runs[i];
  auto& image = plan(i).image;
  if (s.sandbox != sandbox_stage::ready) {  // it went away meanwhile
    r.at = stage::idle;
    return;
  }
  if (e.error.ok() && (e.pulled || e.present)) {
    note(false, e.container, "Pulled",
         e.pulled
             ? "Successfully pulled image \"" + image + "\" in " + duration_text(e.took_ms) + " (" +
                   duration_text(e.took_ms) + " including waiting). Image size: " + std::to_string(e.size) + " bytes."
             : "Container image \"" + image + "\" already present on machine and can be accessed by the pod");
    r.image = {};
    return create(i, e.image_ref);
  }
  if (!e.pulled && e.error.ok() && plan(i).pull == pull_policy::if_not_present) {
    r.at = stage::pulling;
    note(false, e.container, "Pulling", "Pulling image \"" + image + "\"");
    return emit(pull_image{e.container, image});
  }
  r.at = stage::idle;
  back_off_more(r.image, now.steady_ms, s.options.backoff_initial_ms, s.options.backoff_max_ms);
  r.image.until_ms = now.steady_ms + r.image.delay_ms;
  if (e.pulled) {
    note(true, e.container, "Failed", "Failed to pull image \"" + image + "\": " + e.error.message);
    note(true, e.container, "Failed", "Error: ErrImagePull");
    return wait_as(i, "ErrImagePull", e.error.message);
  }
  if (!e.error.ok()) {
    auto text = "Failed to inspect image \"" + image + "\": " + e.error.message;
    note(true, e.container, "InspectFailed", text);
    return wait_as(i, "ImageInspectError", text);
  }
  auto text = "Container image \"" + image + "\" is not present with pull policy of Never";
  note(true, e.container, "ErrImageNeverPull", text);
  note(true, e.container, "Failed", "Error: ErrImageNeverPull");
  wait_as(i, "ErrImageNeverPull", text);
}

void pod_turn::create(std::size_t i, const std::string& image_ref) {
  auto& r = s.runs[i];
  r.at = stage::creating;
  r.image_ref = image_ref;
  emit(create_container{plan(i).name, r.created ? r.attempt + 1 : 0, image_ref, s.sandbox_id});
}

void pod_turn::on(const container_created& e) {
  auto i = find(e.container);
  if (i == s.runs.size() || s.runs[i].at != stage::creating) return;
  auto& r = s.runs[i];
  if (!e.error.ok()) {
    r.at = stage::idle;
    note(true, e.container, "Failed", "Error: " + e.error.message);
    r.create.until_ms = now.steady_ms + s.options.retry_ms;
    return wait_as(i, e.config ? "CreateContainerConfigError" : "CreateContainerError", e.error.message);
  }
  if (r.before.happened && !r.before.id.empty() && r.ended.happened) emit(remove_container{r.before.id});
  if (r.created && r.ended.happened) r.before = std::move(r.ended);
  r.ended = {};
  r.attempt = r.created ? r.attempt + 1 : 0;
  r.created = true;
  r.id = e.id;
  r.sandbox = s.sandbox_attempt;
  r.started_ns = 0;
  r.at = stage::starting;
  note(false, e.container, "Created", "Container created");
  emit(start_container{e.container, e.id});
}

void pod_turn::on(const container_answered& e) {
  auto i = find(e.container);
  if (i == s.runs.size() || s.runs[i].id != e.id) return;
  auto& r = s.runs[i];
  if (e.stopped) {
    if (r.at != stage::stopping) return;
    if (e.error.ok()) return emit(list_runtime{});  // its end was not reported yet
    r.stop_deadline_ms = now.steady_ms + 1000;
    return;
  }
  if (r.at != stage::starting) return;
  if (!e.error.ok()) {
    r.started_ns = 0;
    note(true, e.container, "Failed", "Error: " + e.error.message);
    exited(i, {true, e.id, 128, "StartError", e.error.message, 0, now.wall_ms * 1'000'000});
    return wait_as(i, "RunContainerError", e.error.message);
  }
  note(false, e.container, "Started", "Container started");
  if (r.started_ns == 0) r.started_ns = now.wall_ms * 1'000'000;
  r.started_ms = now.steady_ms;
  r.waiting_reason.clear();
  r.waiting_message.clear();
  if (r.ended.happened) {  // it was that quick
    auto end = r.ended;
    return exited(i, std::move(end));
  }
  r.at = stage::post_start;
  if (!plan(i).post_start) return became_running(i);
  emit(run_hook{e.container, e.id, hook_kind::post_start});
}

void pod_turn::became_running(std::size_t i) {
  auto& r = s.runs[i];
  r.at = stage::running;
  r.ended = {};
  reset_probes(i);
}

void pod_turn::on(const hook_done& e) {
  auto i = find(e.container);
  if (i == s.runs.size() || s.runs[i].id != e.id) return;
  auto& r = s.runs[i];
  if (e.hook == hook_kind::post_start && r.at == stage::post_start) {
    if (e.error.empty()) return became_running(i);
    note(true, e.container, "FailedPostStartHook", e.error);
    return begin_stop(i, s.plan.grace, "FailedPostStartHook");
  }
  if (e.hook == hook_kind::pre_stop && r.at == stage::pre_stop) {
    if (!e.error.empty()) note(true, e.container, "FailedPreStopHook", e.error);
    send_stop(i);
  }
}

void pod_turn::begin_stop(std::size_t i, std::int64_t grace, const std::string& message) {
  auto& r = s.runs[i];
  note(false, plan(i).name, "Killing", message);
  bool hook = plan(i).pre_stop && grace > 0 && r.at == stage::running;
  r.stop_grace = grace;
  r.stop_deadline_ms = now.steady_ms + grace * 1000;
  r.at = stage::pre_stop;
  if (!hook) return send_stop(i);
  emit(run_hook{plan(i).name, r.id, hook_kind::pre_stop});
  due(r.stop_deadline_ms);
}

/// The stop signal gets what the hook left of the grace period, but never nothing.
void pod_turn::send_stop(std::size_t i) {
  auto& r = s.runs[i];
  r.at = stage::stopping;
  auto left = (r.stop_deadline_ms - now.steady_ms + 999) / 1000;
  auto timeout = r.stop_grace == 0 ? 0 : std::max(left, std::min(least_stop_s, r.stop_grace));
  r.stop_deadline_ms = 0;
  emit(stop_container{plan(i).name, r.id, timeout});
}

/// A preStop hook that outlasts the grace period is not waited for; a stop that failed is repeated.
void pod_turn::check_pre_stop(std::size_t i) {
  auto& r = s.runs[i];
  if (r.at == stage::pre_stop && due(r.stop_deadline_ms)) send_stop(i);
  if (r.at == stage::stopping && r.stop_deadline_ms != 0 && due(r.stop_deadline_ms)) send_stop(i);
}

void pod_turn::observe(const container::container_status& c) {
  auto i = find(c.name);
  if (i == s.runs.size() || s.runs[i].id != c.id) return;
  auto& r = s.runs[i];
  if (c.started_ns != 0) r.started_ns = c.started_ns;
  if (!c.image_ref.empty()) r.image_ref = c.image_ref;
  if (c.state != container::container_state::exited || r.ended.happened) return;
  termination end{true, c.id, c.exit_code, c.reason, c.message, c.started_ns, c.finished_ns};
  if (end.reason.empty()) end.reason = c.exit_code == 0 ? "Completed" : "Error";
  if (r.at == stage::starting) {
    r.ended = std::move(end);
    return;
  }
  if (r.running()) exited(i, std::move(end));
}

void pod_turn::exited(std::size_t i, termination end) {
  auto& r = s.runs[i];
  r.at = stage::idle;
  r.ended = std::move(end);
  r.waiting_reason.clear();
  r.waiting_message.clear();
  for (auto& p : r.probes) p = {};
  // The first restart is free; a container that ran for long starts over.
  bool fresh = r.crash.delay_ms == 0 || now.steady_ms - r.crash.updated_ms > forget_ms;
  r.crash.until_ms = fresh ? 0 : now.steady_ms + r.crash.delay_ms;
}

}  // namespace troupe::kubelet
