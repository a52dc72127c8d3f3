// Replays a recorded controller: its caches are rebuilt from the recorded changes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "messages/controller.hpp"
#include "runtime/trace/replay.hpp"

namespace troupe::trace {

/// Caches fed by object_changed events.
class replayed_caches final : public controller::caches {
 public:
  explicit replayed_caches(std::size_t sources) : maps_(sources) {}
  const object_map& all(std::size_t source) const override { return maps_.at(source); }
  void apply(const controller::object_changed& change) {
    auto& map = maps_.at(change.source);
    if (change.now)
      map[change.key] = change.now;
    else
      map.erase(change.key);
  }

 private:
  std::vector<object_map> maps_;
};

/// Replays the last recorded incarnation (or the given one) of a controller into a fresh core.
inline replay_report replay_controller(const std::string& path, const std::string& component, controller::core& fresh,
                                       std::uint64_t incarnation = 0) {
  replayed_caches caches(fresh.sources().size());
  return replay<controller::event>(
      path, component, fresh,
      [&caches](controller::core& logic, const controller::event& happened) {
        if (const auto* change = std::get_if<controller::object_changed>(&happened)) caches.apply(*change);
        return controller::step(logic, caches, happened);
      },
      incarnation);
}

}  // namespace troupe::trace
