// Who wants which element.
#include "actors/kube_proxy/table.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace troupe::kube_proxy {
namespace {

void record(element_table::change_map* changes, const element_key& key, std::optional<element_value> before,
            std::optional<element_value> now) {
  if (!changes || before == now) return;
  auto [at, fresh] = changes->try_emplace(key);
  if (fresh) at->second.before = before;
  at->second.now = now;
  if (at->second.before == at->second.now) changes->erase(at);
}

}  // namespace

std::size_t element_key_hash::operator()(const element_key& key) const {
  auto low = std::uint64_t{key.ip} << 32 | std::uint64_t{key.port} << 16 | std::uint64_t{key.protocol} << 8 |
             static_cast<std::uint64_t>(key.map);
  auto high = std::uint64_t{key.slot} << 8 | key.bits;
  // The finisher of SplitMix64, over both halves.
  auto mixed = low ^ (high * 0x9e3779b97f4a7c15u);
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
  return static_cast<std::size_t>(mixed ^ (mixed >> 31));
}

const element_value& element_table::value_of(const owner& by, const element_key& key) {
  auto at = std::lower_bound(by.second.begin(), by.second.end(), key,
                             [](const element& one, const element_key& k) { return one.key < k; });
  if (at == by.second.end() || at->key != key) throw std::logic_error("kube_proxy: an owner lacks its element");
  return at->value;
}

void element_table::want(const std::string& name, std::vector<element> elements, change_map* changes) {
  auto& by = *owners_.try_emplace(name).first;
  auto before = std::exchange(by.second, std::move(elements));
  const auto& now = by.second;
  // Both are sorted: one walk over the two tells what came, went and changed.
  auto b = before.begin();
  auto n = now.begin();
  while (b != before.end() || n != now.end()) {
    if (n == now.end() || (b != before.end() && b->key < n->key)) {
      release(by, *b++, changes);
    } else if (b == before.end() || n->key < b->key) {
      claim(by, *n++, changes);
    } else {
      if (holders_.at(n->key) == &by) record(changes, n->key, b->value, n->value);
      ++b, ++n;
    }
  }
  if (by.second.empty()) owners_.erase(name);
}

void element_table::claim(owner& by, const element& one, change_map* changes) {
  auto [held, free] = holders_.try_emplace(one.key, &by);
  if (free) return record(changes, one.key, std::nullopt, one.value);
  auto& all = rivals_[one.key];
  all.insert(held->second);
  all.insert(&by);
  if (*all.begin() != &by) return;
  record(changes, one.key, value_of(*held->second, one.key), one.value);
  held->second = &by;
}

void element_table::release(owner& by, const element& one, change_map* changes) {
  auto held = holders_.find(one.key);
  auto several = rivals_.find(one.key);
  if (several == rivals_.end()) {
    holders_.erase(held);
    return record(changes, one.key, one.value, std::nullopt);
  }
  several->second.erase(&by);
  if (held->second == &by) {
    held->second = *several->second.begin();
    record(changes, one.key, one.value, value_of(*held->second, one.key));
  }
  if (several->second.size() == 1) rivals_.erase(several);
}

std::vector<element> element_table::all() const {
  std::vector<element> out;
  out.reserve(holders_.size());
  for (const auto& by : owners_)
    for (const auto& one : by.second)
      if (holders_.at(one.key) == &by) out.push_back(one);
  std::sort(out.begin(), out.end());
  return out;
}

const std::string* element_table::owner_of(const element_key& key) const {
  auto held = holders_.find(key);
  return held == holders_.end() ? nullptr : &held->second->first;
}

void element_table::check_invariants() const {
  std::map<element_key, std::size_t> wanted;
  for (const auto& [name, elements] : owners_)
    for (const auto& one : elements)
      if (++wanted[one.key] == 1 && !owner_of(one.key)) throw std::logic_error("kube_proxy: nobody holds an element");
  if (wanted.size() != holders_.size()) throw std::logic_error("kube_proxy: an element that nobody wants");
  for (const auto& [key, count] : wanted) {
    auto several = rivals_.find(key);
    auto rivals = several == rivals_.end() ? std::size_t{1} : several->second.size();
    if (rivals != count) throw std::logic_error("kube_proxy: rivals of an element are not all known");
    value_of(*holders_.at(key), key);
  }
}

}  // namespace troupe::kube_proxy
