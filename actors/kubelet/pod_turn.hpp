// One step of the pod core in the making: state, time, effects. Internal to the core's files.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "actors/kubelet/pod_core.hpp"
#include "messages/wall_time.hpp"

namespace troupe::kubelet {

struct pod_turn {
  pod_state& s;
  moment now;
  pod_effects out;
  std::int64_t wake = 0;  // earliest steady time at which something becomes due

  template <class Effect>
  void emit(Effect effect) {
    out.emplace_back(std::move(effect));
  }
  void note(bool warning, const std::string& container, std::string reason, std::string message) {
    emit(pod_note{warning, container, std::move(reason), std::move(message)});
  }
  /// False before that time, which is then waited for.
  bool due(std::int64_t steady_ms) {
    if (steady_ms <= now.steady_ms) return true;
    wake = wake == 0 ? steady_ms : std::min(wake, steady_ms);
    return false;
  }
  const container_plan& plan(std::size_t i) const { return s.plan.containers[i]; }
  /// Index of a container, or of none: plan.containers.size().
  std::size_t find(const std::string& name) const;
  /// "nginx_default(uid)".
  std::string pod_text() const { return s.plan.name + "_" + s.plan.namespace_name + "(" + s.plan.uid + ")"; }

  // pod_core.cpp
  void on(const pod_observed& e);
  void on(const pod_vanished& e);
  void on(const runtime_listed& e);
  void on(const runtime_changed& e);
  void on(const volumes_prepared& e);
  void on(const sandbox_answered& e);
  void on(const sandbox_ended& e);
  void on(const status_written& e);
  void on(const deletion_answered& e);
  void on(const clock_due& e);
  void sync();
  void decide_end();
  void begin_end(std::int64_t grace);
  void bring_up();
  bool bring_up_sandbox();
  void wind_down();
  bool overwritten();
  bool stop_all();
  bool end_sandbox();
  void finish_end();
  void lose_sandbox();

  // pod_adopt.cpp: what the runtime had before this incarnation
  void adopt(const runtime_listed& e);
  void adopt_sandboxes(const std::vector<container::sandbox_status>& sandboxes);
  void adopt_container(std::size_t i, const std::vector<container::container_status>& all);
  void compare_with(const runtime_listed& e);

  // pod_containers.cpp
  void on(const image_answered& e);
  void on(const container_created& e);
  void on(const container_answered& e);
  void on(const hook_done& e);
  bool should_restart(std::size_t i) const;
  bool finished_ok(std::size_t i) const;  // an init container that needs no further run
  bool done_for_good(std::size_t i) const;
  bool started(std::size_t i) const;
  bool ready(std::size_t i) const;
  void start_if_needed(std::size_t i);
  bool backed_off(std::size_t i);
  void create(std::size_t i, const std::string& image_ref);
  void became_running(std::size_t i);
  void begin_stop(std::size_t i, std::int64_t grace, const std::string& message);
  void send_stop(std::size_t i);
  void check_pre_stop(std::size_t i);
  void observe(const container::container_status& c);
  void exited(std::size_t i, termination end);
  void disappeared(std::size_t i);
  void wait_as(std::size_t i, const char* reason, const std::string& message);

  // pod_probes.cpp
  void on(const probe_done& e);
  void reset_probes(std::size_t i);
  void run_probes();
  void run_probe_of(std::size_t i, probe_kind kind);
  void probe_decided(std::size_t i, probe_kind kind, bool good, const std::string& output);

  // pod_status.cpp
  void report();
};

/// Next delay after a failure at `now_ms`; sets until_ms. The first wait is `initial`.
void back_off_more(back_off& b, std::int64_t now_ms, std::int64_t initial, std::int64_t cap);

/// A duration as Go prints it, in whole milliseconds: "885ms", "1.234s", "2m0.135s".
std::string duration_text(std::int64_t ms);

}  // namespace troupe::kubelet
