// The slots of all resources.
#include "actors/api_server/cacher/slots.hpp"

#include <algorithm>

namespace troupe::api {

object_slots::object_slots() {
  auto rows = schema::resources();
  slots_.resize(rows.size());
  const auto count = static_cast<std::uint16_t>(rows.size());
  for (std::uint16_t i = 0; i < count; ++i) {
    if (rows[i].storage != i) continue;
    slots_[i] = std::make_unique<resource_slot>();
    if (rows[i].verbs & schema::verb_watch)
      stored_.push_back(i);
    else
      slots_[i]->synced.store(true);  // reviews, bindings: nothing is ever stored
  }
}

bool object_slots::all_synced() const {
  return std::all_of(stored_.begin(), stored_.end(), [this](auto i) { return slots_[i]->synced.load(); });
}

read_point object_slots::now(std::uint16_t resource) const {
  auto& s = slot(resource);
  read_point point;
  auto progress = s.progress.load();
  if (progress) {
    point.as_of = progress->revision.load();
    point.needed = progress->range_revision.load();
  }
  point.needed = std::max(point.needed, s.written.load());
  point.as_of = std::max(point.as_of, point.needed);
  return point;
}

bool object_slots::knows(std::uint16_t resource, std::uint64_t revision) const {
  if (revision == 0) return true;
  auto& s = slot(resource);
  if (!s.watched.load()) return false;
  auto progress = s.progress.load();
  return progress && progress->revision.load() >= revision;
}

}  // namespace troupe::api
