// See replays.hpp.
#include "runtime/placement/replays.hpp"

#include <memory>

#include "actors/controller_manager/controller_manager.hpp"
#include "actors/kubelet/node_core.hpp"
#include "actors/kubelet/pod_core.hpp"
#include "actors/scheduler/core.hpp"
#include "runtime/trace/controller_replay.hpp"

namespace troupe::runtime {
namespace {

std::unique_ptr<scheduler::state> make_scheduler(std::string_view settings) {
  scheduler::options read;
  return from_msgpack(settings, read) ? std::make_unique<scheduler::state>(read) : nullptr;
}

/// The kubelet's states hold their settings as `options`.
template <class State>
std::unique_ptr<State> make_with_options(std::string_view settings) {
  auto fresh = std::make_unique<State>();
  return from_msgpack(settings, fresh->options) ? std::move(fresh) : nullptr;
}

trace::replay_registry make_registry() {
  trace::replay_registry all;
  all.add(trace::make_replayable<scheduler::event, scheduler::effect>(
      "scheduler", make_scheduler,
      [](scheduler::state& s, const scheduler::event& e) { return scheduler::step(s, e); }));
  all.add(trace::make_replayable<kubelet::node_event, kubelet::node_effect>(
      "kubelet/node", make_with_options<kubelet::node_state>,
      [](kubelet::node_state& s, const kubelet::node_event& e) { return kubelet::step(s, e); }));
  all.add(trace::make_replayable<kubelet::pod_event, kubelet::pod_effect>(
      "kubelet/pod", make_with_options<kubelet::pod_state>,
      [](kubelet::pod_state& s, const kubelet::pod_event& e) { return kubelet::step(s, e); }));
  for (auto& one : controllers::core_makers())
    all.add(trace::make_replayable_controller(one.name, std::move(one.make)));
  return all;
}

}  // namespace

const trace::replay_registry& replayable_cores() {
  static const auto all = make_registry();
  return all;
}

}  // namespace troupe::runtime
