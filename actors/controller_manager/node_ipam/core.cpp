#include "actors/controller_manager/node_ipam/core.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "actors/controller_manager/common/requests.hpp"
#include "messages/number.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::controllers {
namespace {

struct ipv4_range {
  std::uint32_t base = 0;
  std::uint32_t bits = 0;
};

std::optional<ipv4_range> range_of(std::string_view text) {
  auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto bits = number_in<std::uint32_t>(text.substr(slash + 1));
  if (!bits || *bits > 32) return std::nullopt;
  ipv4_range out{0, *bits};
  text = text.substr(0, slash);
  for (int i = 0; i < 4; ++i) {
    auto dot = i < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos) return std::nullopt;
    auto value = number_in<std::uint8_t>(text.substr(0, dot));
    if (!value) return std::nullopt;
    out.base = out.base << 8 | *value;
    text.remove_prefix(std::min(dot + 1, text.size()));
  }
  return out;
}

std::string cidr_of_node(const object& node) {
  auto content = decode(node);
  return std::string(core_v1::node_view(content).spec().pod_cidr());
}

}  // namespace

node_ipam_core::node_ipam_core(pod_ranges ranges) : ranges_(std::move(ranges)) {
  auto cluster = range_of(ranges_.cluster);
  if (!cluster || cluster->bits > 24) return;
  base_ = cluster->base;
  parts_ = std::uint32_t{1} << std::min<std::uint32_t>(24 - cluster->bits, 24);
}

std::vector<controller::source> node_ipam_core::sources() const { return {{"/api/v1/nodes", {}, {}}}; }

std::optional<std::uint32_t> node_ipam_core::part_of(std::string_view cidr) const {
  auto range = range_of(cidr);
  if (!range || range->base < base_) return std::nullopt;
  auto part = (range->base - base_) >> 8;
  if (part >= parts_) return std::nullopt;
  return part;
}

std::optional<std::uint32_t> node_ipam_core::free_part() const {
  std::set<std::uint32_t> used;
  for (const auto& [node, part] : taken_) used.insert(part);
  for (auto part = ranges_.reserved; part < parts_; ++part)
    if (used.count(part) == 0) return part;
  return std::nullopt;
}

std::string node_ipam_core::text_of(std::uint32_t part) const {
  auto at = base_ + (part << 8);
  return fmt::format("{}.{}.{}.{}/24", at >> 24, at >> 16 & 255, at >> 8 & 255, at & 255);
}

std::vector<controller::effect> node_ipam_core::observe(const controller::object_changed& change,
                                                        const controller::caches&) {
  if (!change.now) {
    taken_.erase(change.key);
    return {};
  }
  auto cidr = cidr_of_node(*change.now);
  if (cidr.empty()) return {controller::enqueue{change.key, 0}};
  if (auto part = part_of(cidr)) taken_[change.key] = *part;
  return {};
}

std::vector<controller::effect> node_ipam_core::reconcile(const controller::key_due& due,
                                                          const controller::caches& view) {
  auto node = view.find(nodes, due.key);
  if (!node || !cidr_of_node(*node).empty()) return {};
  auto given = taken_.find(due.key);  // a write that was not answered is repeated as it was
  auto part = given == taken_.end() ? free_part() : std::optional(given->second);
  if (!part)
    return {controller::note{node, false, "CIDRNotAvailable", "Node " + due.key + " status is now: CIDRNotAvailable"},
            controller::failed{"no part of " + ranges_.cluster + " is free for node " + due.key}};
  taken_[due.key] = *part;
  auto cidr = text_of(*part);
  return {merge_patch("/api/v1/nodes/" + due.key,
                      fmt::format(R"({{"spec":{{"podCIDR":"{}","podCIDRs":["{}"]}}}})", cidr, cidr), nodes)};
}

}  // namespace troupe::controllers
