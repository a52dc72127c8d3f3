// The simulation placement: the whole troupe (store in memory, api_server without gateway, controllers, scheduler,
// hollow nodes) on virtual time with a seed.
#pragma once

#include "runtime/config.hpp"
#include "runtime/placement/graph.hpp"
#include "runtime/placement/machine.hpp"
#include "runtime/simulation/world.hpp"
#include "tests/flows/cluster.hpp"

namespace troupe::flows {

/// A simulated cluster. Everything it does is decided by the seed.
class simulated final : public cluster {
 public:
  struct options {
    std::uint64_t seed = 1;
    std::size_t nodes = 2;
    trace::recorder* recorder = nullptr;
  };
  /// Returns once the API is ready and the nodes are; throws when that does not come about.
  explicit simulated(options how);
  ~simulated() override;

  void pass(std::chrono::microseconds time) override { world.run_for(time); }
  bool crash(const std::string& path) override { return world.crash(path); }
  void cut_off(const std::string& node) override { world.partition("root/nodes/" + node, "root/api_server"); }
  void add_fault(runtime::simulation::fault_rule rule) override { world.add_fault(std::move(rule)); }
  void clear_faults() override { world.clear_faults(); }
  std::uint64_t dropped() override { return world.dropped(); }

  runtime::simulation::world world;

 private:
  std::uint64_t now_us() override { return world.now_us(); }
  std::chrono::microseconds between_looks() const override { return 200ms; }
  std::optional<api::response> await(answer_box& answers, std::uint64_t id, std::chrono::seconds within) override;

  runtime::configuration config_;
  std::unique_ptr<runtime::machine> host_;
  runtime::local_supervisor root_;
};

}  // namespace troupe::flows
