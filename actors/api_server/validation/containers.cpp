// Containers, init containers and ephemeral containers.
#include <algorithm>
#include <string>
#include <vector>

#include "actors/api_server/validation/names.hpp"
#include "actors/api_server/validation/pod_rules.hpp"

namespace troupe::api::rules {
namespace {

using name_set = std::vector<std::string_view>;

void check_ports(error_list& errors, const path& at, const node* ports) {
  name_set names;
  each(ports, [&](const node& port, std::size_t i) {
    const path here = at.index(i);
    const auto name = text(&port, "name"), protocol = text(&port, "protocol");
    if (!name.empty()) {
      const auto wrong = port_name(name);
      if (!wrong.empty())
        errors.invalid(here.child("name"), name, wrong);
      else if (one_of(name, names))
        errors.duplicate(here.child("name"), name);
      else
        names.push_back(name);
    }
    const auto container_port = number(&port, "containerPort"), host_port = number(&port, "hostPort");
    if (container_port == 0)
      errors.required(here.child("containerPort"));
    else
      errors.invalid(here.child("containerPort"), container_port, port_number(container_port));
    if (host_port != 0) errors.invalid(here.child("hostPort"), host_port, port_number(host_port));
    if (protocol.empty())
      errors.required(here.child("protocol"));
    else if (protocol != "TCP" && protocol != "UDP" && protocol != "SCTP")
      errors.not_supported(here.child("protocol"), protocol, {"SCTP", "TCP", "UDP"});
  });
}

void check_resize_policies(error_list& errors, const path& at, const node* policies, std::string_view pod_policy) {
  name_set seen;
  each(policies, [&](const node& policy, std::size_t i) {
    const auto resource = text(&policy, "resourceName"), restart = text(&policy, "restartPolicy");
    if (one_of(resource, seen)) errors.duplicate(at.index(i), resource);
    seen.push_back(resource);
    if (resource.empty())
      errors.required(at);
    else if (resource != "cpu" && resource != "memory")
      errors.not_supported(at, resource, {"cpu", "memory"});
    if (restart.empty())
      errors.required(at);
    else if (restart != "NotRequired" && restart != "RestartContainer")
      errors.not_supported(at, restart, {"NotRequired", "RestartContainer"});
    if (pod_policy == "Never" && restart != "NotRequired")
      errors.invalid(at, restart, "must be 'NotRequired' when pod `restartPolicy` is 'Never'");
  });
}

void check_exit_codes(error_list& errors, const path& at, const node* codes) {
  if (!codes) return errors.required(at, "must be specified");
  const auto op = text(codes, "operator");
  if (op != "In" && op != "NotIn") errors.not_supported(at.child("operator"), op, {"In", "NotIn"});
  const auto values = static_cast<std::int64_t>(count(codes, "values"));
  if (values > 255) errors.too_many(at.child("values"), values, 255);
}

void check_restart_rules(error_list& errors, const path& at, const node& container) {
  const node* policy = get(&container, "restartPolicy");
  const node* rules = get(&container, "restartPolicyRules");
  if (!policy) {
    if (count(rules) == 0) return;
    errors.required(at.child("restartPolicy"), "must specify restartPolicy when restart rules are used");
  } else if (const auto value = policy->string(); value != "Always" && value != "Never" && value != "OnFailure") {
    errors.not_supported(at.child("restartPolicy"), value, {"Always", "Never", "OnFailure"});
  }
  const path list = at.child("restartPolicyRules");
  if (count(rules) > 20) errors.too_many(list, static_cast<std::int64_t>(count(rules)), 20);
  each(rules, [&](const node& rule, std::size_t i) {
    const path here = list.index(i);
    const auto action = text(&rule, "action");
    if (action != "Restart" && action != "RestartAllContainers")
      errors.not_supported(here.child("action"), action, {"Restart", "RestartAllContainers"});
    check_exit_codes(errors, here.child("exitCodes"), get(&rule, "exitCodes"));
  });
}

void check_common(error_list& errors, const path& at, const node& container, const pod_scope& scope) {
  const auto name = text(&container, "name"), policy = text(&container, "terminationMessagePolicy");
  if (name.empty())
    errors.required(at.child("name"));
  else
    errors.invalid(at.child("name"), name, dns1123_label(name));
  if (text(&container, "image").empty()) errors.required(at.child("image"));
  if (policy.empty())
    errors.required(at.child("terminationMessagePolicy"));
  else if (policy != "File" && policy != "FallbackToLogsOnError")
    errors.not_supported(at.child("terminationMessagePolicy"), policy, {"File", "FallbackToLogsOnError"});
  check_ports(errors, at.child("ports"), get(&container, "ports"));
  check_env(errors, at.child("env"), get(&container, "env"));
  check_env_from(errors, at.child("envFrom"), get(&container, "envFrom"));
  check_mounts(errors, at.child("volumeMounts"), container, scope);
  check_devices(errors, at.child("volumeDevices"), container, scope);
  check_pull_policy(errors, at.child("imagePullPolicy"), text(&container, "imagePullPolicy"));
  check_container_resources(errors, at.child("resources"), get(&container, "resources"), scope);
  check_resize_policies(errors, at.child("resizePolicy"), get(&container, "resizePolicy"), scope.restart_policy);
  check_security_context(errors, at.child("securityContext"), get(&container, "securityContext"), scope.host_users);
}

/// Adds the container's host ports to `taken` and reports those that are there already. `at` is the list's path plus
/// the container's index as upstream counts it.
void check_host_ports(error_list& errors, const path& at, const node& container, std::vector<std::string>& taken) {
  const path list = at.child("ports");
  each(get(&container, "ports"), [&](const node& port, std::size_t i) {
    const auto host_port = number(&port, "hostPort");
    if (host_port == 0) return;
    auto key = std::string(text(&port, "protocol")) + "/" + std::string(text(&port, "hostIP")) + "/" +
               std::to_string(host_port);
    const path here = list.index(i);
    if (std::find(taken.begin(), taken.end(), key) != taken.end())
      errors.duplicate(here.child("hostPort"), key);
    else
      taken.push_back(std::move(key));
  });
}

void check_no_hooks(error_list& errors, const path& at, const node& container) {
  for (std::string_view field : {"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"})
    if (has(&container, field))
      errors.forbidden(at.child(field), "may not be set for init containers without restartPolicy=Always");
}

void check_no_restart_on_resize(error_list& errors, const path& at, const node* policies) {
  const path list = at.child("resizePolicy");
  each(policies, [&](const node& policy, std::size_t i) {
    const path here = list.index(i);
    if (text(&policy, "restartPolicy") == "RestartContainer")
      errors.invalid(here.child("restartPolicy"), "RestartContainer",
                     "must not be set to 'RestartContainer' for non-sidecar initContainers");
  });
}

name_set names_of(const node* list) {
  name_set out;
  each(list, [&](const node& c, std::size_t) { out.push_back(text(&c, "name")); });
  return out;
}

/// Fields of a container that an ephemeral one may not have.
void check_ephemeral_fields(error_list& errors, const path& at, const node& container) {
  constexpr const char* refused = "cannot be set for an Ephemeral Container";
  for (std::string_view field : {"ports", "resources", "resizePolicy", "restartPolicy", "restartPolicyRules",
                                 "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"}) {
    const node* value = get(&container, field);
    const bool set = value && (value->is_string() || !value->empty());
    if (set) errors.forbidden(at.child(field), refused);
  }
  const path mounts = at.child("volumeMounts");
  each(get(&container, "volumeMounts"), [&](const node& mount, std::size_t i) {
    const path here = mounts.index(i);
    for (std::string_view field : {"subPath", "subPathExpr"})
      if (!text(&mount, field).empty()) errors.forbidden(here.child(field), refused);
  });
}

}  // namespace

void check_pull_policy(error_list& errors, const path& at, std::string_view policy) {
  if (policy.empty())
    errors.required(at);
  else if (policy != "Always" && policy != "IfNotPresent" && policy != "Never")
    errors.not_supported(at, policy, {"Always", "IfNotPresent", "Never"});
}

void check_image_spaces(error_list& errors, const path& at, const node& container) {
  const auto image = text(&container, "image");
  const auto space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  if (!image.empty() && (space(image.front()) || space(image.back())))
    errors.invalid(at.child("image"), image, "must not have leading or trailing whitespace");
}

void check_containers(error_list& errors, const path& at, const node* containers, const pod_scope& scope) {
  if (count(containers) == 0) return errors.required(at);
  name_set names;
  each(containers, [&](const node& container, std::size_t i) {
    const path here = at.index(i);
    check_common(errors, here, container, scope);
    const auto name = text(&container, "name");
    if (one_of(name, names))
      errors.duplicate(here.child("name"), name);
    else
      names.push_back(name);
    if (const node* lifecycle = get(&container, "lifecycle"))
      check_lifecycle(errors, here.child("lifecycle"), *lifecycle, scope);
    check_probes(errors, here, container, scope);
    check_restart_rules(errors, here, container);
  });
  std::vector<std::string> taken;
  each(containers, [&](const node& c, std::size_t i) { check_host_ports(errors, at.index(i), c, taken); });
}

void check_init_containers(error_list& errors, const path& at, const node* containers, const pod_scope& scope) {
  name_set names = names_of(get(scope.spec, "containers"));
  each(containers, [&](const node& container, std::size_t i) {
    const path here = at.index(i);
    check_common(errors, here, container, scope);
    if (!has(&container, "restartPolicy")) {
      if (count(&container, "restartPolicyRules") > 0)
        errors.required(here.child("restartPolicy"), "must specify restartPolicy when restart rules are used");
    } else {
      check_restart_rules(errors, here, container);
    }
    const auto name = text(&container, "name");
    if (one_of(name, names))
      errors.duplicate(here.child("name"), name);
    else if (!name.empty())
      names.push_back(name);
    std::vector<std::string> taken;
    check_host_ports(errors, at.index(0), container, taken);
    const bool sidecar = text(&container, "restartPolicy") == "Always";
    if (!sidecar) {
      check_no_hooks(errors, here, container);
      check_no_restart_on_resize(errors, here, get(&container, "resizePolicy"));
      return;
    }
    if (const node* lifecycle = get(&container, "lifecycle"))
      check_lifecycle(errors, here.child("lifecycle"), *lifecycle, scope);
    check_probes(errors, here, container, scope);
  });
}

void check_ephemeral_containers(error_list& errors, const path& at, const node* containers, const pod_scope& scope) {
  if (count(containers) == 0) return;
  name_set others = names_of(get(scope.spec, "containers"));
  for (auto name : names_of(get(scope.spec, "initContainers"))) others.push_back(name);
  name_set names = others;
  each(containers, [&](const node& container, std::size_t i) {
    const path here = at.index(i);
    check_common(errors, here, container, scope);
    check_image_spaces(errors, here, container);
    const auto name = text(&container, "name"), target = text(&container, "targetContainerName");
    if (one_of(name, names))
      errors.duplicate(here.child("name"), name);
    else
      names.push_back(name);
    if (!target.empty() && !one_of(target, others)) errors.not_found(here.child("targetContainerName"), target);
    check_ephemeral_fields(errors, here, container);
  });
}

}  // namespace troupe::api::rules
