// Copy-on-write changes of a snapshot's tree.
#include "actors/api_server/cacher/snapshot_builder.hpp"

#include <atomic>
#include <memory>
#include <utility>

namespace troupe::api {

namespace {

constexpr std::size_t max_leaf = 64;
constexpr std::size_t max_branch = 64;

/// The pointed-to value for changing: itself when nobody else can see it, else a copy. Only parts reachable from the
/// builder alone have a count of one; the fence orders our writes behind the last reader's reads.
template <class T>
T& own(std::shared_ptr<const T>& shared) {
  if (shared.use_count() == 1) {
    std::atomic_thread_fence(std::memory_order_acquire);
  } else {
    shared = std::make_shared<T>(*shared);
  }
  return const_cast<T&>(*shared);  // NOLINT: made as a T, see above
}

template <class V>
V take_upper_half(V& from) {
  auto middle = from.begin() + static_cast<std::ptrdiff_t>(from.size() / 2);
  V upper(std::make_move_iterator(middle), std::make_move_iterator(from.end()));
  from.erase(middle, from.end());
  return upper;
}

std::size_t count(const snapshot::branch& branch) {
  std::size_t total = 0;
  for (auto& leaf : branch.leaves) total += leaf->size();
  return total;
}

}  // namespace

snapshot::branch& snapshot_builder::own_branch(std::size_t index) { return own(tree_.root_[index]); }

snapshot::leaf& snapshot_builder::own_leaf(snapshot::branch& branch, std::size_t index) {
  return own(branch.leaves[index]);
}

void snapshot_builder::assign(const std::vector<object_ptr>& sorted) {
  constexpr std::size_t fill = max_leaf * 3 / 4;
  tree_.root_.clear();
  tree_.size_ = sorted.size();
  std::shared_ptr<snapshot::branch> branch;
  for (std::size_t i = 0; i < sorted.size(); i += fill) {
    if (!branch || branch->leaves.size() == max_branch * 3 / 4) {
      branch = std::make_shared<snapshot::branch>();
      tree_.root_.push_back(branch);
    }
    auto end = std::min(i + fill, sorted.size());
    branch->leaves.push_back(std::make_shared<snapshot::leaf>(sorted.begin() + static_cast<std::ptrdiff_t>(i),
                                                              sorted.begin() + static_cast<std::ptrdiff_t>(end)));
    branch->size += end - i;
  }
}

object_ptr snapshot_builder::put(object_ptr next) {
  if (tree_.root_.empty()) {
    assign({std::move(next)});
    return nullptr;
  }
  auto at = tree_.lower_bound(next->namespace_name, next->name);
  auto& branch = own_branch(at.branch);
  auto& leaf = own_leaf(branch, at.leaf);
  if (at.item < leaf.size() && leaf[at.item]->name == next->name &&
      leaf[at.item]->namespace_name == next->namespace_name)
    return std::exchange(leaf[at.item], std::move(next));
  leaf.insert(leaf.begin() + static_cast<std::ptrdiff_t>(at.item), std::move(next));
  ++branch.size;
  ++tree_.size_;
  if (leaf.size() > max_leaf) split(at.branch, at.leaf);
  return nullptr;
}

void snapshot_builder::split(std::size_t branch_index, std::size_t leaf_index) {
  auto& branch = own_branch(branch_index);
  auto upper = std::make_shared<snapshot::leaf>(take_upper_half(own_leaf(branch, leaf_index)));
  branch.leaves.insert(branch.leaves.begin() + static_cast<std::ptrdiff_t>(leaf_index) + 1, std::move(upper));
  if (branch.leaves.size() <= max_branch) return;
  auto next = std::make_shared<snapshot::branch>();
  next->leaves = take_upper_half(branch.leaves);
  next->size = count(*next);
  branch.size -= next->size;
  tree_.root_.insert(tree_.root_.begin() + static_cast<std::ptrdiff_t>(branch_index) + 1, std::move(next));
}

object_ptr snapshot_builder::erase(std::string_view space, std::string_view name) {
  auto at = tree_.lower_bound(space, name);
  if (at.branch >= tree_.root_.size()) return nullptr;
  if (at.item == tree_.root_[at.branch]->leaves[at.leaf]->size()) return nullptr;
  const auto& found = (*tree_.root_[at.branch]->leaves[at.leaf])[at.item];
  if (found->name != name || found->namespace_name != space) return nullptr;
  auto& branch = own_branch(at.branch);
  auto& leaf = own_leaf(branch, at.leaf);
  auto removed = std::move(leaf[at.item]);
  leaf.erase(leaf.begin() + static_cast<std::ptrdiff_t>(at.item));
  --branch.size;
  --tree_.size_;
  if (leaf.empty()) branch.leaves.erase(branch.leaves.begin() + static_cast<std::ptrdiff_t>(at.leaf));
  if (branch.leaves.empty()) tree_.root_.erase(tree_.root_.begin() + static_cast<std::ptrdiff_t>(at.branch));
  return removed;
}

snapshot_ptr snapshot_builder::publish(std::uint64_t revision) const {
  auto copy = std::make_shared<snapshot>(tree_);
  copy->revision_ = revision;
  return copy;
}

}  // namespace troupe::api
