// What the slices of one Service should hold.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "actors/controller_manager/common/selector.hpp"
#include "messages/controller.hpp"
#include "messages/object.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::controllers {

/// A port as a slice names it.
struct slice_port {
  std::string name, protocol, app_protocol;
  std::int64_t port = 0;
  auto operator<=>(const slice_port&) const = default;
};

/// One pod behind the Service.
struct slice_endpoint {
  std::string address, hostname, node_name, zone, pod_name, pod_namespace, pod_uid;
  bool ready = false, serving = false, terminating = false;
};

/// Endpoints that share their ports: pods may resolve a named port differently.
struct endpoint_group {
  std::vector<slice_port> ports;
  std::vector<slice_endpoint> endpoints;  // sorted by address
};

/// The pod as an endpoint of the Service for the address family ("IPv4", "IPv6"); false when it is none (finished, or
/// without address).
bool endpoint_of(const core_v1::pod_view& pod, const core_v1::service_view& service, std::string_view family,
                 slice_endpoint& out);
/// The Service's ports as this pod serves them; named target ports that it lacks are left out.
std::vector<slice_port> ports_of(const core_v1::pod_view& pod, const core_v1::service_view& service);

/// All pods that the selector matches and `counts` accepts, grouped by equal ports and sorted by address.
std::map<std::vector<slice_port>, std::vector<slice_endpoint>> endpoints_by_ports(
    const core_v1::service_view& service, const object& of, const label_matcher& selector, std::string_view family,
    const controller::caches::object_map& pods, const std::function<bool(const slice_endpoint&)>& counts);

/// The JSON of a slice. `name` empty: a new one by generateName.
std::string slice_json(const object& service, const core_v1::service_view& view, std::string_view family,
                       const std::vector<slice_port>& ports, const slice_endpoint* first, std::size_t count,
                       std::string_view name, std::string_view revision);

}  // namespace troupe::controllers
