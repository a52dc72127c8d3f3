// The writing side of snapshots: applies changes and publishes what has become of them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "actors/api_server/cacher/snapshot.hpp"

namespace troupe::api {

/// Owned by one cacher. A part of the tree is copied only where a published snapshot still shares it.
class snapshot_builder {
 public:
  /// Replaces everything by these objects, which are sorted by key and unique.
  void assign(const std::vector<object_ptr>& sorted);
  /// Adds or replaces an object. Returns what it replaces, or null.
  object_ptr put(object_ptr next);
  /// Removes an object. Returns it, or null where there is none.
  object_ptr erase(std::string_view namespace_name, std::string_view name);
  /// The state as of this revision, for readers.
  snapshot_ptr publish(std::uint64_t revision) const;

  const object_ptr* find(std::string_view space, std::string_view name) const { return tree_.find(space, name); }
  std::size_t size() const { return tree_.size(); }
  const snapshot& current() const { return tree_; }

 private:
  snapshot::branch& own_branch(std::size_t index);
  snapshot::leaf& own_leaf(snapshot::branch& branch, std::size_t index);
  void split(std::size_t branch, std::size_t leaf);

  snapshot tree_;
};

}  // namespace troupe::api
