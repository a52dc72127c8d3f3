// What the balancer writes: a Service's finalizer, status and announcing node in one request.
#pragma once

#include <set>
#include <string>

#include "messages/controller.hpp"

namespace troupe::cloud {

/// Keeps a Service that is being deleted until its address has been given back (k8s.io/cloud-provider/service/helpers
/// LoadBalancerCleanupFinalizer).
constexpr const char* balancer_finalizer = "service.kubernetes.io/load-balancer-cleanup";

/// Nodes that announce the address: as the Service says, and from now on. Empty: nobody.
struct announcement {
  std::string before, now;
};

/// The addresses are the Service's from now on.
controller::write ensure_balancer(const object& service, const std::set<std::string>& addresses,
                                  const announcement& by);
/// It has none any more, and may go.
controller::write release_balancer(const object& service, const announcement& by);

}  // namespace troupe::cloud
