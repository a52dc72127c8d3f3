// The pod spec as a whole, in Kubernetes' order of checks.
#include <algorithm>
#include <string>

#include "actors/api_server/validation/metadata.hpp"
#include "actors/api_server/validation/names.hpp"
#include "actors/api_server/validation/pod_rules.hpp"

namespace troupe::api::rules {
namespace {

void check_choice(error_list& errors, const path& at, std::string_view value,
                  std::initializer_list<std::string_view> known) {
  if (value.empty())
    errors.required(at);
  else if (std::find(known.begin(), known.end(), value) == known.end())
    errors.not_supported(at, value, known);
}

void check_resource_claims(error_list& errors, const path& at, const node* claims) {
  std::vector<std::string_view> names;
  each(claims, [&](const node& claim, std::size_t i) {
    const path here = at.index(i);
    const auto name = text(&claim, "name");
    if (name.empty()) {
      errors.required(here.child("name"));
    } else if (std::find(names.begin(), names.end(), name) != names.end()) {
      errors.duplicate(here.child("name"), name);
    } else {
      errors.invalid(here.child("name"), name, dns1123_label(name));
      names.push_back(name);
    }
    const node *by_name = get(&claim, "resourceClaimName"), *by_template = get(&claim, "resourceClaimTemplateName");
    if (by_name && by_template)
      errors.invalid(here, &claim,
                     "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified");
    if (!by_name && !by_template)
      errors.invalid(here, &claim, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`");
    if (by_name)
      errors.invalid(here.child("resourceClaimName"), by_name->string(), dns1123_subdomain(by_name->string()));
    if (by_template)
      errors.invalid(here.child("resourceClaimTemplateName"), by_template->string(),
                     dns1123_subdomain(by_template->string()));
  });
}

void check_host_network(error_list& errors, const path& at, const pod_scope& scope) {
  if (!flag(scope.spec, "hostNetwork")) return;
  const path list = at.child("containers");
  each(get(scope.spec, "containers"), [&](const node& container, std::size_t i) {
    const path here = list.index(i);
    const path ports = here.child("ports");
    each(get(&container, "ports"), [&](const node& port, std::size_t k) {
      const auto host = number(&port, "hostPort"), inner = number(&port, "containerPort");
      const path place = ports.index(k);
      if ((scope.whole_pod || host != 0) && host != inner)
        errors.invalid(place.child("hostPort"), host, "must match `containerPort` when `hostNetwork` is true");
    });
  });
}

void check_dns(error_list& errors, const path& at, const node* config, std::string_view policy) {
  const node* servers = get(config, "nameservers");
  if (policy == "None" && !config) return errors.required(at, "must provide `dnsConfig` when `dnsPolicy` is None");
  if (policy == "None" && count(servers) == 0)
    return errors.required(at.child("nameservers"),
                           "must provide at least one DNS nameserver when `dnsPolicy` is None");
  if (!config) return;
  const path server_path = at.child("nameservers"), search_path = at.child("searches"), options = at.child("options");
  if (count(servers) > 3) errors.invalid(server_path, servers, "must not have more than 3 nameservers");
  each(servers, [&](const node& s, std::size_t i) { check_legacy_ip(errors, server_path.index(i), s.string()); });
  const node* searches = get(config, "searches");
  if (count(searches) > 32) errors.invalid(search_path, searches, "must not have more than 32 search paths");
  std::size_t characters = count(searches) > 0 ? count(searches) - 1 : 0;
  each(searches, [&](const node& s, std::size_t) { characters += s.string().size(); });
  if (characters > 2048)
    errors.invalid(search_path, searches,
                   "must not have more than 2048 characters (including spaces) in the search list");
  each(searches, [&](const node& s, std::size_t i) {
    auto name = s.string();
    if (name == ".") return;
    if (name.ends_with('.')) name.remove_suffix(1);
    errors.invalid(search_path.index(i), name, dns1123_subdomain_with_underscore(name));
  });
  each(get(config, "options"), [&](const node& option, std::size_t i) {
    if (text(&option, "name").empty()) errors.required(options.index(i), "must not be empty");
  });
}

void check_gates(error_list& errors, const path& spec_path, const node* spec) {
  const path readiness = spec_path.child("readinessGates"), scheduling = spec_path.child("schedulingGates");
  each(get(spec, "readinessGates"), [&](const node& gate, std::size_t i) {
    const path here = readiness.index(i);
    const auto type = text(&gate, "conditionType");
    errors.invalid(here.child("conditionType"), type, qualified_name(type));
  });
  std::vector<std::string_view> seen;
  each(get(spec, "schedulingGates"), [&](const node& gate, std::size_t i) {
    const auto name = text(&gate, "name");
    errors.invalid(scheduling.index(i), name, qualified_name(name));
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) errors.duplicate(scheduling.index(i), name);
    seen.push_back(name);
  });
}

void check_host_users(error_list& errors, const path& at, const node* spec) {
  const node* host_users = get(spec, "hostUsers");
  if (!host_users || host_users->boolean()) return;
  constexpr const char* refused = "when `hostUsers` is false";
  if (flag(spec, "hostNetwork")) errors.forbidden(at.child("hostNetwork"), refused);
  if (flag(spec, "hostPID")) errors.forbidden(at.child("HostPID"), refused);
  if (flag(spec, "hostIPC")) errors.forbidden(at.child("HostIPC"), refused);
  each_container(spec, at, [&](const node& c, const path& here) {
    if (count(&c, "volumeDevices") > 0) errors.forbidden(here.child("volumeDevices"), refused);
  });
}

void check_host_name_override(error_list& errors, const path& spec_path, const node* spec) {
  const node* name = get(spec, "hostnameOverride");
  if (!name) return;
  const path at = spec_path.child("hostnameOverride");
  if (flag(spec, "setHostnameAsFQDN")) errors.forbidden(at, "may not be specified when setHostnameAsFQDN is true");
  if (flag(spec, "hostNetwork")) errors.forbidden(at, "may not be specified when hostNetwork is true");
  if (name->string().size() > 64) errors.too_long(at, 64);
  errors.invalid(at, name->string(), dns1123_subdomain(name->string()));
}

void check_names(error_list& errors, const path& at, const node* spec) {
  const auto check = [&](std::string_view field, messages (*rule)(std::string_view)) {
    const auto value = text(spec, field);
    if (!value.empty()) errors.invalid(at.child(field), value, rule(value));
  };
  check("serviceAccountName", dns1123_subdomain);
  check("nodeName", dns1123_subdomain);
  if (const node* deadline = get(spec, "activeDeadlineSeconds"))
    errors.invalid(at.child("activeDeadlineSeconds"), deadline->integer(),
                   in_range(deadline->integer(), 1, 2147483647));
  check("hostname", dns1123_label);
  check("subdomain", dns1123_label);
}

void check_host_aliases(error_list& errors, const path& at, const node* aliases) {
  each(aliases, [&](const node& alias, std::size_t i) {
    const path here = at.index(i);
    check_legacy_ip(errors, here.child("ip"), text(&alias, "ip"));
    const path names = here.child("hostnames");
    each(get(&alias, "hostnames"), [&](const node& name, std::size_t k) {
      errors.invalid(names.index(k), name.string(), dns1123_subdomain(name.string()));
    });
  });
}

void check_file_key_volumes(error_list& errors, const path& at, const node* spec) {
  each_container(spec, at, [&](const node& container, const path& here) {
    const path env = here.child("env");
    each(get(&container, "env"), [&](const node& variable, std::size_t i) {
      const node* reference = get(&variable, "valueFrom", "fileKeyRef");
      if (!reference) return;
      const auto wanted = text(reference, "volumeName");
      const node* found = nullptr;
      each(get(spec, "volumes"), [&](const node& v, std::size_t) {
        if (text(&v, "name") == wanted) found = &v;
      });
      const path place = env.index(i);
      if (!found)
        errors.not_found(place.child("valueFrom.fileKeyRef.volumeName"), wanted);
      else if (!has(found, "emptyDir"))
        errors.invalid(place.child("valueFrom.fileKeyRef.volumeName"), wanted,
                       "referenced volume must be of type emptyDir");
    });
  });
}

/// What comes after containers, policies and placement.
void check_rest(error_list& errors, const path& at, const pod_scope& scope) {
  const node* spec = scope.spec;
  check_names(errors, at, spec);
  check_tolerations(errors, at.child("tolerations"), get(spec, "tolerations"));
  check_host_aliases(errors, at.child("hostAliases"), get(spec, "hostAliases"));
  const auto priority_class = text(spec, "priorityClassName");
  if (!priority_class.empty())
    errors.invalid(at.child("priorityClassName"), priority_class, dns1123_subdomain(priority_class));
  if (const node* name = get(spec, "runtimeClassName"))
    errors.invalid(at.child("runtimeClassName"), name->string(), dns1123_subdomain(name->string()));
  if (const node* policy = get(spec, "preemptionPolicy"))
    check_choice(errors, at.child("preemptionPolicy"), policy->string(), {"PreemptLowerPriority", "Never"});
  const path overhead = at.child("overhead"), overhead_limits = overhead.child("limits");
  each_member(get(spec, "overhead"), [&](std::string_view name, const node& value) {
    check_resource_quantity(errors, overhead_limits.key(name), name, value);
  });
  check_os(errors, at, spec);
  check_file_key_volumes(errors, at, spec);
}

}  // namespace

void check_pod_spec(error_list& errors, const path& at, const node* spec, const node* metadata, bool whole_pod) {
  pod_scope scope;
  scope.metadata = metadata;
  scope.spec = spec;
  scope.whole_pod = whole_pod;
  scope.host_users = flag(spec, "hostUsers", true);
  scope.restart_policy = text(spec, "restartPolicy");
  scope.grace_period = get(spec, "terminationGracePeriodSeconds");
  if (!scope.grace_period) errors.required(at.child("terminationGracePeriodSeconds"));
  check_volumes(errors, at.child("volumes"), get(spec, "volumes"), scope);
  each(get(spec, "resourceClaims"), [&](const node& c, std::size_t) { scope.claims.push_back(text(&c, "name")); });
  check_resource_claims(errors, at.child("resourceClaims"), get(spec, "resourceClaims"));
  check_containers(errors, at.child("containers"), get(spec, "containers"), scope);
  check_init_containers(errors, at.child("initContainers"), get(spec, "initContainers"), scope);
  check_ephemeral_containers(errors, at.child("ephemeralContainers"), get(spec, "ephemeralContainers"), scope);
  check_pod_resources(errors, at, scope);
  check_host_network(errors, at, scope);
  check_choice(errors, at.child("restartPolicy"), scope.restart_policy, {"Always", "OnFailure", "Never"});
  check_choice(errors, at.child("dnsPolicy"), text(spec, "dnsPolicy"),
               {"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"});
  check_labels(errors, at.child("nodeSelector"), get(spec, "nodeSelector"));
  check_pod_security_context(errors, at.child("securityContext"), get(spec, "securityContext"), spec);
  check_affinity(errors, at.child("affinity"), get(spec, "affinity"));
  check_dns(errors, at.child("dnsConfig"), get(spec, "dnsConfig"), text(spec, "dnsPolicy"));
  check_gates(errors, at, spec);
  check_topology_spread(errors, at.child("topologySpreadConstraints"), get(spec, "topologySpreadConstraints"));
  check_host_users(errors, at, spec);
  check_host_name_override(errors, at, spec);
  check_rest(errors, at, scope);
}

void check_pod_template_spec(error_list& errors, const path& at, const node* spec_template) {
  const node* metadata = get(spec_template, "metadata");
  const node* spec = get(spec_template, "spec");
  check_labels(errors, at.child("labels"), get(metadata, "labels"));
  check_annotations(errors, at.child("annotations"), get(metadata, "annotations"));
  check_pod_annotations(errors, at.child("annotations"), get(metadata, "annotations"), spec);
  check_pod_spec(errors, at.child("spec"), spec, nullptr, false);
  if (count(spec, "ephemeralContainers") > 0)
    errors.forbidden(at.child("spec.ephemeralContainers"), "ephemeral containers not allowed in pod template");
}

}  // namespace troupe::api::rules
