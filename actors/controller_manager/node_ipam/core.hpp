// The node address controller: every node gets a part of the cluster's pod range, a /24, in spec.podCIDR.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "messages/controller.hpp"
#include "messages/message.hpp"

namespace troupe::controllers {

/// What is given out.
struct pod_ranges {
  std::string cluster;         // "10.244.0.0/16"
  std::uint32_t reserved = 0;  // parts at the beginning that are never given out: nodes of this process take them
  MSGPACK_DEFINE(cluster, reserved)
};

/// See the top of this file. Semantics: k8s.io/kubernetes/pkg/controller/nodeipam (RangeAllocator), which takes the
/// next part after the last one given out; here it is the lowest free one.
class node_ipam_core final : public controller::core {
 public:
  explicit node_ipam_core(pod_ranges ranges);
  std::string_view name() const override { return "node-ipam-controller"; }
  std::vector<controller::source> sources() const override;
  std::string settings() const override { return to_msgpack(ranges_); }
  std::vector<controller::effect> observe(const controller::object_changed& change,
                                          const controller::caches& view) override;
  std::vector<controller::effect> reconcile(const controller::key_due& due, const controller::caches& view) override;

 private:
  enum : std::uint32_t { nodes = 0 };

  /// The first and the last part that a range has something of: nodes may bring one of another size.
  using parts = std::pair<std::uint32_t, std::uint32_t>;

  std::optional<parts> parts_of(std::string_view cidr) const;
  std::optional<std::uint32_t> free_part() const;
  std::string text_of(std::uint32_t part) const;

  pod_ranges ranges_;
  std::uint32_t base_ = 0;              // first address
  std::uint32_t parts_ = 0;             // how many there are
  std::map<std::string, parts> taken_;  // by node: what it has or is being given
};

}  // namespace troupe::controllers
