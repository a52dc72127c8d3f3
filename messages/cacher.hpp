// Inside the api_server: what its workers ask the cachers. These messages never leave the process.
#pragma once

#include <cstdint>
#include <memory>

#include <caf/typed_actor.hpp>

#include "messages/api_server.hpp"
#include "messages/message.hpp"
#include "messages/status.hpp"
#include "messages/store.hpp"
#include "messages/timer.hpp"

namespace troupe::api {
struct watch_filter;  // actors/api_server/cacher/filter.hpp
}

namespace troupe::cacher {

/// Where a watch begins.
enum class watch_start : std::uint8_t {
  after_revision,  // events newer than `revision`
  current_state,   // everything there is as `added`, then events
  now,             // events newer than the cacher's present state
};

/// From a worker: begin a watch. Its events go to `recipient` as api::watch_delivery under `watch_id`; what is wrong
/// with it (too old a revision) arrives the same way.
struct open_watch {
  std::uint64_t watch_id = 0;
  api::client_actor recipient;
  std::shared_ptr<const api::watch_filter> filter;
  watch_start start = watch_start::now;
  std::uint64_t revision = 0;
  bool bookmarks = false;
  bool mark_initial_end = false;  // a bookmark after the initial events (sendInitialEvents)
  std::int64_t timeout_ms = 0;    // the watch is closed after this time
  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, open_watch&) {
    return f();
  }
};

/// From a worker: end a watch. Unknown ids are ignored.
struct close_watch {
  std::uint64_t watch_id = 0;
  TROUPE_MESSAGE(close_watch, watch_id)
};

/// From a worker: say when the published snapshot has this revision. Answers reached.
struct wait_for {
  std::uint64_t id = 0;
  std::uint64_t revision = 0;
  TROUPE_MESSAGE(wait_for, id, revision)
};

/// Answer to wait_for: a snapshot of at least the wanted revision has been published.
struct reached {
  std::uint64_t id = 0;
  std::uint64_t revision = 0;
  TROUPE_MESSAGE(reached, id, revision)
};

/// The cacher of one resource.
using cacher_actor = caf::typed_actor<caf::reacts_to<open_watch>,            // events follow
                                      caf::reacts_to<close_watch>,           // no answer
                                      caf::reacts_to<wait_for>,              // answers reached
                                      caf::reacts_to<store::range_reply>,    // of its own list
                                      caf::reacts_to<store::watch_started>,  // of its own watch
                                      caf::reacts_to<store::watch_events>,   // changes
                                      caf::reacts_to<timer_due>>;

/// What asks a cacher.
using client_actor = caf::typed_actor<caf::reacts_to<reached>>;  // answer to wait_for

}  // namespace troupe::cacher

MSGPACK_ADD_ENUM(troupe::cacher::watch_start)
