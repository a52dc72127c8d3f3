// The kernel's IPv4 routes that lead to other machines' pods, by rtnetlink. They bear a protocol number of their own,
// so that nobody else's are touched.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace troupe::pod_network {

/// Where routes are kept. Calls take microseconds; an error is a text, empty: done.
class route_table {
 public:
  virtual ~route_table() = default;
  /// Replaces whatever route to the range there is.
  virtual std::string set(const std::string& pod_cidr, const std::string& via) = 0;
  /// A route that is not there is no error.
  virtual std::string drop(const std::string& pod_cidr) = 0;
  /// The ranges of all routes of ours.
  virtual std::vector<std::string> ours() = 0;
};

/// Of the network namespace that the process is in. Without CAP_NET_ADMIN every change is an error.
std::unique_ptr<route_table> kernel_routes();

}  // namespace troupe::pod_network
