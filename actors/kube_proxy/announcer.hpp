// Balancers' addresses that this machine announces: it has each on its interface lo, so that its kernel answers ARP for
// them on every network it is on. A label tells them from others' addresses; their scope keeps the machine from using
// them as its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "actors/kube_proxy/types.hpp"

namespace troupe::kube_proxy {

/// The label, as `ip address show dev lo` prints it.
constexpr const char* announced_label = "lo:troupe";

/// See the top of this file; tests put their own in its place.
class announcer {
 public:
  virtual ~announcer() = default;
  /// Has these addresses and no others of ours; neighbours are told of those that are new. Takes microseconds. The
  /// first error, empty: all is done.
  virtual std::string hold(const std::vector<address>& ips) = 0;
};

/// Of the network namespace that the process is in. `machine`: this machine's address, on whose network neighbours are
/// told.
std::unique_ptr<announcer> kernel_announcer(std::string machine);

}  // namespace troupe::kube_proxy
