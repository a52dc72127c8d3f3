// Lookup in a snapshot.
#include "actors/api_server/cacher/snapshot.hpp"

#include <algorithm>

namespace troupe::api {

namespace {

/// The byte of "NAMESPACE/NAME" at `i`, or -1 at its end.
int byte_at(std::string_view space, std::string_view name, std::size_t i) {
  if (!space.empty()) {
    if (i < space.size()) return static_cast<unsigned char>(space[i]);
    if (i == space.size()) return '/';
    i -= space.size() + 1;
  }
  return i < name.size() ? static_cast<unsigned char>(name[i]) : -1;
}

bool object_less(const object& a, std::string_view space, std::string_view name) {
  return compare_keys(a.namespace_name, a.name, space, name) < 0;
}

bool key_less(std::string_view space, std::string_view name, const object& b) {
  return compare_keys(space, name, b.namespace_name, b.name) < 0;
}

}  // namespace

int compare_keys(std::string_view a_namespace, std::string_view a_name, std::string_view b_namespace,
                 std::string_view b_name) {
  if (a_namespace == b_namespace) return a_name.compare(b_name);
  for (std::size_t i = 0;; ++i) {
    int a = byte_at(a_namespace, a_name, i);
    int b = byte_at(b_namespace, b_name, i);
    if (a != b) return a < b ? -1 : 1;
    if (a < 0) return 0;
  }
}

snapshot::position snapshot::lower_bound(std::string_view space, std::string_view name) const {
  auto last_branch = std::partition_point(
      root_.begin(), root_.end(), [&](const auto& b) { return !key_less(space, name, *b->leaves.front()->front()); });
  position at;
  if (last_branch == root_.begin()) return at;
  --last_branch;
  at.branch = static_cast<std::size_t>(last_branch - root_.begin());
  const auto& leaves = (*last_branch)->leaves;
  auto last_leaf = std::partition_point(leaves.begin(), leaves.end(),
                                        [&](const auto& l) { return !key_less(space, name, *l->front()); });
  if (last_leaf != leaves.begin()) --last_leaf;
  at.leaf = static_cast<std::size_t>(last_leaf - leaves.begin());
  const auto& items = **last_leaf;
  auto item = std::partition_point(items.begin(), items.end(),
                                   [&](const object_ptr& o) { return object_less(*o, space, name); });
  at.item = static_cast<std::size_t>(item - items.begin());
  return at;
}

const object_ptr* snapshot::find(std::string_view space, std::string_view name) const {
  const object_ptr* found = nullptr;
  visit_from(space, name, [&](const object_ptr& o) {
    if (o->name == name && o->namespace_name == space) found = &o;
    return false;
  });
  return found;
}

}  // namespace troupe::api
