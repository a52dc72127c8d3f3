// The provider of a cluster that is its own cloud.
//
// Without a word from the operator every node's machine exists. The ConfigMap kube-system/local-cloud, once it is
// there, is the list of machines: a key for each, by node name; a node whose machine is not listed is gone. Values are
// YAML, all members optional:
//
//   data:
//     node-1: |
//       zone: a
//       region: home
//       instanceType: small
//       addresses: {ExternalIP: 203.0.113.7}
//       state: running        # or stopped
#pragma once

#include "messages/cloud.hpp"

namespace troupe::cloud {

/// See the top of this file.
class local_provider final : public provider {
 public:
  std::string_view name() const override { return "local"; }
  std::vector<controller::source> sources() const override;
  result<std::optional<machine>> machine_of(std::string_view node, const controller::caches& view,
                                            std::uint32_t first) const override;
};

}  // namespace troupe::cloud
