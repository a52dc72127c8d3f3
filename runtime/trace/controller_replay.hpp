// Replays of recorded controllers: the caches are rebuilt from the recorded changes.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
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

/// A controller's core and what it looks at.
struct replayed_controller {
  std::unique_ptr<controller::core> logic;
  replayed_caches caches;
};

/// How the shared controller shell names the core of a controller.
inline std::string controller_core_name(std::string_view controller) { return "controller/" + std::string(controller); }

/// A controller's replay. `make`: the core from its recorded settings, or null.
inline replayable make_replayable_controller(
    std::string_view name, std::function<std::unique_ptr<controller::core>(std::string_view settings)> make) {
  return make_replayable<controller::event, controller::effect>(
      controller_core_name(name),
      [make = std::move(make)](std::string_view settings) -> std::unique_ptr<replayed_controller> {
        auto logic = make(settings);
        if (!logic) return nullptr;
        auto sources = logic->sources().size();
        return std::make_unique<replayed_controller>(replayed_controller{std::move(logic), replayed_caches(sources)});
      },
      [](replayed_controller& with, const controller::event& happened) {
        if (const auto* change = std::get_if<controller::object_changed>(&happened)) with.caches.apply(*change);
        return controller::step(*with.logic, with.caches, happened);
      });
}

}  // namespace troupe::trace
