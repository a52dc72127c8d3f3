// The pod's status as the kubelet reports it: phase, conditions, container statuses.
#include <algorithm>
#include <cstdio>

#include "actors/kubelet/json_text.hpp"
#include "actors/kubelet/pod_turn.hpp"

namespace troupe::kubelet {
namespace {

std::string time_of_ns(std::int64_t ns) { return ns == 0 ? std::string() : time_text(ns / 1'000'000); }

void put_termination(json_text& w, const pod_state& s, const termination& end) {
  w.open("terminated", '{');
  if (!end.id.empty()) w.put("containerID", s.options.runtime_name + "://" + end.id);
  w.put("exitCode", std::int64_t{end.exit_code});
  if (end.finished_ns) w.put("finishedAt", time_of_ns(end.finished_ns));
  if (!end.finished_ns) w.put_null("finishedAt");
  w.put_if("message", end.message);
  w.put_if("reason", end.reason);
  if (end.started_ns) w.put("startedAt", time_of_ns(end.started_ns));
  if (!end.started_ns) w.put_null("startedAt");
  w.close('}');
}

/// What a container shows: running, terminated, or why it waits.
enum class shown { running, terminated, waiting };

shown shown_state(const container_run& r) {
  if (r.running()) return shown::running;
  bool ended = r.created && r.ended.happened;
  if (ended && r.at == stage::idle && r.waiting_reason.empty()) return shown::terminated;
  if (ended && r.at != stage::idle) return shown::terminated;  // until the next one exists
  return shown::waiting;
}

void put_state(json_text& w, const pod_state& s, std::size_t i) {
  auto& r = s.runs[i];
  w.open("state", '{');
  switch (shown_state(r)) {
    case shown::running:
      w.open("running", '{');
      w.put("startedAt", time_of_ns(r.started_ns));
      w.close('}');
      break;
    case shown::terminated:
      put_termination(w, s, r.ended);
      break;
    case shown::waiting: {
      bool inits = s.plan.containers.front().role != container_role::regular;
      bool blocked = inits && !s.initialized && s.plan.containers[i].role == container_role::regular;
      const char* usual = blocked || (inits && s.plan.containers[i].role != container_role::regular)
                              ? "PodInitializing"
                              : "ContainerCreating";
      w.open("waiting", '{');
      w.put_if("message", r.waiting_message);
      w.put("reason", r.waiting_reason.empty() ? usual : r.waiting_reason);
      w.close('}');
    }
  }
  w.close('}');
  bool ended_below = shown_state(r) == shown::waiting && r.created && r.ended.happened;
  auto& last = ended_below ? r.ended : r.before;
  w.open("lastState", '{');
  if (last.happened) put_termination(w, s, last);
  w.close('}');
}

void put_container(json_text& w, const pod_state& s, const pod_turn& t, std::size_t i) {
  auto& r = s.runs[i];
  auto& plan = s.plan.containers[i];
  w.open('{');
  if (r.created && !r.id.empty()) w.put("containerID", s.options.runtime_name + "://" + r.id);
  w.put("image", plan.image);
  w.put("imageID", r.created ? r.image_ref : std::string());
  put_state(w, s, i);
  w.put("name", plan.name);
  bool init_done = plan.role == container_role::init && r.created && r.ended.happened && r.ended.exit_code == 0;
  w.put("ready", plan.role == container_role::init ? init_done : t.ready(i));
  w.put("restartCount", std::int64_t{r.created ? r.attempt : 0});
  w.put("started", t.started(i));
  w.close('}');
}

void put_containers(json_text& w, const pod_state& s, const pod_turn& t, std::string_view key, bool init) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < s.runs.size(); ++i)
    if ((s.plan.containers[i].role != container_role::regular) == init) order.push_back(i);
  if (order.empty()) return;
  auto by_name = [&](auto a, auto b) { return s.plan.containers[a].name < s.plan.containers[b].name; };
  if (!init) std::sort(order.begin(), order.end(), by_name);
  w.open(key, '[');
  for (auto i : order) put_container(w, s, t, i);
  w.close(']');
}

struct verdict {
  bool good = true;
  std::string reason, message;
};

std::string listed(const char* text, const std::vector<std::string>& names) {
  std::string out = std::string(text) + ": [";
  for (std::size_t i = 0; i < names.size(); ++i) out += (i ? " " : "") + names[i];
  return out + "]";
}

verdict initialized(const pod_state& s, const pod_turn& t, const std::string& phase) {
  if (phase == "Succeeded") return {true, "PodCompleted", ""};
  std::vector<std::string> open;
  for (std::size_t i = 0; i < s.runs.size(); ++i) {
    auto role = s.plan.containers[i].role;
    if (role == container_role::init && !s.initialized && !t.finished_ok(i)) open.push_back(s.plan.containers[i].name);
    if (role == container_role::sidecar && !s.initialized && !t.started(i)) open.push_back(s.plan.containers[i].name);
  }
  if (open.empty()) return {};
  return {false, "ContainersNotInitialized", listed("containers with incomplete status", open)};
}

verdict containers_ready(const pod_state& s, const pod_turn& t, const std::string& phase) {
  if (phase == "Succeeded") return {false, "PodCompleted", ""};
  if (phase == "Failed") return {false, "PodFailed", ""};
  std::vector<std::string> unready;
  for (std::size_t i = 0; i < s.runs.size(); ++i)
    if (s.plan.containers[i].role != container_role::init && !t.ready(i)) unready.push_back(s.plan.containers[i].name);
  if (unready.empty()) return {};
  return {false, "ContainersNotReady", listed("containers with unready status", unready)};
}

verdict pod_ready(const pod_state& s, const verdict& containers) {
  if (!containers.good) return containers;
  std::string missing;
  for (auto& gate : s.plan.readiness_gates) {
    bool met = false, known = false;
    for (auto& [type, value] : s.plan.conditions)
      if (type == gate) known = true, met = value.first == "True";
    if (met) continue;
    missing += missing.empty() ? "" : ", ";
    missing += known ? "the status of pod readiness gate \"" + gate + "\" is not \"True\", but False"
                     : "corresponding condition of pod readiness gate \"" + gate + "\" does not exist.";
  }
  if (missing.empty()) return {};
  return {false, "ReadinessGatesNotReady", missing};
}

void put_condition(json_text& w, pod_state& s, std::int64_t wall_ms, const char* type, const verdict& v) {
  auto& [status, since] = s.conditions[type];
  const char* now = v.good ? "True" : "False";
  if (status != now || since.empty()) since = time_text(wall_ms);
  status = now;
  w.open('{');
  w.put_null("lastProbeTime");
  w.put("lastTransitionTime", since);
  // A strategic merge keeps what it is not told to drop.
  if (v.message.empty()) w.put_null("message");
  w.put_if("message", v.message);
  if (s.plan.generation > 0) w.put("observedGeneration", s.plan.generation);
  if (v.reason.empty()) w.put_null("reason");
  w.put_if("reason", v.reason);
  w.put("status", now);
  w.put("type", type);
  w.close('}');
}

void put_addresses(json_text& w, const pod_state& s) {
  auto list = [&](const char* one, const char* many, const std::vector<std::string>& ips) {
    w.put(one, ips.front());
    w.open(many, '[');
    // The lists are merged by address otherwise: an old one would stay beside the new.
    w.open('{');
    w.put("$patch", "replace");
    w.close('}');
    for (auto& ip : ips) {
      w.open('{');
      w.put("ip", ip);
      w.close('}');
    }
    w.close(']');
  };
  list("hostIP", "hostIPs", {s.options.host_ip});
  auto ips = s.plan.host_network ? std::vector<std::string>{s.options.host_ip} : s.ips;
  if (!ips.empty() && (s.sandbox == sandbox_stage::ready || !s.ips.empty())) list("podIP", "podIPs", ips);
}

/// Counts that the phase follows from.
struct tally {
  int init_open = 0, init_failed = 0, waiting = 0, running = 0, stopped = 0, succeeded = 0, never = 0, total = 0;
};

tally count(const pod_state& s, const pod_turn& t) {
  tally c;
  for (std::size_t i = 0; i < s.runs.size(); ++i) {
    auto& r = s.runs[i];
    auto role = s.plan.containers[i].role;
    if (role == container_role::init) {
      if (s.initialized || t.finished_ok(i)) continue;
      if (t.done_for_good(i) && r.ended.exit_code != 0) ++c.init_failed;
      ++c.init_open;
      continue;
    }
    if (role == container_role::sidecar) {
      if (!s.initialized && !t.started(i)) ++c.init_open;
      continue;
    }
    ++c.total;
    switch (shown_state(r)) {
      case shown::running:
        ++c.running;
        break;
      case shown::terminated:
        ++c.stopped;
        if (r.ended.exit_code == 0) ++c.succeeded;
        break;
      case shown::waiting:
        ++((r.created && r.ended.happened) ? c.stopped : c.waiting);
    }
  }
  return c;
}

}  // namespace

std::string phase_of(const pod_state& state) {
  auto& s = const_cast<pod_state&>(state);  // a turn without events reads only
  pod_turn t{s, {}, {}, 0};
  if (!s.failed_reason.empty()) return "Failed";
  auto c = count(s, t);
  if (s.terminal) {
    if (c.init_open == 0 && c.total == c.succeeded) return "Succeeded";
    return "Failed";
  }
  if (c.init_failed > 0) return "Failed";
  if (c.init_open > 0 || c.waiting > 0) return "Pending";
  if (c.running > 0) return "Running";
  if (c.stopped == 0) return "Pending";
  if (s.plan.restart == restart_rule::always) return "Running";
  if (c.stopped == c.succeeded) return "Succeeded";
  return s.plan.restart == restart_rule::never ? "Failed" : "Running";
}

std::string status_json(pod_state& s, std::int64_t wall_ms) {
  pod_turn t{s, {}, {}, 0};
  auto phase = phase_of(s);
  // A pod that is not over keeps its sandbox: Failed and Succeeded are told when all is stopped.
  if (!s.terminal && (phase == "Failed" || phase == "Succeeded") && s.stopping) phase = "Running";
  json_text w;
  w.open('{');
  w.open("conditions", '[');
  verdict sandbox{s.sandbox == sandbox_stage::ready && (!s.ips.empty() || s.plan.host_network), "", ""};
  auto containers = containers_ready(s, t, phase);
  put_condition(w, s, wall_ms, "PodReadyToStartContainers", sandbox);
  put_condition(w, s, wall_ms, "Initialized", initialized(s, t, phase));
  put_condition(w, s, wall_ms, "Ready", pod_ready(s, containers));
  put_condition(w, s, wall_ms, "ContainersReady", containers);
  put_condition(w, s, wall_ms, "PodScheduled", {});
  w.close(']');
  put_containers(w, s, t, "containerStatuses", false);
  put_addresses(w, s);
  put_containers(w, s, t, "initContainerStatuses", true);
  w.put_if("message", s.failed_message);
  if (s.plan.generation > 0) w.put("observedGeneration", s.plan.generation);
  w.put("phase", phase);
  w.put_if("reason", s.failed_reason);
  w.put("startTime", s.start_time);
  w.close('}');
  return w.take();
}

std::string duration_text(std::int64_t ms) {
  if (ms < 1000) return ms == 0 ? "0s" : std::to_string(ms) + "ms";
  std::string out;
  if (ms >= 3'600'000) out += std::to_string(ms / 3'600'000) + "h";
  if (ms >= 60'000) out += std::to_string(ms / 60'000 % 60) + "m";
  out += std::to_string(ms / 1000 % 60);
  if (auto rest = ms % 1000; rest != 0) {
    auto digits = std::to_string(1000 + rest).substr(1);
    while (digits.back() == '0') digits.pop_back();
    out += "." + digits;
  }
  return out + "s";
}

}  // namespace troupe::kubelet
