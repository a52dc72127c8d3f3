// Feeds a recorded core's events to a fresh one and compares every effect.
//
//   auto report = trace::replay<scheduler::event>(path, "root/scheduler", state,
//                                                 [](auto& s, const auto& e) { return scheduler::step(s, e); });
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "messages/message.hpp"
#include "runtime/trace/core_trace.hpp"
#include "runtime/trace/reader.hpp"

namespace troupe::trace {

/// The outcome of a replay.
struct replay_report {
  bool matched = false;
  std::uint64_t incarnation = 0;
  std::uint64_t events = 0;   // fed
  std::uint64_t effects = 0;  // compared
  /// Where it went wrong: "event 17, effect 2: recorded ..., got ...", or why it could not be done.
  std::string problem;
};

/// One event with the effects it had.
struct recorded_step {
  frame event;
  std::vector<packed_value> effects;
};

/// The steps of one incarnation of one component, and the state they begin with.
struct recorded_run {
  std::uint64_t incarnation = 0;
  std::string state;  // msgpack; empty when the core begins with nothing
  std::vector<recorded_step> steps;
};

/// Collects a component's steps. Incarnation 0 means the last one in the trace. An error: nothing recorded, frames
/// lost, or the beginning is not in the trace and no state was recorded since.
result<recorded_run> collect_run(reader& from, const std::string& component, std::uint64_t incarnation = 0);
/// Paths of the components that have recorded steps, each with its last incarnation.
result<std::vector<std::pair<std::string, std::uint64_t>>> recorded_components(const std::string& path);

namespace detail {

template <class T>
struct value_reader {
  static bool read(std::uint32_t, const std::string& bytes, T& out) { return from_msgpack(bytes, out); }
};
template <class... Ts>
struct value_reader<std::variant<Ts...>> {
  static bool read(std::uint32_t alternative, const std::string& bytes, std::variant<Ts...>& out) {
    return try_each(alternative, bytes, out, std::index_sequence_for<Ts...>());
  }
  template <std::size_t... Is>
  static bool try_each(std::uint32_t alternative, const std::string& bytes, std::variant<Ts...>& out,
                       std::index_sequence<Is...>) {
    bool done = false;
    ((alternative == Is && !done && (done = from_msgpack(bytes, out.template emplace<Is>()))), ...);
    return done;
  }
};

/// Compares what one event gave; empty when it is the same.
std::string compare_effects(const recorded_step& recorded, const std::vector<packed_value>& got);

}  // namespace detail

/// Replays a run that has been collected. `state` is the fresh core; a recorded state is loaded into it first when its
/// type has MSGPACK_DEFINE. The reader resolves the objects.
template <class Event, class State, class Step>
replay_report replay_run(const reader& source, const recorded_run& run, State& state, Step&& step) {
  replay_report report;
  report.incarnation = run.incarnation;
  resolving_scope resolving([&source](const object_reference& wanted) { return source.find(wanted); });
  if constexpr (packable_core_state<State>) {
    if (!run.state.empty() && !from_msgpack(run.state, state)) {
      report.problem = "the recorded state cannot be read";
      return report;
    }
  }
  for (const auto& recorded : run.steps) {
    Event event;
    if (!detail::value_reader<Event>::read(recorded.event.alternative, recorded.event.bytes, event)) {
      report.problem = "event " + std::to_string(recorded.event.seq) + " cannot be read";
      return report;
    }
    std::vector<packed_value> got;
    for (const auto& effect : step(state, event)) {
      packing_scope scope;
      got.push_back(pack_value(effect));
    }
    ++report.events;
    report.effects += recorded.effects.size();
    report.problem = detail::compare_effects(recorded, got);
    if (!report.problem.empty()) return report;
  }
  report.matched = true;
  return report;
}

/// Replays a component's last recorded incarnation (or the given one) from a file or directory.
template <class Event, class State, class Step>
replay_report replay(const std::string& path, const std::string& component, State& state, Step&& step,
                     std::uint64_t incarnation = 0) {
  replay_report report;
  auto source = reader::open(path);
  if (!source) {
    report.problem = source.error().message;
    return report;
  }
  auto run = collect_run(*source, component, incarnation);
  if (!run) {
    report.problem = run.error().message;
    return report;
  }
  return replay_run<Event>(*source, *run, state, std::forward<Step>(step));
}

}  // namespace troupe::trace
