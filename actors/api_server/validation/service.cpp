// Services.
#include <algorithm>
#include <string>
#include <vector>

#include "actors/api_server/validation/kinds.hpp"
#include "actors/api_server/validation/pod_rules.hpp"
#include "actors/api_server/validation/services.hpp"

namespace troupe::api::rules {
namespace {

constexpr const char* only_load_balancer = "may only be used when `type` is 'LoadBalancer'";

void check_external_name(error_list& errors, const path& at, const node* spec) {
  constexpr const char* refused = "may not be set for ExternalName services";
  if (count(spec, "clusterIPs") > 0) errors.forbidden(at.child("clusterIPs"), refused);
  if (count(spec, "ipFamilies") > 0) errors.forbidden(at.child("ipFamilies"), refused);
  if (has(spec, "ipFamilyPolicy")) errors.forbidden(at.child("ipFamilyPolicy"), refused);
  auto name = text(spec, "externalName");
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty())
    errors.required(at.child("externalName"));
  else
    errors.invalid(at.child("externalName"), name, dns1123_subdomain(name));
}

void check_port(error_list& errors, const path& at, const node& port, bool need_name,
                std::vector<std::string_view>& names) {
  const auto name = text(&port, "name"), protocol = text(&port, "protocol");
  if (need_name && name.empty()) {
    errors.required(at.child("name"));
  } else if (!name.empty()) {
    errors.invalid(at.child("name"), name, dns1123_label(name));
    if (std::find(names.begin(), names.end(), name) != names.end())
      errors.duplicate(at.child("name"), name);
    else
      names.push_back(name);
  }
  const auto number_of_port = number(&port, "port");
  errors.invalid(at.child("port"), number_of_port, port_number(number_of_port));
  if (protocol.empty())
    errors.required(at.child("protocol"));
  else if (!one_of(protocol, {"TCP", "UDP", "SCTP"}))
    errors.not_supported(at.child("protocol"), protocol, {"SCTP", "TCP", "UDP"});
  check_port_or_name(errors, at.child("targetPort"), get(&port, "targetPort"));
  if (const node* app = get(&port, "appProtocol"))
    errors.invalid(at.child("appProtocol"), app->string(), qualified_name(app->string()));
}

void check_affinity_timeout(error_list& errors, const path& at, const node* config) {
  constexpr const char* when = "when session affinity type is ClientIP";
  const node* client = get(config, "clientIP");
  const node* timeout = get(client, "timeoutSeconds");
  if (!config) return errors.required(at, when);
  if (!client) return errors.required(at.child("clientIP"), when);
  if (!timeout) return errors.required(at.child("clientIP.timeoutSeconds"), when);
  if (timeout->integer() <= 0 || timeout->integer() > 86400)
    errors.invalid(at.child("clientIP.timeoutSeconds"), timeout, "must be greater than 0 and less than 86400");
}

void check_session_affinity(error_list& errors, const path& at, const node* spec) {
  const auto affinity = text(spec, "sessionAffinity");
  if (affinity.empty())
    errors.required(at.child("sessionAffinity"));
  else if (!one_of(affinity, {"ClientIP", "None"}))
    errors.not_supported(at.child("sessionAffinity"), affinity, {"ClientIP", "None"});
  const node* config = get(spec, "sessionAffinityConfig");
  if (affinity == "ClientIP") check_affinity_timeout(errors, at.child("sessionAffinityConfig"), config);
  if (affinity == "None" && config)
    errors.forbidden(at.child("sessionAffinityConfig"), "must not be set when session affinity is None");
}

/// Ports must differ by (protocol, port) and (protocol, nodePort).
void check_unique_ports(error_list& errors, const path& list, const node* ports) {
  const auto clash = [&](std::size_t i, std::string_view field) {
    const node& port = ports->element(i);
    for (std::size_t k = 0; k < i; ++k)
      if (text(&ports->element(k), "protocol") == text(&port, "protocol") &&
          number(&ports->element(k), field) == number(&port, field))
        return true;
    return false;
  };
  each(ports, [&](const node& port, std::size_t i) {
    const path here = list.index(i);
    if (number(&port, "nodePort") != 0 && clash(i, "nodePort"))
      errors.duplicate(here.child("nodePort"), number(&port, "nodePort"));
  });
  each(ports, [&](const node& port, std::size_t i) {
    if (!clash(i, "port")) return;
    document key;
    key.make_object(key.root());
    key.set(key.root(), "Name", "");
    key.set(key.root(), "Protocol", text(&port, "protocol"));
    key.clear(key.set(key.root(), "AppProtocol"));
    key.set(key.root(), "Port", number(&port, "port"));
    key.set(key.root(), "TargetPort", 0);
    key.set(key.root(), "NodePort", 0);
    errors.duplicate(list.index(i), &key.root());
  });
}

void check_external_ips(error_list& errors, const path& at, const node* addresses) {
  each(addresses, [&](const node& ip, std::size_t i) {
    const auto before = errors.size();
    check_legacy_ip(errors, at.index(i), ip.string());
    if (errors.size() == before) check_endpoint_ip(errors, at.index(i), ip.string());
  });
}

std::string_view trimmed(std::string_view value) {
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  while (!value.empty() && value.back() == ' ') value.remove_suffix(1);
  return value;
}

void check_source_ranges(error_list& errors, const path& spec_path, const node* spec) {
  const node* ranges = get(spec, "loadBalancerSourceRanges");
  if (count(ranges) == 0) return;
  const path at = spec_path.child("LoadBalancerSourceRanges");
  if (text(spec, "type") != "LoadBalancer") errors.forbidden(at, only_load_balancer);
  each(ranges, [&](const node& r, std::size_t i) { check_legacy_cidr(errors, at.index(i), trimmed(r.string())); });
}

void check_load_balancer_class(error_list& errors, const path& spec_path, const node* spec) {
  const node* value = get(spec, "loadBalancerClass");
  if (!value) return;
  const path at = spec_path.child("loadBalancerClass");
  if (text(spec, "type") == "LoadBalancer")
    errors.invalid(at, value->string(), qualified_name(value->string()));
  else
    errors.forbidden(at, only_load_balancer);
}

void check_external_policy(error_list& errors, const path& at, const node* spec) {
  const auto policy = text(spec, "externalTrafficPolicy");
  if (!externally_accessible(spec)) {
    if (!policy.empty())
      errors.invalid(at.child("externalTrafficPolicy"), policy, "may only be set for externally-accessible services");
  } else if (policy.empty()) {
    errors.required(at.child("externalTrafficPolicy"));
  } else if (!one_of(policy, {"Cluster", "Local"})) {
    errors.not_supported(at.child("externalTrafficPolicy"), policy, {"Cluster", "Local"});
  }
  const auto port = number(spec, "healthCheckNodePort");
  if (!needs_health_check(spec)) {
    if (port != 0)
      errors.invalid(at.child("healthCheckNodePort"), port,
                     "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
  } else if (port == 0) {
    errors.required(at.child("healthCheckNodePort"));
  } else {
    errors.invalid(at.child("healthCheckNodePort"), port, port_number(port));
  }
}

void check_internal_policy(error_list& errors, const path& at, const node* spec) {
  const node* policy = get(spec, "internalTrafficPolicy");
  if (!policy && one_of(text(spec, "type"), {"NodePort", "LoadBalancer", "ClusterIP"}))
    errors.required(at.child("internalTrafficPolicy"));
  if (policy && !one_of(policy->string(), {"Cluster", "Local"}))
    errors.not_supported(at.child("internalTrafficPolicy"), policy->string(), {"Cluster", "Local"});
  const node* distribution = get(spec, "trafficDistribution");
  if (distribution && !one_of(distribution->string(), {"PreferClose", "PreferSameZone", "PreferSameNode"}))
    errors.not_supported(at.child("trafficDistribution"), distribution->string(),
                         {"PreferClose", "PreferSameZone", "PreferSameNode"});
}

void check_type(error_list& errors, const path& at, const node* spec) {
  const auto type = text(spec, "type");
  if (type.empty())
    errors.required(at.child("type"));
  else if (!one_of(type, {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"}))
    errors.not_supported(at.child("type"), type, {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"});
  if (type != "ClusterIP") return;
  const path list = at.child("ports");
  each(get(spec, "ports"), [&](const node& port, std::size_t i) {
    const path here = list.index(i);
    if (number(&port, "nodePort") != 0)
      errors.forbidden(here.child("nodePort"), "may not be used when `type` is 'ClusterIP'");
  });
}

void spec_service(error_list& errors, const node& object) {
  const path at("spec");
  const node* spec = get(&object, "spec");
  const auto type = text(spec, "type");
  const bool headless = is_headless(spec);
  const node* ports = get(spec, "ports");
  const path list = at.child("ports"), ips = at.child("clusterIPs");
  if (count(ports) == 0 && !headless && type != "ExternalName") errors.required(list);
  if (headless && (type == "LoadBalancer" || type == "NodePort"))
    errors.invalid(ips.index(0), "None", "may not be set to 'None' for " + std::string(type) + " services");
  if (type == "ExternalName") check_external_name(errors, at, spec);
  std::vector<std::string_view> names;
  each(ports,
       [&](const node& port, std::size_t i) { check_port(errors, list.index(i), port, count(ports) > 1, names); });
  check_labels(errors, at.child("selector"), get(spec, "selector"));
  check_session_affinity(errors, at, spec);
  check_cluster_ips(errors, at, spec);
  check_external_ips(errors, at.child("externalIPs"), get(spec, "externalIPs"));
  check_type(errors, at, spec);
  check_unique_ports(errors, list, ports);
  check_source_ranges(errors, at, spec);
  if (has(spec, "allocateLoadBalancerNodePorts") && type != "LoadBalancer")
    errors.forbidden(at.child("allocateLoadBalancerNodePorts"), only_load_balancer);
  if (!has(spec, "allocateLoadBalancerNodePorts") && type == "LoadBalancer")
    errors.required(path("allocateLoadBalancerNodePorts"));
  check_load_balancer_class(errors, at, spec);
  check_external_policy(errors, at, spec);
  check_internal_policy(errors, at, spec);
}

void update_service(error_list& errors, const node& object, const node& previous) {
  const path at("spec");
  const node *spec = get(&object, "spec"), *before = get(&previous, "spec");
  check_cluster_ip_change(errors, at, spec, before);
  const bool both = text(spec, "type") == "LoadBalancer" && text(before, "type") == "LoadBalancer";
  if (both && !same(get(spec, "loadBalancerClass"), get(before, "loadBalancerClass")))
    errors.invalid(at.child("loadBalancerClass"), get(spec, "loadBalancerClass"), "may not change once set");
  if (needs_health_check(before) && needs_health_check(spec) &&
      number(before, "healthCheckNodePort") != number(spec, "healthCheckNodePort"))
    errors.forbidden(at.child("healthCheckNodePort"), immutable_message);
  spec_service(errors, object);
}

void check_ingress(error_list& errors, const path& at, const node& ingress) {
  const auto ip = text(&ingress, "ip"), host = text(&ingress, "hostname");
  const node* mode = get(&ingress, "ipMode");
  if (!ip.empty()) check_legacy_ip(errors, at.child("ip"), ip);
  if (!mode && !ip.empty())
    errors.required(at.child("ipMode"), "must be specified when `ip` is set");
  else if (mode && ip.empty())
    errors.forbidden(at.child("ipMode"), "may not be specified when `ip` is not set");
  else if (mode && !one_of(mode->string(), {"Proxy", "VIP"}))
    errors.not_supported(at.child("ipMode"), mode->string(), {"Proxy", "VIP"});
  if (host.empty()) return;
  errors.invalid(at.child("hostname"), host, dns1123_subdomain(host));
  if (parse_ip(host).valid) errors.invalid(at.child("hostname"), host, "must be a DNS name, not an IP address");
}

void status_service(error_list& errors, const node& object, const node&) {
  const path list("status.loadBalancer.ingress");
  const node* ingress = get(&object, "status", "loadBalancer", "ingress");
  if (text(get(&object, "spec"), "type") != "LoadBalancer") {
    if (count(ingress) > 0) errors.forbidden(list, "may only be used when `spec.type` is 'LoadBalancer'");
    return;
  }
  each(ingress, [&](const node& entry, std::size_t i) { check_ingress(errors, list.index(i), entry); });
}

void check_endpoint_address(error_list& errors, const path& at, const node& address) {
  const auto ip = text(&address, "ip"), host = text(&address, "hostname");
  check_legacy_ip(errors, at.child("ip"), ip);
  if (!host.empty()) errors.invalid(at.child("hostname"), host, dns1123_label(host));
  if (const node* name = get(&address, "nodeName"))
    errors.invalid(at.child("nodeName"), name->string(), dns1123_subdomain(name->string()));
  check_endpoint_ip(errors, at.child("ip"), ip);
}

void check_endpoint_port(error_list& errors, const path& at, const node& port, bool need_name) {
  const auto name = text(&port, "name"), protocol = text(&port, "protocol");
  if (need_name && name.empty())
    errors.required(at.child("name"));
  else if (!name.empty())
    errors.invalid(at.child("name"), name, dns1123_label(name));
  errors.invalid(at.child("port"), number(&port, "port"), port_number(number(&port, "port")));
  if (protocol.empty())
    errors.required(at.child("protocol"));
  else if (!one_of(protocol, {"TCP", "UDP", "SCTP"}))
    errors.not_supported(at.child("protocol"), protocol, {"SCTP", "TCP", "UDP"});
  if (const node* app = get(&port, "appProtocol"))
    errors.invalid(at.child("appProtocol"), app->string(), qualified_name(app->string()));
}

void spec_endpoints(error_list& errors, const node& object) {
  const path subsets("subsets");
  each(get(&object, "subsets"), [&](const node& subset, std::size_t i) {
    const path here = subsets.index(i);
    if (count(&subset, "addresses") == 0 && count(&subset, "notReadyAddresses") == 0)
      errors.required(here, "must specify `addresses` or `notReadyAddresses`");
    for (std::string_view field : {"addresses", "notReadyAddresses"}) {
      const path list = here.child(field);
      each(get(&subset, field),
           [&](const node& address, std::size_t k) { check_endpoint_address(errors, list.index(k), address); });
    }
    const path ports = here.child("ports");
    const node* list = get(&subset, "ports");
    each(list,
         [&](const node& port, std::size_t k) { check_endpoint_port(errors, ports.index(k), port, count(list) > 1); });
  });
}

}  // namespace

bool is_headless(const node* spec) {
  const node* ips = get(spec, "clusterIPs");
  return count(ips) == 1 && ips->element(0).string() == "None";
}

bool externally_accessible(const node* spec) {
  const auto type = text(spec, "type");
  return type == "LoadBalancer" || type == "NodePort" || (type == "ClusterIP" && count(spec, "externalIPs") > 0);
}

bool needs_health_check(const node* spec) {
  return text(spec, "type") == "LoadBalancer" && text(spec, "externalTrafficPolicy") == "Local";
}

void check_endpoint_ip(error_list& errors, const path& at, std::string_view value) {
  const auto ip = parse_ip(value);
  if (!ip.valid) return errors.invalid(at, value, "must be a valid IP address");
  if (ip.unspecified()) errors.invalid(at, value, "may not be unspecified (" + std::string(value) + ")");
  if (ip.loopback()) errors.invalid(at, value, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
  if (ip.link_local_unicast())
    errors.invalid(at, value, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
  if (ip.link_local_multicast())
    errors.invalid(at, value, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
}

const kind_rules service_kinds[] = {
    {.type = "core/v1.Service",
     .name = name_is_label,
     .spec = spec_service,
     .update = update_service,
     .status = status_service,
     .spec_only_on_create = true},
    {.type = "core/v1.Endpoints", .spec = spec_endpoints},
    {.type = nullptr},
};

}  // namespace troupe::api::rules
