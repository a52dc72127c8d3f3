// Where cachers publish and workers read: one slot for each stored resource. Shared by all threads of the api_server
// and kept over restarts of its actors.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "actors/api_server/cacher/snapshot.hpp"
#include "messages/schema/schema.hpp"
#include "messages/store.hpp"

namespace troupe::api {

/// One resource's published state.
struct resource_slot {
  std::atomic<snapshot_ptr> current{std::make_shared<const snapshot>()};
  std::atomic<std::shared_ptr<const store::progress>> progress;
  /// Newest revision of an acknowledged write through this api_server. It also covers the moment after a restart of the
  /// store, when `progress` belongs to the store before.
  std::atomic<std::uint64_t> written{0};
  std::atomic<bool> synced{false};
  /// `progress` is that of a watch that the store feeds. Where it is false, `progress` stands still: what it says is
  /// true of the past, but the store may know more.
  std::atomic<bool> watched{false};

  /// Raises `written`.
  void note_write(std::uint64_t revision) {
    auto seen = written.load(std::memory_order_relaxed);
    while (seen < revision && !written.compare_exchange_weak(seen, revision)) {
    }
  }
};

/// What a consistent read needs: the snapshot must have `needed`, and is then good as of `as_of`.
struct read_point {
  std::uint64_t needed = 0;
  std::uint64_t as_of = 0;
};

/// All slots. Thread-safe.
class object_slots final : public cluster_view {
 public:
  object_slots();

  snapshot_ptr objects(std::uint16_t resource) const override { return slot(resource).current.load(); }

  /// The slot of a resource or, where it shares another's objects, of that one.
  resource_slot& slot(std::uint16_t resource) const { return *slots_[schema::resources()[resource].storage]; }
  /// Resources that have objects of their own in the store, in order of index.
  const std::vector<std::uint16_t>& stored() const { return stored_; }
  bool all_synced() const;
  /// Other processes write to the store too: what it knows is newer than any progress here until it answers a `sync`.
  /// Set before the first request.
  bool shared_store = false;
  /// Where the store stands at this moment. Order matters: the store raises range_revision before revision, so a
  /// snapshot that has the range_revision read last has every change up to the revision read first.
  read_point now(std::uint16_t resource) const;
  /// Whether now() covers everything of the resource up to this revision of the store, as a `sync` told it. 0: always.
  bool knows(std::uint16_t resource, std::uint64_t revision) const;

 private:
  std::vector<std::unique_ptr<resource_slot>> slots_;
  std::vector<std::uint16_t> stored_;
};

}  // namespace troupe::api
