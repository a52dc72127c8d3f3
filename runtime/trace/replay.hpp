// Feeds recorded events to fresh cores and compares every effect.
//
//   trace::replay_registry cores;
//   cores.add(trace::make_replayable<scheduler::event, scheduler::effect>(
//       "scheduler", [](std::string_view settings) { ... return std::make_unique<scheduler::state>(...); },
//       [](auto& s, const auto& e) { return scheduler::step(s, e); }));
//   auto report = trace::replay(path, cores);
//
// One pass over the trace replays all components at once: a step is compared while its frames are read.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "messages/message.hpp"
#include "messages/status.hpp"
#include "runtime/trace/core_trace.hpp"
#include "runtime/trace/reader.hpp"

namespace troupe::trace {

/// A recorded core brought back to life.
class revived_core {
 public:
  virtual ~revived_core() = default;
  /// Applies a recorded event; false when its bytes cannot be read. Throws what the core throws.
  virtual bool step(const packed_value& event, std::vector<packed_value>& effects) = 0;
};

/// How one kind of core is replayed.
struct replayable {
  std::string core;  // as its core_trace is called
  const core_layout* layout = nullptr;
  /// A fresh core from the recorded settings, or its state; null when they cannot be read.
  std::function<std::unique_ptr<revived_core>(std::string_view begin)> revive;
};

/// The cores that can be replayed, by name.
class replay_registry {
 public:
  void add(replayable one) { cores_[one.core] = std::move(one); }
  const replayable* find(const std::string& core) const;

 private:
  std::map<std::string, replayable> cores_;
};

/// What came of one component.
struct component_report {
  std::string component;           // path
  std::string core;                // kind of core
  std::uint64_t incarnations = 0;  // replayed
  std::uint64_t events = 0;        // fed
  std::uint64_t effects = 0;       // compared and equal
  /// The first difference: "incarnation 1, event 17 (pod_observed), effect 2: recorded ..., got ...". Empty: all equal.
  std::string problem;
  std::uint64_t bad_event = 0;  // seq of the event that differs
  std::uint64_t skipped = 0;    // events that could not be replayed
  std::string why_skipped;
};

/// What came of a trace.
struct replay_report {
  std::vector<component_report> components;  // sorted by path
  std::string problem;                       // why the trace cannot be read, or not to its end
  bool truncated = false;                    // it ends in the middle, as after kill -9
  /// Nothing differed, and something was compared.
  bool matched() const;
};

struct replay_options {
  std::string component = {};  // part of the paths to be replayed; empty: all
};

/// Replays every incarnation of a segment file or directory that can be.
replay_report replay(const std::string& path, const replay_registry& cores, const replay_options& options = {});

namespace detail {

template <class T>
struct value_reader {
  static bool read(const packed_value& from, T& out) { return from_msgpack(from.bytes, out); }
};
template <class... Ts>
struct value_reader<std::variant<Ts...>> {
  static bool read(const packed_value& from, std::variant<Ts...>& out) {
    return try_each(from, out, std::index_sequence_for<Ts...>());
  }
  template <std::size_t... Is>
  static bool try_each(const packed_value& from, std::variant<Ts...>& out, std::index_sequence<Is...>) {
    bool done = false;
    ((from.alternative == Is && !done && (done = from_msgpack(from.bytes, out.template emplace<Is>()))), ...);
    return done;
  }
};

template <class Event, class State, class Step>
class revived final : public revived_core {
 public:
  revived(std::unique_ptr<State> state, Step apply) : state_(std::move(state)), step_(std::move(apply)) {}
  bool step(const packed_value& event, std::vector<packed_value>& effects) override {
    Event happened;
    if (!value_reader<Event>::read(event, happened)) return false;
    for (const auto& effect : step_(*state_, happened)) {
      packing_scope scope;
      effects.push_back(pack_value(effect));
    }
    return true;
  }

 private:
  std::unique_ptr<State> state_;
  Step step_;
};

}  // namespace detail

/// A kind of core: `make` gives std::unique_ptr<State> for recorded settings (null: unreadable), `step` its effects.
template <class Event, class Effect, class Make, class Step>
replayable make_replayable(std::string core, Make make, Step step) {
  using state = typename std::invoke_result_t<Make, std::string_view>::element_type;
  replayable one;
  one.core = std::move(core);
  one.layout = &layout_of<Event, Effect>();
  one.revive = [make = std::move(make), step = std::move(step)](std::string_view begin) {
    std::unique_ptr<revived_core> out;
    if (auto fresh = make(begin)) out = std::make_unique<detail::revived<Event, state, Step>>(std::move(fresh), step);
    return out;
  };
  return one;
}

}  // namespace troupe::trace
