// The nodes as structure of arrays: what filters and scores read. A slot is a node's index; it stays the same while the
// node exists or pods are accounted to it.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "actors/scheduler/types.hpp"

namespace troupe::scheduler {

using slot_id = std::uint32_t;
using name_id = std::uint32_t;
constexpr slot_id no_slot = 0xffffffff;

/// Texts by number, so that labels and taints compare as integers.
class interner {
 public:
  name_id of(std::string_view text);
  std::string_view text(name_id id) const { return texts_[id]; }

 private:
  std::deque<std::string> texts_;
  std::unordered_map<std::string_view, name_id> ids_;
};

using label_ids = std::vector<std::pair<name_id, name_id>>;  // sorted by key

/// An extended resource of one node.
struct scalar_amount {
  name_id name = 0;
  std::int64_t allocatable = 0;
  std::int64_t requested = 0;
};

/// A host port in use, or wanted. ip 0 stands for every address.
struct port_use {
  name_id ip = 0;
  name_id protocol = 0;
  std::int32_t port = 0;
  friend bool operator==(const port_use&, const port_use&) = default;
};

/// What a pod takes from a node, in the table's own ids.
struct pod_usage {
  std::int64_t milli_cpu = 0;
  std::int64_t memory = 0;
  std::int64_t ephemeral_storage = 0;
  std::int64_t scored_milli_cpu = 0;
  std::int64_t scored_memory = 0;
  std::vector<std::pair<name_id, std::int64_t>> scalars;
  std::vector<port_use> ports;
};

/// Pods of one controller per slot, sorted by slot: what spreading goes by.
struct owner_spread {
  std::vector<std::pair<slot_id, std::uint32_t>> counts;
};

/// A pod that takes room on a node, observed or assumed.
struct assigned_pod {
  std::string namespace_name;
  std::string name;
  slot_id slot = no_slot;
  pod_usage usage;
  std::int32_t priority = 0;
  std::string owner;
  bool assumed = false;  // decided here, not yet seen bound
};

/// Which parts of a node an update touched: what event hints go by.
struct node_change {
  bool added = false;
  bool allocatable = false;
  bool labels = false;
  bool taints = false;
  bool any() const { return added || allocatable || labels || taints; }
};

/// All nodes with the pods accounted to them.
class node_table {
 public:
  node_table();

  /// Adds or changes a node; says what changed.
  node_change observe(const node_info& node);
  /// The node is gone; pods accounted to it stay until they are removed themselves.
  void remove(std::string_view name);

  /// Accounts a pod to a node (which need not be known yet). An earlier account of the same uid is replaced.
  void assign(const std::string& uid, const pod_info& pod, std::string_view node, pod_usage usage, bool assumed);
  /// Takes the account back; the slot it was on, or no_slot.
  slot_id release(const std::string& uid);
  assigned_pod* find_pod(const std::string& uid);
  std::size_t pod_count() const { return pods_.size(); }

  pod_usage usage_of(const pod_info& pod);
  const owner_spread* spread_of(const std::string& owner) const;

  /// Known nodes in rotation order.
  const std::vector<slot_id>& order() const { return order_; }
  std::size_t slots() const { return alive.size(); }
  slot_id find(std::string_view name) const;
  std::string_view name(slot_id slot) const { return names_[slot]; }
  const std::vector<std::string>& pods_on(slot_id slot) const { return pods_on_[slot]; }

  // Structure of arrays, indexed by slot; changed only by the functions above.
  std::vector<std::uint8_t> alive;
  std::vector<std::uint8_t> unschedulable;
  std::vector<std::int64_t> allocatable_cpu, requested_cpu, scored_cpu;
  std::vector<std::int64_t> allocatable_memory, requested_memory, scored_memory;
  std::vector<std::int64_t> allocatable_storage, requested_storage;
  std::vector<std::int64_t> allocatable_pods, pods;
  std::vector<std::uint32_t> taint_class;  // nodes with equal taints share a class
  std::vector<label_ids> labels;
  std::vector<std::vector<scalar_amount>> scalars;
  std::vector<std::vector<port_use>> ports;

  /// The taints of a class.
  const std::vector<taint>& taints_of(std::uint32_t taint_class_id) const { return taint_classes_[taint_class_id]; }
  std::size_t taint_class_count() const { return taint_classes_.size(); }

  interner ids;

 private:
  slot_id slot_for(std::string_view name);
  void free_if_unused(slot_id slot);
  void account(slot_id slot, const pod_usage& usage, int sign);
  void count_owner(const std::string& owner, slot_id slot, int sign);
  std::uint32_t class_of(const std::vector<taint>& taints);
  bool set_scalars(slot_id slot, const resources& allocatable);

  std::vector<std::string> names_;
  std::vector<std::vector<std::string>> pods_on_;  // uids
  std::vector<slot_id> order_;
  std::vector<slot_id> free_;
  std::unordered_map<std::string, slot_id> by_name_;
  std::unordered_map<std::string, assigned_pod> pods_;
  std::unordered_map<std::string, owner_spread> owners_;
  std::vector<std::vector<taint>> taint_classes_;
  std::unordered_map<std::string, std::uint32_t> taint_class_ids_;
};

}  // namespace troupe::scheduler
