// The frames of a trace.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <msgpack.hpp>

#include "runtime/trace/layout.hpp"

namespace troupe::trace {

constexpr std::uint32_t format_version = 2;

enum class frame_kind : std::uint8_t {
  opening = 0,  // [0, format version, program version, wall ms, configuration]; first of every segment
  state = 1,    // [1, component, incarnation, seq, time, bytes, core, layout]; before its first event (seq 0: bytes are
                // its settings or its state), and once a segment (seq above 0: its state, or nothing)
  object = 2,   // [2, resource, namespace, name, uid, revision, created, json]
  event = 3,    // [3, component, incarnation, seq, time, alternative, bytes, causes]
  effect = 4,   // [4, component, incarnation, seq of its event, time, alternative, bytes]
  dropped = 5,  // [5, pieces (steps, hops) that did not fit the queue here]
  hop = 6,      // [6, component, time, what, subject, uid, revision, id, causes, marks]
  layout = 7,   // [7, layout, names of events, names of effects]; before the first state frame that refers to it
};

/// Why something happened: a request of an actor ("request", its path, id), a core's step ("step", its path, seq) or a
/// store revision ("revision", "", number).
struct cause {
  std::string kind;
  std::string actor;
  std::uint64_t number = 0;
  friend bool operator==(const cause&, const cause&) = default;
  MSGPACK_DEFINE(kind, actor, number)
};

/// A moment within a hop: "durable", steady microseconds.
using mark = std::pair<std::string, std::uint64_t>;

/// One frame as read; which members count depends on the kind.
struct frame {
  frame_kind kind = frame_kind::opening;
  std::string component;
  std::uint64_t incarnation = 0;
  std::uint64_t seq = 0;
  std::uint64_t time_us = 0;      // steady
  std::uint32_t alternative = 0;  // index of the variant
  std::string bytes;              // msgpack of the alternative or of the state; an object's JSON; the configuration
  std::vector<cause> causes;
  // opening
  std::uint32_t version = 0;
  std::string program;
  std::uint64_t wall_ms = 0;
  // state
  std::string core;          // which core it is: "scheduler", "kubelet/pod"
  std::uint64_t layout = 0;  // fingerprint; of a layout frame: its own
  // object and hop
  std::string resource;  // resource_label()
  std::string namespace_name, name, uid, what;
  std::uint64_t revision = 0, created = 0;
  std::uint64_t id = 0;  // hop: of the request that it is, as its component counts
  std::vector<mark> marks;
  std::uint64_t count = 0;                             // dropped
  std::vector<std::string> event_names, effect_names;  // layout
};

// Packers of the frames.
std::string pack_opening(std::string_view program, std::uint64_t wall_ms, std::string_view configuration,
                         std::uint32_t version = format_version);
std::string pack_state(const std::string& component, std::uint64_t incarnation, std::uint64_t seq,
                       std::uint64_t time_us, std::string_view bytes, std::string_view core, std::uint64_t layout);
std::string pack_object(std::string_view resource, std::string_view namespace_name, std::string_view name,
                        std::string_view uid, std::uint64_t revision, std::uint64_t created, std::string_view json);
std::string pack_event(const std::string& component, std::uint64_t incarnation, std::uint64_t seq,
                       std::uint64_t time_us, std::uint32_t alternative, std::string_view bytes,
                       const std::vector<cause>& causes);
std::string pack_effect(const std::string& component, std::uint64_t incarnation, std::uint64_t seq,
                        std::uint64_t time_us, std::uint32_t alternative, std::string_view bytes);
std::string pack_dropped(std::uint64_t count);
std::string pack_layout(const core_layout& layout);

/// A hop: something that is no core's step (gateway, pipeline, store, driver) happened to somebody. It is recorded when
/// it is over; `marks` say when what in it was done.
struct hop {
  std::string component;
  std::uint64_t time_us = 0;   // when it began
  std::string what;            // "POST /api/v1/namespaces/default/pods", "create pods", "transaction"
  std::string subject;         // "NAMESPACE/NAME", or a store key
  std::string uid;             // of the object; may be empty
  std::uint64_t revision = 0;  // that it led to or follows; 0: none
  std::uint64_t id = 0;        // of the request that it is, as its component counts
  std::vector<cause> causes;
  std::vector<mark> marks;
};
std::string pack_hop(const hop& one);

/// Reads one frame back; false when the value is none.
bool unpack_frame(const msgpack::object& value, frame& out);
/// A frame read back as bytes again, for tools that copy traces.
std::string pack_again(const frame& one);
/// msgpack bytes as text, for people.
std::string describe_bytes(std::string_view msgpack_bytes);

/// Bounds within which msgpack of unknown origin is read: damaged bytes must not ask for gigabytes or deep recursion.
msgpack::unpack_limit safe_limits();

}  // namespace troupe::trace
