// Immutable sorted sets of objects, published by a cacher once per batch and read by any thread.
//
// A snapshot is a tree of three fixed levels (root, branches, leaves) whose unchanged parts are shared with the one
// before: a change copies one leaf, one branch and the root. Order is that of the store's keys ("NAMESPACE/NAME").
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "messages/object.hpp"

namespace troupe::api {

/// Compares two keys "NAMESPACE/NAME" (or "NAME" where the namespace is empty) bytewise without building them.
int compare_keys(std::string_view a_namespace, std::string_view a_name, std::string_view b_namespace,
                 std::string_view b_name);

/// The objects of one resource at one revision. Thread-safe since it never changes.
class snapshot {
 public:
  using leaf = std::vector<object_ptr>;
  struct branch {
    std::vector<std::shared_ptr<const leaf>> leaves;
    std::size_t size = 0;
  };

  /// All changes of the resource up to this store revision are in it. 0: never synced.
  std::uint64_t revision() const { return revision_; }
  std::size_t size() const { return size_; }

  /// The object, or null. Pass an empty namespace for cluster-scoped resources.
  const object_ptr* find(std::string_view namespace_name, std::string_view name) const;

  /// Calls f(const object_ptr&) -> bool in key order, from the first key >= (namespace, name), until f returns false.
  template <class F>
  void visit_from(std::string_view namespace_name, std::string_view name, F&& f) const {
    position at = lower_bound(namespace_name, name);
    for (; at.branch < root_.size(); ++at.branch, at.leaf = 0, at.item = 0)
      for (auto& leaves = root_[at.branch]->leaves; at.leaf < leaves.size(); ++at.leaf, at.item = 0)
        for (auto& items = *leaves[at.leaf]; at.item < items.size(); ++at.item)
          if (!f(items[at.item])) return;
  }
  /// Every object of a namespace; an empty namespace visits all. f(const object_ptr&) -> bool goes on while true.
  template <class F>
  void visit(std::string_view namespace_name, F&& f) const {
    visit_from(namespace_name, {}, [&](const object_ptr& o) {
      if (!namespace_name.empty() && o->namespace_name != namespace_name) return false;
      return static_cast<bool>(f(o));
    });
  }

 private:
  friend class snapshot_builder;
  struct position {
    std::size_t branch = 0, leaf = 0, item = 0;
  };
  position lower_bound(std::string_view namespace_name, std::string_view name) const;

  std::vector<std::shared_ptr<const branch>> root_;
  std::size_t size_ = 0;
  std::uint64_t revision_ = 0;
};

using snapshot_ptr = std::shared_ptr<const snapshot>;

/// The cached objects of every resource, as whoever decides inside a request may look at them.
class cluster_view {
 public:
  virtual ~cluster_view() = default;
  /// Newest snapshot of a resource (by index; its storage resource is looked up). Never null. It may be a few
  /// milliseconds behind the store; a decision that fails on it is repeated on a fresh one by the pipeline.
  virtual snapshot_ptr objects(std::uint16_t resource) const = 0;
};

}  // namespace troupe::api
