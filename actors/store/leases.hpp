// Leases: keys that live as long as somebody renews them.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace troupe::store::core {

/// granting and ending: under way but not durable, of no use to anybody else.
enum class lease_phase : std::uint8_t { granting, live, ending };

/// A lease. `keys` are candidates: a key belongs to it only while its newest version says so.
struct lease_state {
  std::int64_t ttl_seconds = 0;
  std::uint64_t expires_ms = 0;  // on the clock of clock_ticked
  lease_phase phase = lease_phase::granting;
  std::set<std::string> keys;
};

/// All live leases, by id.
class leases {
 public:
  /// The lease, or nullptr when it is unknown or not live.
  lease_state* usable(std::int64_t id);
  /// The lease that a key may be attached to: live, or about to be. A transaction behind a grant is durable after it,
  /// so it may count on it.
  lease_state* attachable(std::int64_t id);
  /// The lease, or nullptr.
  lease_state* find(std::int64_t id);
  /// Reserves the id until the grant is durable.
  void reserve(std::int64_t id) { leases_[id]; }
  /// The lease is live for its whole time from now on.
  void start(std::int64_t id, std::int64_t ttl_seconds, std::uint64_t now_ms);
  /// The lease's time begins anew.
  static void renew(lease_state& l, std::uint64_t now_ms);
  void remove(std::int64_t id) { leases_.erase(id); }
  /// A lease's key is attached or detached; ids that do not exist are ignored.
  void attach(std::int64_t id, const std::string& key);
  void detach(std::int64_t id, const std::string& key);
  /// Live leases whose time is up.
  std::vector<std::int64_t> expired(std::uint64_t now_ms) const;
  /// All get their whole time again: after a restart nobody knows how long they have been renewed.
  void renew_all(std::uint64_t now_ms);
  const std::map<std::int64_t, lease_state>& all() const { return leases_; }

 private:
  std::map<std::int64_t, lease_state> leases_;
};

}  // namespace troupe::store::core
