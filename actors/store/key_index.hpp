// Every key's retained versions, in memory: where they rest, not what they hold (recent values excepted).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/store/record.hpp"
#include "messages/bytes.hpp"
#include "messages/store.hpp"

namespace troupe::store::core {

/// One version of a key; 64 bytes. number 0 marks a deletion (etcd's tombstone).
struct version {
  std::uint64_t mod = 0;
  std::uint64_t create = 0;
  std::uint64_t number = 0;
  std::int64_t lease = 0;
  std::uint32_t sub = 0;
  location at;         // unknown until durable
  shared_bytes value;  // held while the version is not durable and while it is recent

  bool deleted() const { return number == 0; }
};

/// Versions ascend by mod. `cached` counts the places in the value cache that still name this key.
struct key_history {
  std::vector<version> versions;
  std::uint32_t cached = 0;

  /// The newest version, or nullptr when there is none or it is a deletion.
  const version* current() const { return versions.empty() || versions.back().deleted() ? nullptr : &versions.back(); }
  /// The version that `revision` shows, or nullptr (absent or deleted then).
  const version* at(std::uint64_t revision) const;
  /// The version with exactly this mod_revision, or nullptr.
  version* exactly(std::uint64_t mod);
};

/// A half-open range of keys as requests give it: an empty end is one key, "\0" has no end (as in etcd).
struct key_range {
  std::string begin;
  std::string end;
  bool unbounded = false;

  key_range() = default;
  key_range(std::string_view key, std::string_view range_end);
  bool contains(std::string_view key) const { return key >= begin && (unbounded || key < end); }
};

class key_index {
 public:
  using map = std::map<std::string, key_history, std::less<>>;
  using iterator = map::iterator;

  iterator find(std::string_view key) { return keys_.find(key); }
  iterator lower_bound(std::string_view key) { return keys_.lower_bound(key); }
  iterator begin() { return keys_.begin(); }
  iterator end() { return keys_.end(); }
  /// The key's history, made empty if absent.
  iterator at_or_new(std::string key) {
    if (!keys_.empty() && keys_.rbegin()->first < key) return keys_.try_emplace(keys_.end(), std::move(key));
    return keys_.try_emplace(std::move(key)).first;
  }
  std::size_t size() const { return keys_.size(); }

  /// Drops what no reader at or after `revision` can see: all versions below the one that `revision` shows, and that
  /// one too if it is a deletion. Calls dropped(location) for each. Returns the iterator after the key.
  template <class Dropped>
  iterator prune(iterator at, std::uint64_t revision, Dropped dropped) {
    auto& versions = at->second.versions;
    auto keep = versions.begin();
    while (keep != versions.end() && keep + 1 != versions.end() && (keep + 1)->mod <= revision) ++keep;
    if (keep != versions.end() && keep->mod <= revision && keep->deleted()) ++keep;
    for (auto v = versions.begin(); v != keep; ++v) dropped(v->at);
    if (keep != versions.begin()) {
      versions.erase(versions.begin(), keep);
      versions.shrink_to_fit();
    }
    return erase_if_empty(at);
  }
  /// Removes a key that has neither versions nor places in the value cache. Returns the next one.
  iterator erase_if_empty(iterator at) {
    if (at->second.versions.empty() && at->second.cached == 0) return keys_.erase(at);
    return std::next(at);
  }

 private:
  map keys_;
};

/// The most recent values, so that hot keys are served without a read. Bounded in bytes.
class value_cache {
 public:
  explicit value_cache(std::uint64_t limit_bytes) : limit_(limit_bytes) {}

  /// Takes note of a durable version that still holds its value; forgets the oldest ones beyond the limit.
  void add(key_index& index, key_index::iterator key, const version& v);
  std::uint64_t bytes() const { return bytes_; }

 private:
  struct place {
    key_index::iterator key;
    std::uint64_t mod = 0;
    std::uint32_t size = 0;
  };
  std::deque<place> places_;
  std::uint64_t bytes_ = 0;
  std::uint64_t limit_ = 0;
};

/// The version as clients see it. The value is empty when it is not in memory.
key_value to_key_value(const std::string& key, const version& v);

}  // namespace troupe::store::core
