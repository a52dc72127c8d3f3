// PodSecurity: the namespace's enforce label ("baseline", "restricted") against new pods (KEP-2579).
#include <algorithm>
#include <string>
#include <vector>

#include "actors/api_server/admission/plugins.hpp"
#include "actors/api_server/validation/access.hpp"
#include "actors/api_server/validation/field_errors.hpp"

namespace troupe::api::rules {
namespace {

/// What a check found: its name and the places, as the plug-in words them.
using findings = std::vector<std::string>;

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

std::string containers_words(const std::vector<std::string>& names) {
  return (names.size() == 1 ? "container " : "containers ") + joined(names);
}

template <class F>
void each_container(const node* spec, F&& f) {
  for (std::string_view list : {"initContainers", "containers", "ephemeralContainers"})
    each(get(spec, list), [&](const node& c, std::size_t) { f(c, get(&c, "securityContext")); });
}

/// Names of the containers that fail, quoted.
template <class F>
std::vector<std::string> failing(const node* spec, F&& fails) {
  std::vector<std::string> out;
  each_container(spec, [&](const node& c, const node* context) {
    if (fails(c, context)) out.push_back(go_quote(text(&c, "name")));
  });
  return out;
}

void baseline(findings& out, const node* spec) {
  std::vector<std::string> hosts;
  for (std::string_view field : {"hostNetwork", "hostPID", "hostIPC"})
    if (flag(spec, field)) hosts.push_back(std::string(field) + "=true");
  if (!hosts.empty()) out.push_back("host namespaces (" + joined(hosts) + ")");
  const auto privileged = failing(spec, [](const node&, const node* c) { return flag(c, "privileged"); });
  if (!privileged.empty())
    out.push_back("privileged (" + containers_words(privileged) + " must not set securityContext.privileged=true)");
  const auto capable = failing(spec, [](const node&, const node* c) {
    bool bad = false;
    each(get(c, "capabilities", "add"), [&](const node& name, std::size_t) {
      bad = bad || !one_of(name.string(), {"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
                                           "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"});
    });
    return bad;
  });
  if (!capable.empty())
    out.push_back("non-default capabilities (" + containers_words(capable) +
                  " must not include non-default capabilities in securityContext.capabilities.add)");
  std::vector<std::string> paths;
  each(get(spec, "volumes"), [&](const node& v, std::size_t) {
    if (has(&v, "hostPath")) paths.push_back(go_quote(text(&v, "name")));
  });
  if (!paths.empty())
    out.push_back("hostPath volumes (" + std::string(paths.size() == 1 ? "volume " : "volumes ") + joined(paths) + ")");
  const auto ports = failing(spec, [](const node& c, const node*) {
    bool bad = false;
    each(get(&c, "ports"), [&](const node& port, std::size_t) { bad = bad || number(&port, "hostPort") != 0; });
    return bad;
  });
  if (!ports.empty()) out.push_back("hostPort (" + containers_words(ports) + " uses hostPorts)");
  const auto unconfined =
      failing(spec, [](const node&, const node* c) { return text(get(c, "seccompProfile"), "type") == "Unconfined"; });
  const bool pod_unconfined = text(get(spec, "securityContext", "seccompProfile"), "type") == "Unconfined";
  if (pod_unconfined || !unconfined.empty())
    out.push_back("seccompProfile (" + std::string(pod_unconfined ? "pod" : containers_words(unconfined)) +
                  " must not set securityContext.seccompProfile.type to \"Unconfined\")");
}

void restricted(findings& out, const node* spec) {
  const node* pod = get(spec, "securityContext");
  const auto escalating = failing(spec, [](const node&, const node* c) {
    const node* value = get(c, "allowPrivilegeEscalation");
    return !value || value->boolean();
  });
  if (!escalating.empty())
    out.push_back("allowPrivilegeEscalation != false (" + containers_words(escalating) +
                  " must set securityContext.allowPrivilegeEscalation=false)");
  const auto keeping =
      failing(spec, [](const node&, const node* c) { return !holds(get(c, "capabilities", "drop"), "ALL"); });
  if (!keeping.empty())
    out.push_back("unrestricted capabilities (" + containers_words(keeping) +
                  " must set securityContext.capabilities.drop=[\"ALL\"])");
  const bool pod_non_root = flag(pod, "runAsNonRoot");
  const auto root = failing(spec, [&](const node&, const node* c) {
    const node* value = get(c, "runAsNonRoot");
    return value ? !value->boolean() : !pod_non_root;
  });
  if (!root.empty())
    out.push_back("runAsNonRoot != true (pod or " + containers_words(root) +
                  " must set securityContext.runAsNonRoot=true)");
  const auto pod_type = text(get(pod, "seccompProfile"), "type");
  const auto open = failing(spec, [&](const node&, const node* c) {
    const auto own = text(get(c, "seccompProfile"), "type");
    return !one_of(own.empty() ? pod_type : own, {"RuntimeDefault", "Localhost"});
  });
  if (!open.empty())
    out.push_back("seccompProfile (pod or " + containers_words(open) +
                  " must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")");
}

}  // namespace

status pod_security(const admission_request& request) {
  static const auto namespaces = resource_index("", "namespaces");
  if (!request.creates_pod()) return {};
  const auto space = request.others->find(namespaces, {}, request.namespace_name);
  const auto* level = space ? space->label("pod-security.kubernetes.io/enforce") : nullptr;
  if (!level || (*level != "baseline" && *level != "restricted")) return {};
  const auto* version = space->label("pod-security.kubernetes.io/enforce-version");
  findings found;
  const node* spec = get(&request.object->root(), "spec");
  baseline(found, spec);
  if (*level == "restricted") restricted(found, spec);
  if (found.empty()) return {};
  return refuse(request, "violates PodSecurity \"" + std::string(*level) + ":" +
                             std::string(version ? *version : std::string_view("latest")) + "\": " + joined(found));
}

}  // namespace troupe::api::rules
