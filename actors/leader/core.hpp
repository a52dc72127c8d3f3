// Leader election by a Lease, decided without I/O: of several processes one runs the control loops. The algorithm and
// its times are those of k8s.io/client-go/tools/leaderelection, whose clients these processes would agree with.
//
// Nobody compares clocks: a holder is gone when its Lease has not changed for the Lease's own duration, by our clock.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace troupe::leader {

/// Times in milliseconds; the defaults are kube-controller-manager's.
struct settings {
  std::string name;      // of the Lease, in kube-system
  std::string identity;  // ours; differs from every other process's
  std::uint64_t lease_ms = 15'000;
  std::uint64_t renew_ms = 10'000;  // a leader that could not renew for so long steps down
  std::uint64_t retry_ms = 2'000;
};

/// What a Lease says.
struct record {
  std::string resource_version;
  std::string holder;
  std::uint64_t duration_ms = 0;
  std::int64_t transitions = 0;
  std::string acquired;  // as it stands there
  friend bool operator==(const record&, const record&) = default;
};

// Events.

struct clock_ticked {
  std::uint64_t now_ms = 0;   // steady
  std::uint64_t wall_ms = 0;  // since the epoch
};
/// Answer to read: the Lease, or that there is none.
struct lease_read {
  bool exists = false;
  record found;
};
/// Answer to write: whether it was written, and how it then is.
struct lease_written {
  bool done = false;
  record now;
};
/// A read or a write failed.
struct call_failed {};
using event = std::variant<clock_ticked, lease_read, lease_written, call_failed>;

// Effects.

struct read_lease {};
/// Create it (no resource_version), or replace what has this resource_version.
struct write_lease {
  std::string json;
  bool create = false;
};
struct lead {};
struct step_down {};
using effect = std::variant<read_lease, write_lease, lead, step_down>;
using effects = std::vector<effect>;

struct state {
  explicit state(settings s) : config(std::move(s)) {}

  settings config;
  std::uint64_t now_ms = 0;
  std::uint64_t wall_ms = 0;
  bool asking = false;  // a call is under way
  std::uint64_t due_ms = 0;
  bool leads = false;
  bool doubtful = false;  // a write was refused: it was somebody else's, or ours whose answer was lost; a read shows
  std::uint64_t renewed_ms = 0;  // when the last renewal that succeeded was sent
  std::uint64_t sent_ms = 0;
  bool known = false;  // `seen` holds what the Lease said
  record seen;
  std::uint64_t seen_ms = 0;  // when it last changed
};

effects step(state& s, const event& e);
/// The Lease without a holder, for a leader that ends: others need not wait. Empty when it does not lead.
std::string released(const state& s);

}  // namespace troupe::leader
