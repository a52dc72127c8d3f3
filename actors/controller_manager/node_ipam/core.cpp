#include "actors/controller_manager/node_ipam/core.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "actors/controller_manager/common/owner.hpp"
#include "actors/controller_manager/common/requests.hpp"
#include "messages/ipv4.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::controllers {
namespace {

std::string cidr_of_node(const object& node) {
  auto content = decode(node);
  return std::string(core_v1::node_view(content).spec().pod_cidr());
}

}  // namespace

node_ipam_core::node_ipam_core(pod_ranges ranges) : ranges_(std::move(ranges)) {
  auto cluster = ipv4_block_in(ranges_.cluster);
  if (!cluster || cluster->bits > 24) return;
  base_ = cluster->first();
  parts_ = std::uint32_t{1} << std::min<std::uint32_t>(24 - cluster->bits, 24);
}

std::vector<controller::source> node_ipam_core::sources() const { return {{"/api/v1/nodes", {}, {}}}; }

std::optional<node_ipam_core::parts> node_ipam_core::parts_of(std::string_view cidr) const {
  auto block = ipv4_block_in(cidr);
  const auto end = std::uint64_t{base_} + (std::uint64_t{parts_} << 8);
  if (!block || block->last() < base_ || block->first() >= end) return std::nullopt;
  const auto last = std::min<std::uint64_t>(block->last(), end - 1);
  return parts{(std::max(block->first(), base_) - base_) >> 8, static_cast<std::uint32_t>((last - base_) >> 8)};
}

std::optional<std::uint32_t> node_ipam_core::free_part() const {
  std::vector<parts> used;
  used.reserve(taken_.size());
  for (const auto& [node, which] : taken_) used.push_back(which);
  std::sort(used.begin(), used.end());
  auto part = ranges_.reserved;
  for (const auto& [first, last] : used) {
    if (part < first) break;
    part = std::max(part, last + 1);
  }
  return part < parts_ ? std::optional(part) : std::nullopt;
}

std::string node_ipam_core::text_of(std::uint32_t part) const { return ipv4_text(base_ + (part << 8)).append("/24"); }

std::vector<controller::effect> node_ipam_core::observe(const controller::object_changed& change,
                                                        const controller::caches&) {
  if (!change.now) {
    taken_.erase(change.key);
    return {};
  }
  auto cidr = cidr_of_node(*change.now);
  if (cidr.empty()) return {controller::enqueue{change.key, 0}};
  if (auto which = parts_of(cidr)) taken_[change.key] = *which;
  return {};
}

std::vector<controller::effect> node_ipam_core::reconcile(const controller::key_due& due,
                                                          const controller::caches& view) {
  auto node = view.find(nodes, due.key);
  if (!node || !cidr_of_node(*node).empty()) return {};
  auto given = taken_.find(due.key);  // a write that was not answered is repeated as it was
  auto part = given == taken_.end() ? free_part() : std::optional(given->second.first);
  if (!part)
    return {controller::note{node, false, "CIDRNotAvailable", "Node " + due.key + " status is now: CIDRNotAvailable"},
            controller::failed{"no part of " + ranges_.cluster + " is free for node " + due.key}};
  taken_[due.key] = {*part, *part};
  auto cidr = text_of(*part);
  return {merge_patch("/api/v1/nodes/" + due.key,
                      fmt::format(R"({{"spec":{{"podCIDR":"{}","podCIDRs":["{}"]}}}})", cidr, cidr), nodes)};
}

}  // namespace troupe::controllers
