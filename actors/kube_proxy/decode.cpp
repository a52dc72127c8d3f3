// From core/v1 Service and discovery/v1 EndpointSlice to the proxy's records.
#include "actors/kube_proxy/decode.hpp"

#include <algorithm>

#include <arpa/inet.h>

#include "messages/cloud.hpp"
#include "messages/number.hpp"
#include "messages/views/core_v1.hpp"
#include "messages/views/discovery_v1.hpp"

namespace troupe::kube_proxy {
namespace {

constexpr std::string_view proxy_name_label = "service.kubernetes.io/service-proxy-name";
constexpr std::uint32_t default_affinity_seconds = 10800;  // core/v1 DefaultClientIPServiceAffinitySeconds

std::uint8_t protocol_of(std::string_view name) { return name == "UDP" ? udp : name == "SCTP" ? sctp : tcp; }

std::uint16_t port_of(std::int64_t number) {
  return number > 0 && number < 65536 ? static_cast<std::uint16_t>(number) : std::uint16_t{0};
}

address cluster_address(const core_v1::service_spec_view& spec) {
  for (auto text : spec.cluster_ips())
    if (auto ip = parse_address(text)) return *ip;
  return parse_address(spec.cluster_ip()).value_or(0);
}

void read_balancer(const core_v1::service_view& service, service_info& out) {
  for (auto ingress : service.status().load_balancer().ingress())
    if (auto ip = parse_address(ingress.ip()); ip && ingress.ip_mode() != "Proxy") out.balancer_ips.push_back(*ip);
  for (auto text : service.spec().load_balancer_source_ranges())
    if (auto range = parse_range(text)) out.source_ranges.push_back(*range);
}

}  // namespace

std::optional<address> parse_address(std::string_view text) {
  in_addr parsed{};
  if (inet_pton(AF_INET, std::string(text).c_str(), &parsed) != 1) return std::nullopt;
  return ntohl(parsed.s_addr);
}

std::optional<address_range> parse_range(std::string_view text) {
  auto slash = text.find('/');
  auto base = parse_address(text.substr(0, slash));
  if (slash == std::string_view::npos || !base) return std::nullopt;
  const auto bits = number_in<unsigned>(text.substr(slash + 1));
  if (!bits || *bits > 32) return std::nullopt;
  auto mask = *bits == 0 ? 0u : ~0u << (32 - *bits);
  return address_range{*base & mask, static_cast<std::uint8_t>(*bits)};
}

std::string to_text(address ip) {
  in_addr raw{htonl(ip)};
  char text[INET_ADDRSTRLEN];
  return inet_ntop(AF_INET, &raw, text, sizeof text);
}

std::optional<service_info> decode_service(const object& service, const std::vector<std::string>& nodes) {
  if (service.label(proxy_name_label)) return std::nullopt;
  auto content = document::parse(service.json.view());
  if (!content) return std::nullopt;
  core_v1::service_view view(*content);
  auto spec = view.spec();
  service_info out;
  out.cluster_ip = cluster_address(spec);
  if (spec.type() == "ExternalName" || out.cluster_ip == 0) return std::nullopt;
  out.key = std::string(service.namespace_name) + "/" + std::string(service.name);
  for (auto text : spec.external_ips())
    if (auto ip = parse_address(text)) out.external_ips.push_back(*ip);
  read_balancer(view, out);
  for (auto [key, value] : view.metadata().annotations())
    if (key == cloud::announcer_annotation) out.announced = std::find(nodes.begin(), nodes.end(), value) != nodes.end();
  out.internal_local = spec.internal_traffic_policy() == "Local";
  out.external_local = spec.external_traffic_policy() == "Local";
  if (spec.session_affinity() == "ClientIP")
    out.affinity_seconds = static_cast<std::uint32_t>(
        spec.session_affinity_config().client_ip().timeout_seconds(default_affinity_seconds));
  for (auto port : spec.ports())
    out.ports.push_back(
        {std::string(port.name()), protocol_of(port.protocol()), port_of(port.port()), port_of(port.node_port())});
  return out;
}

std::optional<slice_info> decode_slice(const object& slice, const std::vector<std::string>& nodes) {
  const auto* service = slice.label("kubernetes.io/service-name");
  auto content = document::parse(slice.json.view());
  if (!service || service->empty() || !content) return std::nullopt;
  discovery_v1::endpoint_slice_view view(*content);
  if (view.address_type() != "IPv4") return std::nullopt;
  slice_info out;
  out.key = std::string(slice.namespace_name) + "/" + std::string(slice.name);
  out.service = std::string(slice.namespace_name) + "/" + std::string(*service);
  for (auto port : view.ports())
    if (auto number = port_of(port.port()))
      out.ports.push_back({std::string(port.name()), protocol_of(port.protocol()), number});
  for (auto endpoint : view.endpoints()) {
    // All addresses of an endpoint are the same pod: consumers use the first (discovery/v1 Endpoint.addresses).
    std::optional<address> ip;
    for (auto text : endpoint.addresses()) {
      ip = parse_address(text);
      break;
    }
    if (!ip) continue;
    auto conditions = endpoint.conditions();
    endpoint_info one;
    one.ip = *ip;
    one.ready = conditions.ready(true);
    one.serving = conditions.serving(one.ready);
    one.terminating = conditions.terminating(false);
    one.local = std::find(nodes.begin(), nodes.end(), endpoint.node_name()) != nodes.end();
    out.endpoints.push_back(one);
  }
  return out;
}

}  // namespace troupe::kube_proxy
