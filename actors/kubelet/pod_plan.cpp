// Reading a pod's plan.
#include "actors/kubelet/pod_plan.hpp"

#include <algorithm>
#include <charconv>

#include "messages/text_search.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::kubelet {
namespace {

using core_v1::container_view;

std::int32_t port_of(const node* port, const container_view& c) {
  if (!port) return 0;
  if (port->is_integer()) return static_cast<std::int32_t>(port->integer());
  auto name = port->string();
  for (auto p : c.ports())
    if (p.name() == name) return static_cast<std::int32_t>(p.container_port());
  std::int32_t number = 0;
  std::from_chars(name.data(), name.data() + name.size(), number);
  return number;
}

template <class Handler>
action_plan read_action(const Handler& h, const container_view& c) {
  action_plan out;
  if (h.has_exec()) {
    out.kind = action_kind::exec;
    for (auto word : h.exec().command()) out.command.emplace_back(word);
  } else if (h.has_http_get()) {
    auto get = h.http_get();
    out.kind = action_kind::http;
    out.host = get.host();
    out.port = port_of(get.port(), c);
    out.path = get.path();
    out.https = get.scheme() == "HTTPS";
    for (auto header : get.http_headers()) out.headers.emplace_back(header.name(), header.value());
  } else if (h.has_tcp_socket()) {
    out.kind = action_kind::tcp;
    out.host = h.tcp_socket().host();
    out.port = port_of(h.tcp_socket().port(), c);
  }
  return out;
}

probe_plan read_probe(const core_v1::probe_view& p, const container_view& c) {
  probe_plan out;
  if (!p) return out;
  out.action = read_action(p, c);
  if (p.has_grpc()) {
    out.action.kind = action_kind::grpc;
    out.action.port = static_cast<std::int32_t>(p.grpc().port());
    out.action.service = p.grpc().service();
  }
  out.initial_delay = p.initial_delay_seconds();
  out.period = std::max<std::int64_t>(p.period_seconds(10), 1);
  out.timeout = std::max<std::int64_t>(p.timeout_seconds(1), 1);
  out.successes = std::max<std::int64_t>(p.success_threshold(1), 1);
  out.failures = std::max<std::int64_t>(p.failure_threshold(3), 1);
  out.grace = p.termination_grace_period_seconds(-1);
  return out;
}

action_plan read_hook(const core_v1::lifecycle_handler_view& h, const container_view& c) {
  auto out = read_action(h, c);
  if (h.has_sleep()) {
    out.kind = action_kind::sleep;
    out.seconds = h.sleep().seconds();
  }
  return out;
}

restart_rule rule_of(std::string_view text, restart_rule fallback) {
  if (text == "Always") return restart_rule::always;
  if (text == "OnFailure") return restart_rule::on_failure;
  if (text == "Never") return restart_rule::never;
  return fallback;
}

container_plan read_container(const container_view& c, container_role role, restart_rule pod_rule) {
  container_plan out;
  out.name = c.name();
  out.image = c.image();
  out.role = role;
  if (c.image_pull_policy() == "Always") out.pull = pull_policy::always;
  if (c.image_pull_policy() == "Never") out.pull = pull_policy::never;
  // An init container is tried again until it succeeds unless the pod never restarts.
  out.restart = role == container_role::init && pod_rule == restart_rule::always ? restart_rule::on_failure : pod_rule;
  out.restart = rule_of(c.restart_policy(), out.restart);
  out.probes[0] = read_probe(c.startup_probe(), c);
  out.probes[1] = read_probe(c.liveness_probe(), c);
  out.probes[2] = read_probe(c.readiness_probe(), c);
  out.post_start = read_hook(c.lifecycle().post_start(), c);
  out.pre_stop = read_hook(c.lifecycle().pre_stop(), c);
  return out;
}

void read_reported(const list_view<core_v1::container_status_view>& list, pod_plan& out) {
  for (auto s : list)
    out.reported.push_back({std::string(s.name()), std::string(s.container_id()),
                            static_cast<std::uint32_t>(s.restart_count()), s.started()});
}

std::string_view text_after(std::string_view json, std::string_view key) {
  auto at = find_text(json, key);
  if (at == json.npos) return {};
  auto rest = json.substr(at + key.size());
  return rest.substr(0, rest.find_first_of(",}"));
}

}  // namespace

pod_plan read_plan(const document& doc) {
  core_v1::pod_view pod(doc);
  auto meta = pod.metadata();
  auto spec = pod.spec();
  pod_plan out;
  out.namespace_name = meta.namespace_();
  out.name = meta.name();
  out.uid = meta.uid();
  out.generation = meta.generation();
  out.deleting = meta.has_deletion_timestamp();
  out.deletion_grace = meta.deletion_grace_period_seconds();
  out.restart = rule_of(spec.restart_policy(), restart_rule::always);
  out.grace = spec.termination_grace_period_seconds(30);
  out.active_deadline = spec.active_deadline_seconds(-1);
  out.host_network = spec.host_network();
  for (auto c : spec.init_containers()) {
    auto role = c.restart_policy() == "Always" ? container_role::sidecar : container_role::init;
    out.containers.push_back(read_container(c, role, out.restart));
  }
  for (auto c : spec.containers()) out.containers.push_back(read_container(c, container_role::regular, out.restart));
  for (auto gate : spec.readiness_gates()) out.readiness_gates.emplace_back(gate.condition_type());
  auto status = pod.status();
  out.phase = status.phase();
  out.start_time = status.start_time();
  read_reported(status.init_container_statuses(), out);
  read_reported(status.container_statuses(), out);
  for (auto c : status.conditions())
    out.conditions.emplace_back(c.type(), std::pair(std::string(c.status()), std::string(c.last_transition_time())));
  return out;
}

result<pod_plan> read_plan(const object& pod) {
  auto doc = document::parse(pod.json.view());
  if (!doc) return doc.error();
  return read_plan(*doc);
}

bool worth_reading(const object& before, const object& now) {
  auto a = before.json.view(), b = now.json.view();
  // Whoever sets a readiness gate's condition changes only the status.
  if (has_text(b, "\"readinessGates\"")) return true;
  for (std::string_view key : {"\"generation\":", "\"deletionTimestamp\":", "\"deletionGracePeriodSeconds\":"})
    if (text_after(a, key) != text_after(b, key)) return true;
  return text_after(b, "\"generation\":").empty();
}

std::string_view condition_status(const object& pod, std::string_view type) {
  // A text of the pod's cannot look like this: its quotation marks are escaped.
  auto json = pod.json.view();
  auto begin = json.find(R"("status":{)");
  if (begin != json.npos) begin = json.find("\"type\":\"" + std::string(type) + "\"", begin);
  if (begin == json.npos) return {};
  auto condition = json.substr(begin, json.find('}', begin) - begin);
  auto quoted = text_after(condition, "\"status\":");
  return quoted.size() > 2 ? quoted.substr(1, quoted.size() - 2) : std::string_view();
}

}  // namespace troupe::kubelet
