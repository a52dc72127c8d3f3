// Who talks to the store: numbers for senders, and the shared progress of their watches. For the store's shells.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>

#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_control_block.hpp>

#include "actors/store/core.hpp"

namespace troupe::store {

/// Belongs to one actor.
class client_book {
 public:
  /// The sender's number, 0 for nobody; `second`: it is new here and wants to be monitored.
  std::pair<core::client_id, bool> number_of(const caf::strong_actor_ptr& from);
  /// The client, or null when it is gone.
  caf::strong_actor_ptr find(core::client_id client) const;
  /// It has ended: its number, or 0 when it was not known.
  core::client_id forget(const caf::actor_addr& gone);

  /// Gives the watch a progress, and the reply a share of it.
  void begin_watch(core::send_watch_started& started);
  void end_watch(core::client_id client, std::uint64_t id) { progress_.erase({client, id}); }
  void advance(const core::advance_progress& to);

 private:
  std::unordered_map<const caf::actor_control_block*, core::client_id> numbers_;
  std::unordered_map<core::client_id, caf::actor_addr> clients_;
  core::client_id next_ = 1;
  std::map<std::pair<core::client_id, std::uint64_t>, std::shared_ptr<progress>> progress_;
};

}  // namespace troupe::store
