// A pod core with a runtime that does what it is told, in virtual time.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "actors/kubelet/pod_core.hpp"
#include "messages/document.hpp"

namespace troupe::kubelet::testing {

inline document parse_json(const std::string& json) {
  auto parsed = document::parse(json);
  REQUIRE(parsed);
  return std::move(*parsed);
}

inline object_ptr make_pod_object(const std::string& json, std::uint64_t revision = 1) {
  auto made = std::make_shared<object>();
  made->json = shared_bytes(json);
  made->revision = revision;
  return made;
}

/// A pod with the given spec (JSON without braces) and metadata additions.
inline std::string pod_json(const std::string& spec, const std::string& metadata = "", const std::string& status = "") {
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"default","uid":"u1","generation":1)" +
         (metadata.empty() ? "" : "," + metadata) + R"(},"spec":{)" + spec + R"(},"status":{)" + status + "}}";
}

/// Runs a core: answers its effects like a runtime in which everything works, unless a test says otherwise.
struct node {
  pod_state core;
  moment now{10'000, 1'700'000'000'000};
  std::vector<std::string> log;  // effects in short
  std::vector<pod_note> notes;
  std::vector<std::string> statuses;  // written
  std::int64_t wake = 0;
  bool deleted = false, finished = false;
  std::string object_json;

  // What the test may change.
  std::set<std::string> absent_images, failing_pulls;
  std::map<std::string, std::string> config_errors;  // container: text
  std::map<std::string, std::string> create_errors, start_errors;
  std::string volume_error, sandbox_error;
  std::map<std::string, probe_outcome> probe_results;  // "name/kind"
  std::set<std::string> exits_at_once;                 // containers
  bool hold_pre_stop = false;
  bool hold_stop = false;
  std::uint16_t status_code = 200;
  std::vector<container::sandbox_status> sandboxes;  // what the runtime has at the start
  std::vector<container::container_status> containers;

  node() {
    core.options.host_ip = "10.0.0.1";
    core.options.runtime_name = "hollow";
  }

  void send(const pod_event& e) {
    std::vector<pod_event> todo{e};
    while (!todo.empty()) {
      auto next = todo.front();
      todo.erase(todo.begin());
      for (auto& x : step(core, next)) std::visit([&](auto& what) { take(what, todo); }, x);
    }
  }
  void observe(const std::string& json) {
    object_json = json;
    static std::uint64_t revision = 1;
    send(pod_observed{now, make_pod_object(json, ++revision)});
  }
  void advance(std::int64_t ms) {
    // Every timer on the way fires at its time.
    auto until = now.steady_ms + ms;
    while (wake != 0 && wake <= until) {
      auto at = std::max(wake, now.steady_ms);
      now.wall_ms += at - now.steady_ms;
      now.steady_ms = at;
      wake = 0;
      send(clock_due{now});
    }
    now.wall_ms += until - now.steady_ms;
    now.steady_ms = until;
  }
  void exit(const std::string& name, std::int32_t code, const std::string& reason = "") {
    container::container_status c;
    c.id = id_of(name);
    c.name = name;
    c.state = container::container_state::exited;
    c.exit_code = code;
    c.reason = reason;
    c.started_ns = (now.wall_ms - 1) * 1'000'000;
    c.finished_ns = now.wall_ms * 1'000'000;
    send(runtime_changed{now, {}, {c}, {}});
  }
  std::string id_of(const std::string& name) const {
    for (std::size_t i = 0; i < core.runs.size(); ++i)
      if (core.plan.containers[i].name == name) return core.runs[i].id;
    return {};
  }
  const container_run& run(const std::string& name) const {
    for (std::size_t i = 0; i < core.runs.size(); ++i)
      if (core.plan.containers[i].name == name) return core.runs[i];
    static container_run none;
    return none;
  }
  std::size_t count(const std::string& text) const {
    return static_cast<std::size_t>(std::count(log.begin(), log.end(), text));
  }
  bool noted(const std::string& reason, const std::string& message) const {
    return std::any_of(notes.begin(), notes.end(), [&](auto& n) { return n.reason == reason && n.message == message; });
  }
  /// A value of the last written status: path of member names, "*" and a number for list elements.
  std::string status(const std::vector<std::string>& path) const {
    if (statuses.empty()) return "(nothing written)";
    auto doc = document::parse(statuses.back());
    if (!doc) return "(not JSON) " + statuses.back();
    const troupe::node* at = &doc->root();
    for (auto& key : path) {
      if (!at) break;
      at = at->is_array() ? (std::stoul(key) < at->size() ? &at->element(std::stoul(key)) : nullptr) : at->find(key);
    }
    if (!at) return "";
    return at->is_string() ? std::string(at->string()) : to_json(*at);
  }
  std::string condition(const std::string& type, const std::string& field = "status") const {
    auto doc = document::parse(statuses.empty() ? "{}" : statuses.back());
    auto* list = doc->root().find("conditions");
    for (std::size_t i = 0; list && i < list->size(); ++i)
      if (list->element(i).find("type")->string() == type) {
        auto* value = list->element(i).find(field);
        return value ? std::string(value->string()) : "";
      }
    return "";
  }

  // -- effects
  using events = std::vector<pod_event>;
  void take(const list_runtime&, events& todo) { todo.push_back(runtime_listed{now, {}, sandboxes, containers}); }
  void take(const prepare_volumes&, events& todo) {
    log.push_back("volumes");
    todo.push_back(volumes_prepared{now, volume_error});
  }
  void take(const release_volumes&, events&) { log.push_back("release"); }
  void take(const run_sandbox& e, events& todo) {
    log.push_back("sandbox " + std::to_string(e.attempt));
    container::failure error;
    if (!sandbox_error.empty()) error = {container::fault::unknown, sandbox_error};
    todo.push_back(sandbox_answered{now, error, "s" + std::to_string(e.attempt), {"10.244.0.2"}});
  }
  void take(const stop_sandbox& e, events& todo) {
    log.push_back((e.remove ? "remove " : "stop ") + e.id);
    todo.push_back(sandbox_ended{now, {}, e.id, e.remove});
  }
  void take(const check_image& e, events& todo) {
    bool there = absent_images.count(e.image) == 0;
    todo.push_back(image_answered{now, {}, e.container, false, there, "sha256:" + e.image, 0, 0});
  }
  void take(const pull_image& e, events& todo) {
    log.push_back("pull " + e.image);
    container::failure error;
    if (failing_pulls.count(e.image)) error = {container::fault::not_found, e.image + ": not found"};
    todo.push_back(image_answered{now, error, e.container, true, error.ok(), "sha256:" + e.image, 1000, 1234});
  }
  void take(const create_container& e, events& todo) {
    log.push_back("create " + e.container + " " + std::to_string(e.attempt));
    container::failure error;
    bool config = config_errors.count(e.container) > 0;
    if (config) error = {container::fault::invalid_argument, config_errors[e.container]};
    if (create_errors.count(e.container)) error = {container::fault::unknown, create_errors[e.container]};
    todo.push_back(container_created{now, error, config, e.container, e.container + "-" + std::to_string(e.attempt)});
  }
  void take(const start_container& e, events& todo) {
    log.push_back("start " + e.container);
    container::failure error;
    if (start_errors.count(e.container)) error = {container::fault::unknown, start_errors[e.container]};
    if (exits_at_once.count(e.container)) {
      container::container_status c;
      c.id = e.id;
      c.name = e.container;
      c.state = container::container_state::exited;
      c.finished_ns = now.wall_ms * 1'000'000;
      todo.push_back(runtime_changed{now, {}, {c}, {}});
    }
    todo.push_back(container_answered{now, error, e.container, e.id, false});
  }
  void take(const stop_container& e, events& todo) {
    log.push_back("stop " + e.container + " " + std::to_string(e.timeout_s));
    if (hold_stop) return;
    container::container_status c;
    c.id = e.id;
    c.name = e.container;
    c.state = container::container_state::exited;
    c.exit_code = 143;
    c.finished_ns = now.wall_ms * 1'000'000;
    todo.push_back(runtime_changed{now, {}, {c}, {}});
    todo.push_back(container_answered{now, {}, e.container, e.id, true});
  }
  void take(const remove_container& e, events&) { log.push_back("remove " + e.id); }
  void take(const run_hook& e, events& todo) {
    log.push_back(std::string(e.hook == hook_kind::post_start ? "postStart " : "preStop ") + e.container);
    if (e.hook == hook_kind::pre_stop && hold_pre_stop) return;
    todo.push_back(hook_done{now, e.container, e.id, e.hook, ""});
  }
  void take(const run_probe& e, events& todo) {
    static const char* names[] = {"startup", "liveness", "readiness"};
    auto name = e.container + "/" + names[static_cast<int>(e.probe)];
    log.push_back("probe " + name);
    auto outcome = probe_results.count(name) ? probe_results[name] : probe_outcome::success;
    todo.push_back(probe_done{now, e.container, e.id, e.probe, outcome, "said no"});
  }
  void take(const write_status& e, events& todo) {
    statuses.push_back(e.status);
    todo.push_back(status_written{now, status_code, 0});
  }
  void take(const delete_pod&, events& todo) {
    deleted = true;
    todo.push_back(deletion_answered{now, 200});
  }
  void take(const pod_note& e, events&) { notes.push_back(e); }
  void take(const wake_at& e, events&) { wake = wake == 0 ? e.steady_ms : std::min(wake, e.steady_ms); }
  void take(const pod_finished&, events&) { finished = true; }
};

}  // namespace troupe::kubelet::testing
