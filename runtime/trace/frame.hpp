// The frames of a trace.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <msgpack.hpp>

namespace troupe::trace {

constexpr std::uint32_t format_version = 1;

enum class frame_kind : std::uint8_t {
  opening = 0,  // [0, format version, program version, wall ms, configuration]; first of every segment
  state = 1,    // [1, component, incarnation, seq, time, state bytes]; before its first event, and once a segment
  object = 2,   // [2, resource, namespace, name, uid, revision, created, json]
  event = 3,    // [3, component, incarnation, seq, time, alternative, bytes, causes]
  effect = 4,   // [4, component, incarnation, seq of its event, time, alternative, bytes]
  dropped = 5,  // [5, pieces (steps, hops) that did not fit the queue here]
  hop = 6,      // [6, component, time, what, subject, uid, revision, causes]
};

/// Why something happened: a request of an actor ("request", its path, id) or a store revision ("revision", "",
/// number).
struct cause {
  std::string kind;
  std::string actor;
  std::uint64_t number = 0;
  MSGPACK_DEFINE(kind, actor, number)
};

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
  // object and hop
  std::string resource;  // resource_label()
  std::string namespace_name, name, uid, what;
  std::uint64_t revision = 0, created = 0;
  std::uint64_t count = 0;  // dropped
};

// Packers of the frames.
std::string pack_opening(std::string_view program, std::uint64_t wall_ms, std::string_view configuration);
std::string pack_state(const std::string& component, std::uint64_t incarnation, std::uint64_t seq,
                       std::uint64_t time_us, std::string_view bytes);
std::string pack_object(std::string_view resource, std::string_view namespace_name, std::string_view name,
                        std::string_view uid, std::uint64_t revision, std::uint64_t created, std::string_view json);
std::string pack_event(const std::string& component, std::uint64_t incarnation, std::uint64_t seq,
                       std::uint64_t time_us, std::uint32_t alternative, std::string_view bytes,
                       const std::vector<cause>& causes);
std::string pack_effect(const std::string& component, std::uint64_t incarnation, std::uint64_t seq,
                        std::uint64_t time_us, std::uint32_t alternative, std::string_view bytes);
std::string pack_dropped(std::uint64_t count);
std::string pack_hop(const std::string& component, std::uint64_t time_us, std::string_view what,
                     std::string_view subject, std::string_view uid, std::uint64_t revision,
                     const std::vector<cause>& causes);

/// Reads one frame back; false when the value is none.
bool unpack_frame(const msgpack::object& value, frame& out);
/// msgpack bytes as text, for people.
std::string describe_bytes(std::string_view msgpack_bytes);

}  // namespace troupe::trace
