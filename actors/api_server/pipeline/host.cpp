// Awaiting of calls.
#include "actors/api_server/pipeline/host.hpp"

#include <algorithm>

namespace troupe::api {

pending_call::~pending_call() {
  if (id != 0) host_->forget(*this);
}

void pending_call::await_suspend(std::coroutine_handle<> by) {
  waiting_ = by;
  host_->begin(*this);
}

startup_call::startup_call(request_host& host) : pending_call(host, kind::startup) { ready_ = host.started(); }

freshness_call::freshness_call(request_host& host, std::uint16_t wanted_resource, std::uint64_t wanted_revision,
                               bool settles_first, std::uint64_t known_up_to)
    : pending_call(host, kind::freshness),
      resource(wanted_resource),
      revision(wanted_revision),
      settles(settles_first),
      as_of(known_up_to) {
  ready_ = !settles && reached();
}

bool freshness_call::reached() {
  auto& slots = host_->slots();
  if (as_of != 0) {
    if (!slots.knows(resource, as_of)) return false;
    revision = std::max(revision, slots.now(resource).needed);
    as_of = 0;
  }
  auto& slot = slots.slot(resource);
  return slot.synced.load() && slot.current.load()->revision() >= revision;
}

}  // namespace troupe::api
