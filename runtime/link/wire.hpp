// What frames carry: msgpack, decoded within bounds, since a node may have been taken over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <msgpack.hpp>

#include "messages/api_server.hpp"
#include "messages/container_runtime.hpp"
#include "messages/kubelet.hpp"
#include "runtime/link/frame.hpp"

namespace troupe::link {

/// Changes when frames change their meaning. Ends of different versions refuse each other.
constexpr std::uint32_t protocol_version = 1;

/// The node's first frame.
struct hello {
  std::uint32_t version = protocol_version;
  std::string software;  // "troupe 0.1.0"
  MSGPACK_DEFINE(version, software)
};

/// The control plane's first frame.
struct welcome {
  std::uint32_t version = protocol_version;
  std::string software;
  std::string node;  // for whom it takes the peer
  MSGPACK_DEFINE(version, software, node)
};

/// Why the sender ends the link.
struct goodbye {
  std::string why;
  MSGPACK_DEFINE(why)
};

/// What a decoder may be made to hold: values (an array's or map's elements, each) and their depth.
struct shape_limits {
  std::size_t values = 20'000;
  std::size_t depth = 12;
};
/// Of frames from the control plane, which are trusted but for damage.
constexpr shape_limits trusted_shape{4'000'000, 16};

/// Whether the bytes are one msgpack value within the limits. Allocates next to nothing, whereas msgpack's own decoder
/// allocates what an array claims to hold before its elements come.
bool within(std::string_view bytes, const shape_limits& limits);

/// Reads a value within the limits; false for anything else. Never throws.
template <class T>
bool decode(std::string_view bytes, T& value, const shape_limits& limits = {}) noexcept {
  return within(bytes, limits) && from_msgpack(bytes, value);
}

/// An answer as a frame's payload. Other than between actors of one process, body and object are in one piece.
std::string encode(const api::response& answer);
bool decode(std::string_view bytes, api::response& answer) noexcept;

/// Events of watches as payloads of about `slice_bytes` at most each (more only for a single larger event), in order.
std::vector<std::string> encode(const api::watch_delivery& delivery, std::size_t slice_bytes);
bool decode(std::string_view bytes, api::watch_delivery& delivery) noexcept;

}  // namespace troupe::link
