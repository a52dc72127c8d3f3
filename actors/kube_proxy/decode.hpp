// Reads what the proxy decides by from the API objects.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/kube_proxy/types.hpp"
#include "messages/document.hpp"
#include "messages/object.hpp"

namespace troupe::kube_proxy {

/// A Service; nothing for one that is not proxied: headless, ExternalName, without an IPv4 cluster address, or kept by
/// another proxy (label service.kubernetes.io/service-proxy-name). `nodes`: names of the nodes of this machine.
std::optional<service_info> decode_service(const object& service, const std::vector<std::string>& nodes = {});
/// An EndpointSlice; nothing for one that is not of IPv4 addresses or belongs to no Service.
std::optional<slice_info> decode_slice(const object& slice, const std::vector<std::string>& nodes);

/// "10.1.2.3"; nothing when the text is not an IPv4 address.
std::optional<address> parse_address(std::string_view text);
/// "10.1.0.0/16".
std::optional<address_range> parse_range(std::string_view text);
std::string to_text(address ip);

}  // namespace troupe::kube_proxy
