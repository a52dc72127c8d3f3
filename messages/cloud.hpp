// What the cloud controllers ask a provider: which machine is behind a node.
//
// A provider answers from API objects that it names as its sources, so that what the controllers decide depends on the
// cluster's objects only, is recorded and can be replayed. One that has to ask a cloud keeps such an object up to date.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/controller.hpp"
#include "messages/object.hpp"
#include "messages/status.hpp"

namespace troupe::cloud {

/// Annotation of a Service whose load balancer address is announced on the network by a node: the node's name. Its
/// service proxy answers ARP for the address; every other one serves it without.
constexpr const char* announcer_annotation = "troupe.dev/announcing-node";

/// A machine as its provider knows it; empty texts: the provider does not say.
struct machine {
  std::string provider_id;  // "local://NAME"
  std::string instance_type;
  std::string zone, region;
  /// By type: InternalIP, ExternalIP, Hostname, InternalDNS, ExternalDNS.
  std::vector<std::pair<std::string, std::string>> addresses;
  bool shut_down = false;  // it exists, but does not run
};

/// See the top of this file. Implementations keep nothing that is not in their sources.
class provider {
 public:
  virtual ~provider() = default;
  /// "local": the scheme of its ids.
  virtual std::string_view name() const = 0;
  virtual std::vector<controller::source> sources() const = 0;
  /// The machine of that node; nothing when it does not exist any more; an error when that cannot be told.
  /// `first`: number of its first source in `view`.
  virtual result<std::optional<machine>> machine_of(std::string_view node, const controller::caches& view,
                                                    std::uint32_t first) const = 0;
};

}  // namespace troupe::cloud
