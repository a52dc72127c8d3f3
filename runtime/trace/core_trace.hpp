// The seam between a shell and its core: every step goes through here, and is recorded when recording is on.
//
//   trace::core_trace trace_{*this};                     // a member of the component
//   auto effects = trace::traced_step(trace_, state_, event, [](auto& s, const auto& e) { return step(s, e); });
//
// Events and effects are structs with MSGPACK_DEFINE, or std::variants of such. Off, it costs one branch.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <msgpack.hpp>

#include "messages/object_reference.hpp"
#include "runtime/actor_context.hpp"
#include "runtime/trace/frame.hpp"
#include "runtime/trace/recorder.hpp"

namespace troupe::trace {

/// A variant's (or plain struct's) alternative and its msgpack bytes.
struct packed_value {
  std::uint32_t alternative = 0;
  std::string bytes;
  friend bool operator==(const packed_value&, const packed_value&) = default;
};

template <class T>
packed_value pack_value(const T& value) {
  thread_local msgpack::sbuffer buffer;
  buffer.clear();
  msgpack::pack(buffer, value);
  return {0, std::string(buffer.data(), buffer.size())};
}
template <class... Ts>
packed_value pack_value(const std::variant<Ts...>& value) {
  auto packed = std::visit([](const auto& held) { return pack_value(held); }, value);
  packed.alternative = static_cast<std::uint32_t>(value.index());
  return packed;
}

/// One core's place in the trace: who it is and how many events it has had.
class core_trace {
 public:
  explicit core_trace(const runtime::actor_context& owner) : owner_(owner), recorder_(owner.recorder()) {}

  bool on() const { return recorder_ != nullptr; }
  /// Called before the event is applied. Returns true when the state should be recorded first.
  bool wants_state() const { return recorder_->segment() != segment_ || seq_ == 0; }
  void record_state(std::string_view bytes, std::vector<object_ptr> objects);
  void record_event(const packed_value& event, std::vector<object_ptr> objects, const std::vector<cause>& causes);
  /// Belongs to the last event.
  void record_effect(const packed_value& effect, std::vector<object_ptr> objects);
  /// Hands what was recorded since the last time to the recorder, as one piece.
  void commit();

 private:
  void keep(std::string frame, std::vector<object_ptr> objects);

  const runtime::actor_context& owner_;
  recorder* recorder_;
  std::uint64_t segment_ = 0;
  std::uint64_t seq_ = 0;
  std::string frames_;
  std::vector<object_ptr> objects_;
};

/// A state that can stand in a trace: it has MSGPACK_DEFINE.
template <class State>
concept packable_core_state = requires(const State& s, msgpack::packer<msgpack::sbuffer>& p) {
  s.msgpack_pack(p);
};

namespace detail {

/// Commits also when the core throws: that is the step one wants to see.
struct committing {
  explicit committing(core_trace& to) : trace(to) {}
  ~committing() { trace.commit(); }
  committing(const committing&) = delete;
  committing& operator=(const committing&) = delete;
  core_trace& trace;
};

template <class State>
void record_state_of(core_trace& trace, const State& state) {
  if constexpr (packable_core_state<State>) {
    packing_scope scope;
    auto packed = pack_value(state);
    trace.record_state(packed.bytes, std::move(scope.objects));
  } else {
    trace.record_state({}, {});
  }
}

template <class Effects>
void record_effects(core_trace& trace, const Effects& effects) {
  for (const auto& effect : effects) {
    packing_scope scope;
    auto packed = pack_value(effect);
    trace.record_effect(packed, std::move(scope.objects));
  }
}

}  // namespace detail

/// Applies the event to the state by `step(state, event)` and records both when recording is on. A state with
/// MSGPACK_DEFINE is recorded once a segment, so that a replay may begin there.
template <class State, class Event, class Step>
auto traced_step(core_trace& trace, State& state, const Event& event, Step&& step,
                 const std::vector<cause>& causes = {}) {
  if (!trace.on()) return step(state, event);
  detail::committing whole_step(trace);
  if (trace.wants_state()) detail::record_state_of(trace, state);
  {
    packing_scope scope;
    auto packed = pack_value(event);
    trace.record_event(packed, std::move(scope.objects), causes);
  }
  auto effects = step(state, event);
  detail::record_effects(trace, effects);
  return effects;
}

}  // namespace troupe::trace
