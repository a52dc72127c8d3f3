// The runs that are recorded under tests/traces: each is a scene played in simulation, so recording anew gives the
// same.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/flows/simulated.hpp"

namespace troupe::traces {

/// One recorded run: "rollout" becomes tests/traces/rollout.trace.zst.
struct scene {
  std::string name;
  std::size_t nodes = 2;
  std::function<void(flows::cluster&)> play;  // throws when something does not come about
};
const std::vector<scene>& scenes();

/// Plays the scene and records it into the file.
void record(const scene& what, const std::string& file);

}  // namespace troupe::traces
