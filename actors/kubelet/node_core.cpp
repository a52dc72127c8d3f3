// Registration, Lease, status.
#include "actors/kubelet/node_core.hpp"

#include <algorithm>

#include "actors/kubelet/json_text.hpp"
#include "actors/kubelet/pod_turn.hpp"

namespace troupe::kubelet {
namespace {

std::string cpu_text(std::int64_t milli) {
  return milli % 1000 == 0 ? std::to_string(milli / 1000) : std::to_string(milli) + "m";
}
std::string bytes_text(std::int64_t bytes) {
  return bytes % 1024 == 0 ? std::to_string(bytes / 1024) + "Ki" : std::to_string(bytes);
}

void put_resources(json_text& w, const char* name, const node_options& o, bool less) {
  w.open(name, '{');
  w.put("cpu", cpu_text(o.milli_cpu - (less ? o.reserved_milli_cpu : 0)));
  w.put("ephemeral-storage", bytes_text(o.ephemeral_storage));
  w.put("memory", bytes_text(o.memory - (less ? o.reserved_memory : 0)));
  w.put("pods", std::to_string(o.pods));
  w.close('}');
}

void put_info(json_text& w, const node_state& s) {
  auto& o = s.options;
  w.open("nodeInfo", '{');
  w.put("architecture", o.architecture);
  w.put("bootID", o.boot_id);
  w.put("containerRuntimeVersion", s.runtime.version);
  w.put("kernelVersion", o.kernel);
  w.put("kubeProxyVersion", "");
  w.put("kubeletVersion", o.kubelet_version);
  w.put("machineID", o.machine_id);
  w.put("operatingSystem", "linux");
  w.put("osImage", o.os_image);
  w.put("systemUUID", o.system_uuid);
  w.close('}');
}

void put_addresses(json_text& w, const node_options& o) {
  w.open("addresses", '[');
  for (const auto& [type, address] : {std::pair("InternalIP", o.ip), std::pair("Hostname", o.hostname)}) {
    w.open('{');
    w.put("address", address);
    w.put("type", type);
    w.close('}');
  }
  w.close(']');
}

// Kubernetes' default thresholds (evictionHard: imagefs.available 15 %, nodefs.inodesFree 5 %, memory.available 100Mi)
// and evictionPressureTransitionPeriod. Images and volumes share a file system here, so the stricter limit counts.
constexpr double least_disk = 0.15;
constexpr double least_inodes = 0.05;
constexpr std::int64_t least_memory = 100ll << 20;
constexpr std::int64_t pressure_lasts_ms = 300'000;
// A runtime that is not there is asked again soon.
constexpr std::int64_t check_again_ms = 1000;

/// What keeps the node from being ready; empty when nothing does.
std::string trouble(const node_state& s) {
  if (!s.runtime_known) return "container runtime status check may not have completed yet";
  if (!s.runtime.error.empty()) return "container runtime is down: " + s.runtime.error;
  std::string out;
  if (!s.runtime.runtime_ready) out = "container runtime is down: " + s.runtime.runtime_message;
  if (!s.runtime.network_ready)
    out += (out.empty() ? "" : ", ") +
           ("container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:" +
            s.runtime.network_message);
  return out;
}

struct node_turn {
  node_state& s;
  moment now;
  node_effects out;
  std::int64_t wake = 0;

  template <class Effect>
  void emit(Effect effect) {
    out.emplace_back(std::move(effect));
  }
  bool due(std::int64_t steady_ms) {
    if (steady_ms <= now.steady_ms) return true;
    wake = wake == 0 ? steady_ms : std::min(wake, steady_ms);
    return false;
  }

  void on(const node_started& e) {
    auto spread = static_cast<std::int64_t>(e.random % static_cast<std::uint64_t>(s.options.lease_period * 1000));
    s.lease_due_ms = now.steady_ms + spread;
    s.check_due_ms = now.steady_ms;
    s.report_due_ms = now.steady_ms + s.options.report_period * 1000 + spread;
    if (s.options.hostname.empty()) s.options.hostname = s.options.name;
  }
  void on(const node_answered& e) {
    s.asked = false;
    if (e.code == 200 || e.code == 201) {
      s.existed = e.code == 200;
      if (!s.existed) s.reported = s.pending;  // it was made with its status
      s.registered = true;
      s.uid = e.uid;
      if (s.existed) emit(patch_node{false, identity_json()});
      return;
    }
    if (e.code == 404) {
      s.asked = true;
      update_conditions();
      s.pending = status_body(false);
      return emit(create_node{node_json(s, now.wall_ms)});
    }
    s.retry_ms = now.steady_ms + 1000;  // 409: somebody else made it: read again
  }
  void on(const node_patched& e) {
    s.patch_under_way = false;
    if (e.code >= 200 && e.code < 300)
      s.reported = s.pending;
    else
      s.retry_ms = now.steady_ms + s.options.status_period * 1000;
  }
  void on(const lease_answered& e) {
    s.lease_under_way = false;
    bool good = e.code >= 200 && e.code < 300;
    bool absent = e.code == 404 && s.lease_exists;
    s.lease_exists = good || e.code == 409;
    if (good) note_renewal();
    auto wait = good ? s.options.lease_period * 1000 : absent ? 0 : 1000;
    s.lease_due_ms = now.steady_ms + wait;
  }
  /// After a silence the node may have been marked Unknown, and what was reported last is not what the API shows: it
  /// is reported again. (Kubernetes' kubelet reads its Node every status_period instead.)
  void note_renewal() {
    bool silence = s.lease_renewed_ms != 0 && now.steady_ms - s.lease_renewed_ms > 2 * s.options.lease_period * 1000;
    if (silence) s.report_due_ms = now.steady_ms;
    s.lease_renewed_ms = now.steady_ms;
  }
  void on(const runtime_checked& e) {
    s.check_under_way = false;
    note_pressure(e.room);
    bool was_good = s.runtime_known && trouble(s).empty();
    auto version = s.runtime.version;
    s.runtime = e;
    if (e.version.empty()) s.runtime.version = version;
    bool first = !s.runtime_known;
    s.runtime_known = true;
    bool good = trouble(s).empty();
    s.check_due_ms = now.steady_ms + (good ? s.options.status_period * 1000 : check_again_ms);
    if (!first && was_good != good)
      emit(node_note{!good, good ? "NodeReady" : "NodeNotReady",
                     "Node " + s.options.name + " status is now: " + (good ? "NodeReady" : "NodeNotReady")});
  }
  void on(const runtime_returned&) {
    emit(node_note{true, "ContainerRuntimeLost", "The container runtime did not answer for a while and is back"});
    s.check_due_ms = now.steady_ms;
  }
  void note_pressure(const machine_room& room) {
    if (room.disk < least_disk || room.inodes < least_inodes)
      s.disk_pressure_until_ms = now.steady_ms + pressure_lasts_ms;
    if (room.memory_bytes < least_memory) s.memory_pressure_until_ms = now.steady_ms + pressure_lasts_ms;
  }
  void on(const node_clock_due&) {
    if (s.wake_ms <= now.steady_ms) s.wake_ms = 0;
  }

  void set(const char* type, bool value, const char* reason, const std::string& message) {
    auto at = std::find_if(s.conditions.begin(), s.conditions.end(), [&](auto& c) { return c.first == type; });
    if (at == s.conditions.end()) at = s.conditions.insert(at, {type, {}});
    auto& c = at->second;
    const char* status = value ? "True" : "False";
    if (c.status != status) c.since = time_text(now.wall_ms);
    c.status = status;
    c.reason = reason;
    c.message = message;
  }
  void update_conditions() {
    bool memory = now.steady_ms < s.memory_pressure_until_ms;
    set("MemoryPressure", memory, memory ? "KubeletHasInsufficientMemory" : "KubeletHasSufficientMemory",
        memory ? "kubelet has insufficient memory available" : "kubelet has sufficient memory available");
    bool disk = now.steady_ms < s.disk_pressure_until_ms;
    set("DiskPressure", disk, disk ? "KubeletHasDiskPressure" : "KubeletHasNoDiskPressure",
        disk ? "kubelet has disk pressure" : "kubelet has no disk pressure");
    set("PIDPressure", false, "KubeletHasSufficientPID", "kubelet has sufficient PID available");
    auto bad = trouble(s);
    set("Ready", bad.empty(), bad.empty() ? "KubeletReady" : "KubeletNotReady",
        bad.empty() ? "kubelet is posting ready status" : bad);
  }

  /// The status as written; without times it tells whether something changed.
  std::string status_body(bool times) {
    json_text w;
    w.open('{');
    put_addresses(w, s.options);
    put_resources(w, "allocatable", s.options, true);
    put_resources(w, "capacity", s.options, false);
    w.open("conditions", '[');
    for (auto& [type, c] : s.conditions) {
      w.open('{');
      if (times) w.put("lastHeartbeatTime", time_text(now.wall_ms));
      w.put("lastTransitionTime", c.since);
      w.put("message", c.message);
      w.put("reason", c.reason);
      w.put("status", c.status);
      w.put("type", type);
      w.close('}');
    }
    w.close(']');
    w.open("daemonEndpoints", '{');
    w.open("kubeletEndpoint", '{');
    w.put("Port", std::int64_t{10250});
    w.close('}');
    w.close('}');
    put_info(w, s);
    w.close('}');
    return w.take();
  }

  /// Labels that a node which existed already must have.
  std::string identity_json() const {
    json_text w;
    w.open('{');
    w.open("metadata", '{');
    put_labels(w, s.options);
    w.close('}');
    w.close('}');
    return w.take();
  }
  static void put_labels(json_text& w, const node_options& o) {
    w.open("labels", '{');
    w.put("beta.kubernetes.io/arch", o.architecture);
    w.put("beta.kubernetes.io/os", "linux");
    w.put("kubernetes.io/arch", o.architecture);
    w.put("kubernetes.io/hostname", o.hostname);
    w.put("kubernetes.io/os", "linux");
    for (auto& [key, value] : o.labels) w.put(key, value);
    w.close('}');
  }

  void heartbeat() {
    if (s.lease_under_way || !due(s.lease_due_ms)) return;
    s.lease_under_way = true;
    json_text w;
    w.open('{');
    if (!s.lease_exists) {
      w.put("apiVersion", "coordination.k8s.io/v1");
      w.put("kind", "Lease");
      w.open("metadata", '{');
      w.put("name", s.options.name);
      w.put("namespace", "kube-node-lease");
      w.open("ownerReferences", '[');
      w.open('{');
      w.put("apiVersion", "v1");
      w.put("kind", "Node");
      w.put("name", s.options.name);
      w.put("uid", s.uid);
      w.close('}');
      w.close(']');
      w.close('}');
    }
    w.open("spec", '{');
    w.put("holderIdentity", s.options.name);
    w.put("leaseDurationSeconds", s.options.lease_duration);
    w.put("renewTime", micro_time_text(static_cast<std::uint64_t>(now.wall_ms)));
    w.close('}');
    w.close('}');
    if (s.lease_exists)
      emit(renew_lease{w.take()});
    else
      emit(create_lease{w.take()});
  }

  void report() {
    if (s.patch_under_way || !due(s.retry_ms)) return;
    update_conditions();
    auto plain = status_body(false);
    bool changed = plain != s.reported;
    if (!changed && !due(s.report_due_ms)) return;
    s.pending = plain;
    s.patch_under_way = true;
    s.report_due_ms = now.steady_ms + s.options.report_period * 1000;
    emit(patch_node{true, "{\"status\":" + status_body(true) + "}"});
  }

  void sync() {
    if (!s.check_under_way && due(s.check_due_ms)) {
      s.check_under_way = true;
      emit(check_runtime{});
    }
    if (!s.runtime_known) return;
    if (!s.registered) {
      if (s.asked || !due(s.retry_ms)) return;
      s.asked = true;
      return emit(read_node{});
    }
    heartbeat();
    report();
  }
};

}  // namespace

std::string node_json(node_state& s, std::int64_t wall_ms) {
  node_turn t{s, {0, wall_ms}, {}, 0};
  auto& o = s.options;
  json_text w;
  w.open('{');
  w.put("apiVersion", "v1");
  w.put("kind", "Node");
  w.open("metadata", '{');
  node_turn::put_labels(w, o);
  w.put("name", o.name);
  w.close('}');
  w.open("spec", '{');
  if (!o.pod_cidr.empty()) {
    w.put("podCIDR", o.pod_cidr);
    w.open("podCIDRs", '[');
    w.item(o.pod_cidr);
    w.close(']');
  }
  w.put_if("providerID", o.provider_id);
  if (!o.taints.empty()) {
    w.open("taints", '[');
    for (auto& [text, effect] : o.taints) {
      auto split = text.find('=');
      w.open('{');
      w.put("effect", effect);
      w.put("key", text.substr(0, split));
      if (split != text.npos) w.put("value", text.substr(split + 1));
      w.close('}');
    }
    w.close(']');
  }
  w.close('}');
  auto head = w.take();
  return head + ",\"status\":" + t.status_body(true) + "}";
}

node_effects step(node_state& s, const node_event& e) {
  return std::visit(
      [&](auto& what) {
        node_turn t{s, what.at, {}, 0};
        t.on(what);
        t.sync();
        if (t.wake != 0 && (s.wake_ms == 0 || t.wake < s.wake_ms)) {
          s.wake_ms = t.wake;
          t.emit(wake_node{t.wake});
        }
        return std::move(t.out);
      },
      e);
}

}  // namespace troupe::kubelet
