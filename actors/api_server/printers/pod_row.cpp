// The Pod row: readiness, the one-word status that sums up all containers, restarts.
#include "actors/api_server/printers/rows.hpp"

namespace troupe::api {
inline namespace printing_detail {

namespace {

/// What the containers of a pod add up to.
struct pod_summary {
  std::string reason;
  std::int64_t ready = 0, total = 0, restarts = 0;
  std::string_view last_restart;  // RFC 3339 in UTC, so text order is time order

  void count(const node& status) {
    restarts += number_at(status, "restartCount");
    std::string_view finished = text_at(status, "lastState", "terminated", "finishedAt");
    if (finished > last_restart) last_restart = finished;
  }
};

bool restarts_always(const node& pod, std::string_view init_container) {
  for (const node& container : elements_of(pod.find("spec", "initContainers")))
    if (text_at(container, "name") == init_container) return text_at(container, "restartPolicy") == "Always";
  return false;
}

std::string terminated_text(const node& terminated) {
  if (std::string_view why = text_at(terminated, "reason"); !why.empty()) return std::string(why);
  if (auto signal = number_at(terminated, "signal")) return "Signal:" + std::to_string(signal);
  return "ExitCode:" + std::to_string(number_at(terminated, "exitCode"));
}

/// Looks at the init containers up to the first that is not done; true while that one holds up the pod. `sidecars` gets
/// the restarts of those that keep running beside the others.
bool initializing(const node& pod, pod_summary& sum, pod_summary& sidecars) {
  std::size_t index = 0;
  for (const node& status : elements_of(pod.find("status", "initContainerStatuses"))) {
    std::size_t at = index++;
    bool sidecar = restarts_always(pod, text_at(status, "name"));
    sum.count(status);
    if (sidecar) sidecars.count(status);
    const node* terminated = status.find("state", "terminated");
    const node* started = status.find("started");
    const node* ready = status.find("ready");
    if (is_set(terminated) && number_at(*terminated, "exitCode") == 0) continue;
    if (sidecar && started && started->boolean()) {
      if (ready && ready->boolean()) ++sum.ready;
      continue;
    }
    std::string_view waiting = text_at(status, "state", "waiting", "reason");
    if (is_set(terminated))
      sum.reason = "Init:" + terminated_text(*terminated);
    else if (!waiting.empty() && waiting != "PodInitializing")
      sum.reason = "Init:" + std::string(waiting);
    else
      sum.reason = "Init:" + std::to_string(at) + "/" + std::to_string(size_at(pod, "spec", "initContainers"));
    return true;
  }
  return false;
}

void look_at_containers(const node& pod, pod_summary& sum) {
  const node* statuses = pod.find("status", "containerStatuses");
  bool running = false;
  for (std::size_t i = statuses ? statuses->size() : 0; i-- > 0;) {
    const node& status = statuses->element(i);
    sum.count(status);
    std::string_view waiting = text_at(status, "state", "waiting", "reason");
    const node* terminated = status.find("state", "terminated");
    const node* ready = status.find("ready");
    if (!waiting.empty()) {
      sum.reason = waiting;
    } else if (is_set(terminated)) {
      sum.reason = terminated_text(*terminated);
    } else if (ready && ready->boolean() && is_set(status.find("state", "running"))) {
      running = true;
      ++sum.ready;
    }
  }
  if (sum.reason == "Completed" && running) sum.reason = has_condition(pod, "Ready") ? "Running" : "NotReady";
}

pod_summary summarize(const node& pod) {
  pod_summary sum, sidecars;
  std::string_view phase = text_at(pod, "status", "phase"), why = text_at(pod, "status", "reason");
  sum.reason = why.empty() ? phase : why;
  sum.total = static_cast<std::int64_t>(size_at(pod, "spec", "containers"));
  for (const node& container : elements_of(pod.find("spec", "initContainers")))
    if (text_at(container, "restartPolicy") == "Always") ++sum.total;
  for (const node& condition : elements_of(pod.find("status", "conditions")))
    if (text_at(condition, "type") == "PodScheduled" && text_at(condition, "reason") == "SchedulingGated")
      sum.reason = "SchedulingGated";
  bool held_up = initializing(pod, sum, sidecars);
  if (!held_up || has_condition(pod, "Initialized")) {
    sum.restarts = sidecars.restarts;
    sum.last_restart = sidecars.last_restart;
    look_at_containers(pod, sum);
  }
  if (is_set(pod.find("metadata", "deletionTimestamp"))) {
    if (why == "NodeLost")
      sum.reason = "Unknown";
    else if (phase != "Succeeded" && phase != "Failed")
      sum.reason = "Terminating";
  }
  return sum;
}

std::string readiness_gates(const node& pod) {
  std::size_t gates = size_at(pod, "spec", "readinessGates"), open = 0;
  if (gates == 0) return "<none>";
  for (const node& gate : elements_of(pod.find("spec", "readinessGates")))
    if (has_condition(pod, text_at(gate, "conditionType"))) ++open;
  return std::to_string(open) + "/" + std::to_string(gates);
}

}  // namespace

void print_pod(table_row& out, const node& pod) {
  pod_summary sum = summarize(pod);
  std::string restarts = std::to_string(sum.restarts);
  if (sum.restarts)
    if (const auto last = schema::time_ms(sum.last_restart))
      restarts += " (" + human_duration(out.now_ms() - *last) + " ago)";
  const node* addresses = pod.find("status", "podIPs");
  std::string_view address =
      addresses && !addresses->empty() ? text_at(addresses->element(0), "ip") : std::string_view();
  out.name_of(pod).text(std::to_string(sum.ready) + "/" + std::to_string(sum.total)).text(sum.reason).text(restarts);
  out.age_of(pod).text(or_else(address, "<none>")).text(or_else(text_at(pod, "spec", "nodeName"), "<none>"));
  out.text(or_else(text_at(pod, "status", "nominatedNodeName"), "<none>")).text(readiness_gates(pod));
}

}  // namespace printing_detail
}  // namespace troupe::api
