// See simulated.hpp.
#include "tests/flows/simulated.hpp"

#include <cstdlib>
#include <stdexcept>

#include <spdlog/spdlog.h>

#include "messages/type_ids.hpp"

namespace troupe::flows {

using namespace runtime;

simulated::simulated(options how) : world(how.seed, how.recorder) {
  // What crashes on purpose is not worth a line; TROUPE_SIM_LOG=1 shows all.
  spdlog::set_level(std::getenv("TROUPE_SIM_LOG") ? spdlog::level::debug : spdlog::level::err);
  config_.nodes.count = static_cast<std::int64_t>(how.nodes);
  config_.nodes.runtime = "hollow";
  surroundings around;
  around.storage = store::in_memory();
  around.authority = "-----BEGIN CERTIFICATE-----\nof a simulation\n-----END CERTIFICATE-----\n";
  auto host = machine::open(config_);
  if (!host) throw std::runtime_error(host.error().message);
  host_ = std::move(*host);
  around.host = host_.get();
  auto graph = make_graph(world.system(), config_, std::move(around));
  root_ = spawn_supervisor(world.system(), "root", std::move(graph.children));
  auto ready = [shared = graph.shared] { return shared->ready(); };
  if (!world.run_until(ready, 60s)) throw std::runtime_error("the API does not get ready");
  begin(world.system(), graph.server, how.nodes);
}

simulated::~simulated() { end(); }

std::optional<api::response> simulated::await(answer_box& answers, std::uint64_t id, std::chrono::seconds within) {
  if (!world.run_until([&] { return answers.has(id); }, within)) return {};
  return answers.take(id, 0s);
}

}  // namespace troupe::flows
