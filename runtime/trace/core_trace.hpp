// The seam between a shell and its core: every step goes through here, and is recorded when recording is on.
//
//   trace::core_trace trace_{*this, "scheduler"};        // a member of the component; "scheduler" says which core it
//   is trace_.begin_with(options);                          // what a fresh core needs to be told, for replays auto
//   effects = trace::traced_step(trace_, state_, event, [](auto& s, const auto& e) { return step(s, e); });
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
#include "runtime/trace/layout.hpp"
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

/// The store revision as the cause of an event.
inline std::vector<cause> caused_by(std::uint64_t revision) { return {{"revision", {}, revision}}; }

/// One core's place in the trace: who it is and how many events it has had.
class core_trace {
 public:
  /// `core`: which core it is, as replays know it; empty: none can replay it.
  explicit core_trace(runtime::actor_context& owner, std::string core = {})
      : owner_(owner), recorder_(owner.recorder()), core_(std::move(core)) {}

  bool on() const { return recorder_ != nullptr; }
  /// Before the first step: the settings with which a fresh core begins. Recorded, so without secrets.
  template <class Settings>
  void begin_with(const Settings& settings) {
    if (on()) settings_ = pack_value(settings).bytes;
  }
  /// The same, packed already.
  void begin_with_packed(std::string settings) { settings_ = std::move(settings); }

  /// Called before the event is applied. Returns true when the state should be recorded first.
  bool wants_state() const { return recorder_->segment() != segment_ || seq_ == 0; }
  void record_state(std::string_view bytes, std::vector<object_ptr> objects, const core_layout& layout);
  void record_event(const packed_value& event, std::vector<object_ptr> objects, const std::vector<cause>& causes);
  /// Belongs to the last event.
  void record_effect(const packed_value& effect, std::vector<object_ptr> objects);
  /// Hands what was recorded since the last time to the recorder, as one piece.
  void commit();
  /// Events so far.
  std::uint64_t seq() const { return seq_; }
  const std::string& settings() const { return settings_; }

 private:
  void keep(const std::string& frame, std::vector<object_ptr> objects);

  runtime::actor_context& owner_;
  recorder* recorder_;
  std::string core_;
  std::string settings_;
  std::uint64_t segment_ = 0;
  std::uint64_t seq_ = 0;
  const core_layout* layout_ = nullptr;  // not yet handed over
  std::string frames_;
  std::vector<object_ptr> objects_;
};

/// A state that can stand in a trace: it has MSGPACK_DEFINE. A replay may then begin at any segment.
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
void record_state_of(core_trace& trace, const State& state, const core_layout& layout) {
  if constexpr (packable_core_state<State>) {
    packing_scope scope;
    auto packed = pack_value(state);
    trace.record_state(packed.bytes, std::move(scope.objects), layout);
  } else {
    trace.record_state(trace.seq() == 0 ? std::string_view(trace.settings()) : std::string_view(), {}, layout);
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
  using effect_type = typename std::invoke_result_t<Step, State&, const Event&>::value_type;
  detail::committing whole_step(trace);
  if (trace.wants_state()) detail::record_state_of(trace, state, layout_of<Event, effect_type>());
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
