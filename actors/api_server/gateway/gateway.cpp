// Starting the loops.
#include "actors/api_server/gateway/gateway.hpp"

#include "actors/api_server/gateway/loop.hpp"

namespace troupe::gateway {

gateway_actor spawn_loop(caf::actor_system& system, const options& with, std::size_t index) {
  return runtime::spawn_loop<loop>(system, with, index);
}

std::vector<runtime::child_spec> children(const options& with) {
  std::vector<runtime::child_spec> made;
  for (std::size_t index = 0; index < with.where->loops(); ++index) {
    auto start = [with, index](caf::actor_system& system) { return spawn_loop(system, with, index); };
    auto spec = runtime::child<gateway_actor>("gateway-" + std::to_string(index), start);
    spec.stop_timeout = with.where->bounds().drain + std::chrono::seconds(2);
    made.push_back(std::move(spec));
  }
  return made;
}

}  // namespace troupe::gateway
