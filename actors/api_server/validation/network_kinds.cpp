// EndpointSlices, Ingresses, IngressClasses, NetworkPolicies, IPAddresses.
#include <algorithm>
#include <string>
#include <vector>

#include "actors/api_server/validation/kinds.hpp"
#include "actors/api_server/validation/pod_rules.hpp"
#include "actors/api_server/validation/services.hpp"

namespace troupe::api::rules {
namespace {

// EndpointSlice

void check_slice_address(error_list& errors, const path& list, std::size_t i, std::string_view address,
                         std::string_view type) {
  const path here = list.index(i);
  if (type == "FQDN") return errors.invalid(here, address, dns1123_subdomain(address));
  if (type != "IPv4" && type != "IPv6") return;
  const auto before = errors.size();
  if (type == "IPv4")
    check_legacy_ip(errors, here, address);
  else
    check_ip(errors, here, address);
  if (errors.size() != before) return;
  if (parse_ip(address).v4 != (type == "IPv4"))
    errors.invalid(list, address, type == "IPv4" ? "must be an IPv4 address" : "must be an IPv6 address");
  check_endpoint_ip(errors, here, address);
}

void check_slice_endpoint(error_list& errors, const path& at, const node& endpoint, std::string_view type) {
  const path list = at.child("addresses");
  const node* addresses = get(&endpoint, "addresses");
  if (count(addresses) == 0) errors.required(list, "must contain at least 1 address");
  if (count(addresses) > 100) errors.too_many(list, static_cast<std::int64_t>(count(addresses)), 100);
  each(addresses, [&](const node& a, std::size_t i) { check_slice_address(errors, list, i, a.string(), type); });
  if (const node* name = get(&endpoint, "nodeName"))
    errors.invalid(at.child("nodeName"), name->string(), dns1123_subdomain(name->string()));
  check_labels(errors, at.child("deprecatedTopology"), get(&endpoint, "deprecatedTopology"));
  if (const node* name = get(&endpoint, "hostname"))
    errors.invalid(at.child("hostname"), name->string(), dns1123_label(name->string()));
}

void check_slice_ports(error_list& errors, const node* ports) {
  const path list("ports");
  std::vector<std::string_view> names;
  each(ports, [&](const node& port, std::size_t i) {
    const path here = list.index(i);
    const auto name = text(&port, "name");
    if (!name.empty()) errors.invalid(here.child("name"), name, dns1123_label(name));
    if (std::find(names.begin(), names.end(), name) != names.end())
      errors.duplicate(here.child("name"), name);
    else
      names.push_back(name);
    const node* protocol = get(&port, "protocol");
    if (!protocol)
      errors.required(here.child("protocol"));
    else if (!one_of(protocol->string(), {"TCP", "UDP", "SCTP"}))
      errors.not_supported(here.child("protocol"), protocol->string(), {"SCTP", "TCP", "UDP"});
    if (const node* app = get(&port, "appProtocol"))
      errors.invalid(here.child("appProtocol"), app->string(), qualified_name(app->string()));
  });
}

void spec_endpoint_slice(error_list& errors, const node& object) {
  const auto type = text(&object, "addressType");
  if (type.empty())
    errors.required(path("addressType"));
  else if (!one_of(type, {"IPv4", "IPv6", "FQDN"}))
    errors.not_supported(path("addressType"), type, {"FQDN", "IPv4", "IPv6"});
  check_slice_ports(errors, get(&object, "ports"));
  const path list("endpoints");
  const node* endpoints = get(&object, "endpoints");
  if (count(endpoints) > 1000) return errors.too_many(list, static_cast<std::int64_t>(count(endpoints)), 1000);
  each(endpoints, [&](const node& e, std::size_t i) { check_slice_endpoint(errors, list.index(i), e, type); });
}

void update_endpoint_slice(error_list& errors, const node& object, const node& previous) {
  check_immutable(errors, path("addressType"), get(&object, "addressType"), get(&previous, "addressType"));
}

// Ingress

void check_backend(error_list& errors, const path& at, const node* backend) {
  const node *service = get(backend, "service"), *resource = get(backend, "resource");
  if (service && resource) return errors.invalid(at, "", "cannot set both resource and service backends");
  if (!service && !resource) return errors.required(at, "resource or service backend is required");
  if (!service) return;
  const auto name = text(service, "name"), port = text(get(service, "port"), "name");
  const path place = at.child("service");
  if (name.empty())
    errors.required(place.child("name"));
  else
    errors.invalid(place.child("name"), name, dns1123_label(name));
  const auto value = number(get(service, "port"), "number");
  if (!port.empty() && value != 0)
    errors.invalid(at, "", "cannot set both port name & port number");
  else if (!port.empty())
    errors.invalid(place.child("port.name"), port, port_name(port));
  else if (value != 0)
    errors.invalid(place.child("port.number"), value, port_number(value));
  else
    errors.required(at, "port name or number is required");
}

void check_path(error_list& errors, const path& at, const node& entry) {
  const node* type = get(&entry, "pathType");
  const auto where = text(&entry, "path");
  if (!type) return errors.required(at.child("pathType"), "pathType must be specified");
  if (type->string() == "Exact" || type->string() == "Prefix") {
    if (!where.starts_with('/')) errors.invalid(at.child("path"), where, "must be an absolute path");
    for (std::string_view bad : {"//", "/./", "/../", "%2f", "%2F"})
      if (where.find(bad) != std::string_view::npos)
        errors.invalid(at.child("path"), where, "must not contain '" + std::string(bad) + "'");
    for (std::string_view bad : {"/..", "/."})
      if (where.ends_with(bad)) errors.invalid(at.child("path"), where, "cannot end with '" + std::string(bad) + "'");
  } else if (type->string() == "ImplementationSpecific") {
    if (!where.empty() && !where.starts_with('/')) errors.invalid(at.child("path"), where, "must be an absolute path");
  } else {
    errors.not_supported(at.child("pathType"), type->string(), {"Exact", "ImplementationSpecific", "Prefix"});
  }
  check_backend(errors, at.child("backend"), get(&entry, "backend"));
}

void check_host(error_list& errors, const path& at, std::string_view host) {
  if (parse_ip(host).valid) errors.invalid(at, host, "must be a DNS name, not an IP address");
  const bool wildcard = host.find('*') != std::string_view::npos;
  errors.invalid(at, host, wildcard ? wildcard_dns1123_subdomain(host) : dns1123_subdomain(host));
}

void check_ingress_rules(error_list& errors, const path& list, const node* rules) {
  each(rules, [&](const node& rule, std::size_t i) {
    const path here = list.index(i);
    const auto host = text(&rule, "host");
    if (!host.empty()) check_host(errors, here.child("host"), host);
    const node* http = get(&rule, "http");
    if (!http) return;
    const path paths = here.child("http.paths");
    if (count(http, "paths") == 0) errors.required(paths);
    each(get(http, "paths"), [&](const node& entry, std::size_t k) { check_path(errors, paths.index(k), entry); });
  });
}

void spec_ingress(error_list& errors, const node& object) {
  const path at("spec");
  const node* spec = get(&object, "spec");
  const node *rules = get(spec, "rules"), *backend = get(spec, "defaultBackend");
  if (count(rules) == 0 && !backend)
    errors.invalid_json(at, rules ? "[]" : "null", "either `defaultBackend` or `rules` must be specified");
  if (backend) check_backend(errors, at.child("defaultBackend"), backend);
  check_ingress_rules(errors, at.child("rules"), rules);
  const path tls = at.child("tls");
  each(get(spec, "tls"), [&](const node& entry, std::size_t i) {
    const path here = tls.index(i);
    const path hosts = here.child("hosts");
    each(get(&entry, "hosts"), [&](const node& host, std::size_t k) {
      const bool wildcard = host.string().find('*') != std::string_view::npos;
      errors.invalid(hosts.index(k), host.string(),
                     wildcard ? wildcard_dns1123_subdomain(host.string()) : dns1123_subdomain(host.string()));
    });
    const auto secret = text(&entry, "secretName");
    if (!secret.empty()) errors.invalid(here.child("secretName"), secret, dns1123_subdomain(secret));
  });
  if (const node* name = get(spec, "ingressClassName"))
    errors.invalid(at.child("ingressClassName"), name->string(), dns1123_subdomain(name->string()));
}

void spec_ingress_class(error_list& errors, const node& object) {
  const path at("spec");
  const node* spec = get(&object, "spec");
  const auto controller = text(spec, "controller");
  if (controller.size() > 250) errors.too_long(at.child("controller"), 250);
  const auto slash = controller.find('/');
  if (controller.empty())
    errors.required(at.child("controller"));
  else if (slash == std::string_view::npos || slash == 0 || slash + 1 == controller.size())
    errors.invalid(at.child("controller"), controller, "must be a domain-prefixed path (such as \"acme.io/foo\")");
  else
    errors.invalid(at.child("controller"), controller.substr(0, slash), dns1123_subdomain(controller.substr(0, slash)));
}

void update_ingress_class(error_list& errors, const node& object, const node& previous) {
  check_immutable(errors, path("spec.controller"), get(&object, "spec", "controller"),
                  get(&previous, "spec", "controller"));
}

// NetworkPolicy

void check_policy_port(error_list& errors, const path& at, const node& entry) {
  const node *protocol = get(&entry, "protocol"), *port = get(&entry, "port"), *end = get(&entry, "endPort");
  if (protocol && !one_of(protocol->string(), {"TCP", "UDP", "SCTP"}))
    errors.not_supported(at.child("protocol"), protocol->string(), {"TCP", "UDP", "SCTP"});
  if (!port) {
    if (end) errors.invalid(at.child("endPort"), end->integer(), "may not be specified when `port` is not specified");
  } else if (port->is_string()) {
    if (end) errors.invalid(at.child("endPort"), end->integer(), "may not be specified when `port` is non-numeric");
    errors.invalid(at.child("port"), port->string(), port_name(port->string()));
  } else {
    errors.invalid(at.child("port"), port->integer(), port_number(port->integer()));
    if (end && end->integer() < port->integer())
      errors.invalid(at.child("endPort"), port->integer(), "must be greater than or equal to `port`");
    if (end) errors.invalid(at.child("endPort"), end->integer(), port_number(end->integer()));
  }
}

void check_ip_block(error_list& errors, const path& at, const node* block) {
  const auto cidr = text(block, "cidr");
  if (cidr.empty()) return errors.required(at.child("cidr"));
  check_legacy_cidr(errors, at.child("cidr"), cidr);
  const path list = at.child("except");
  each(get(block, "except"),
       [&](const node& e, std::size_t i) { check_legacy_cidr(errors, list.index(i), e.string()); });
}

void check_peer(error_list& errors, const path& at, const node& peer) {
  const node *pods = get(&peer, "podSelector"), *spaces = get(&peer, "namespaceSelector"),
             *block = get(&peer, "ipBlock");
  check_label_selector(errors, at.child("podSelector"), pods);
  check_label_selector(errors, at.child("namespaceSelector"), spaces);
  if (block) check_ip_block(errors, at.child("ipBlock"), block);
  if (!pods && !spaces && !block) errors.required(at, "must specify a peer");
  if (block && (pods || spaces)) errors.forbidden(at, "may not specify both ipBlock and another peer");
}

void spec_network_policy(error_list& errors, const node& object) {
  const path at("spec");
  const node* spec = get(&object, "spec");
  check_label_selector(errors, at.child("podSelector"), get(spec, "podSelector"));
  for (std::string_view direction : {"ingress", "egress"}) {
    const path list = at.child(direction);
    const std::string_view peers = direction == "ingress" ? "from" : "to";
    each(get(spec, direction), [&](const node& rule, std::size_t i) {
      const path here = list.index(i);
      const path ports = here.child("ports"), peer_list = here.child(peers);
      each(get(&rule, "ports"), [&](const node& p, std::size_t k) { check_policy_port(errors, ports.index(k), p); });
      each(get(&rule, peers), [&](const node& p, std::size_t k) { check_peer(errors, peer_list.index(k), p); });
    });
  }
  const path types = at.child("policyTypes");
  const node* list = get(spec, "policyTypes");
  if (count(list) > 2) return errors.invalid(types, list, "may not specify more than two policyTypes");
  each(list, [&](const node& type, std::size_t i) {
    if (!one_of(type.string(), {"Ingress", "Egress"}))
      errors.not_supported(types.index(i), type.string(), {"Ingress", "Egress"});
  });
}

void spec_ip_address(error_list& errors, const node& object) {
  check_ip(errors, path("metadata.name"), text(get(&object, "metadata"), "name"));
  const node* parent = get(&object, "spec", "parentRef");
  if (!parent) return errors.required(path("spec.parentRef"));
  for (std::string_view field : {"resource", "name"})
    if (text(parent, field).empty()) {
      const path at("spec.parentRef");
      errors.required(at.child(field));
    }
}

}  // namespace

const kind_rules network_kinds[] = {
    {.type = "discovery/v1.EndpointSlice", .spec = spec_endpoint_slice, .update = update_endpoint_slice},
    {.type = "networking/v1.Ingress", .spec = spec_ingress},
    {.type = "networking/v1.IngressClass", .spec = spec_ingress_class, .update = update_ingress_class},
    {.type = "networking/v1.NetworkPolicy", .spec = spec_network_policy},
    {.type = "networking/v1.IPAddress", .name = name_is_anything, .spec = spec_ip_address},
    {.type = nullptr},
};

}  // namespace troupe::api::rules
