// The shell: watches nodes, tells the runtimes of this machine's nodes their pod ranges, keeps routes to the others'.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "actors/pod_network/routes.hpp"
#include "messages/api_server.hpp"
#include "messages/container_runtime.hpp"
#include "runtime/stable_ref.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::pod_network {

struct options {
  runtime::stable_ref<api::api_server_actor> server;
  std::string cluster;  // all pods' range, "10.244.0.0/16"
  std::string address;  // this machine's
  /// The nodes of this machine, with their runtimes; an empty reference: use_range is all that its runtime needs.
  std::map<std::string, runtime::stable_ref<container::runtime_actor>> nodes;
  /// Called when a node's range is known or changes; an error text is logged. May be empty.
  std::function<std::string(const std::string& node, const std::string& pod_cidr)> use_range;
  /// Makes the routes, once per incarnation; empty: this machine's pods are simulated and need none.
  std::function<std::unique_ptr<route_table>()> make_routes;
};

/// The actor as a child named "pod_network". Stopped cleanly, it takes its routes with it; when it crashes, they stay.
runtime::child_spec child(options how);

}  // namespace troupe::pod_network
