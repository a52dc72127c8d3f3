// Rows of Services, Endpoints, EndpointSlices and Ingresses.
#include <set>

#include "actors/api_server/printers/rows.hpp"

namespace troupe::api {
inline namespace printing_detail {

namespace {

std::string load_balancer_text(const node& object) {
  std::set<std::string, std::less<>> addresses;
  for (const node& ingress : elements_of(object.find("status", "loadBalancer", "ingress"))) {
    std::string_view address = or_else(text_at(ingress, "ip"), text_at(ingress, "hostname"));
    if (!address.empty()) addresses.emplace(address);
  }
  return join({addresses.begin(), addresses.end()}, ",");
}

std::string external_ip(const node& service) {
  std::string_view type = text_at(service, "spec", "type");
  std::vector<std::string> external;
  for (const node& address : elements_of(service.find("spec", "externalIPs"))) external.emplace_back(address.string());
  if (type == "ClusterIP" || type == "NodePort") return external.empty() ? "<none>" : join(external, ",");
  if (type == "ExternalName") return std::string(text_at(service, "spec", "externalName"));
  if (type != "LoadBalancer") return "<unknown>";
  std::string balanced = load_balancer_text(service);
  if (external.empty()) return balanced.empty() ? "<pending>" : balanced;
  if (!balanced.empty()) external.insert(external.begin(), balanced);
  return join(external, ",");
}

std::string service_ports(const node& service) {
  std::vector<std::string> ports;
  for (const node& port : elements_of(service.find("spec", "ports"))) {
    std::string text = std::to_string(number_at(port, "port"));
    if (auto node_port = number_at(port, "nodePort"); node_port > 0) text += ":" + std::to_string(node_port);
    ports.push_back(text + "/" + std::string(text_at(port, "protocol")));
  }
  return ports.empty() ? "<none>" : join(ports, ",");
}

std::string host_port(std::string_view host, std::int64_t port) {
  bool v6 = host.find(':') != std::string_view::npos;
  return (v6 ? "[" + std::string(host) + "]" : std::string(host)) + ":" + std::to_string(port);
}

std::string_view unset_if_empty(std::string_view text) { return text.empty() ? "<unset>" : text; }

std::string ingress_hosts(const node& ingress) {
  std::vector<std::string> hosts;
  for (const node& rule : elements_of(ingress.find("spec", "rules")))
    if (std::string_view host = text_at(rule, "host"); !host.empty()) hosts.emplace_back(host);
  return hosts.empty() ? "*" : join_some(hosts);
}

}  // namespace

void print_service(table_row& out, const node& service) {
  const node* addresses = service.find("spec", "clusterIPs");
  std::string_view address = addresses && !addresses->empty() ? addresses->element(0).string() : "<none>";
  out.name_of(service).text(text_at(service, "spec", "type")).text(address).text(external_ip(service));
  out.text(service_ports(service)).age_of(service).text(labels_text(service.find("spec", "selector")));
}

void print_endpoints(table_row& out, const node& endpoints) {
  std::vector<std::string> list;
  for (const node& subset : elements_of(endpoints.find("subsets"))) {
    const node* addresses = subset.find("addresses");
    if (size_at(subset, "ports") == 0)
      for (const node& address : elements_of(addresses)) list.emplace_back(text_at(address, "ip"));
    for (const node& port : elements_of(subset.find("ports")))
      for (const node& address : elements_of(addresses))
        list.push_back(host_port(text_at(address, "ip"), number_at(port, "port")));
  }
  bool none = size_at(endpoints, "subsets") == 0;
  out.name_of(endpoints).text(none ? "<none>" : join_some(list)).age_of(endpoints);
}

void print_endpoint_slice(table_row& out, const node& slice) {
  std::vector<std::string> ports, addresses;
  for (const node& port : elements_of(slice.find("ports"))) {
    std::string text = scalar_text(port.find("port"));
    if (text.empty()) text = is_set(port.find("name")) ? text_at(port, "name") : "*";
    ports.push_back(std::move(text));
  }
  for (const node& endpoint : elements_of(slice.find("endpoints")))
    for (const node& address : elements_of(endpoint.find("addresses"))) addresses.emplace_back(address.string());
  out.name_of(slice).text(text_at(slice, "addressType")).text(unset_if_empty(join_some(ports)));
  out.text(unset_if_empty(join_some(addresses))).age_of(slice);
}

void print_ingress(table_row& out, const node& ingress) {
  std::string_view class_name = or_else(text_at(ingress, "spec", "ingressClassName"),
                                        text_at(ingress, "metadata", "annotations", "kubernetes.io/ingress.class"));
  out.name_of(ingress).text(or_else(class_name, "<none>")).text(ingress_hosts(ingress));
  out.text(load_balancer_text(ingress)).text(size_at(ingress, "spec", "tls") ? "80, 443" : "80").age_of(ingress);
}

}  // namespace printing_detail
}  // namespace troupe::api
