// The dialects of upgraded connections; see upgrade.hpp for their names.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "actors/api_server/gateway/upgraded.hpp"

namespace troupe::gateway {

/// exec and attach over WebSocket: each message is a channel's number and bytes. `closes`: the client may close a
/// channel by 255 and its number.
std::unique_ptr<dialect_speaker> make_channels(std::uint64_t stream_id, bool closes, client_side& client);

/// port-forward over WebSocket as Python's client does it: a data and an error channel for each port, in the order of
/// the query; each begins with the port's two bytes, the lower one first.
std::unique_ptr<dialect_speaker> make_forwarded_channels(std::uint64_t stream_id,
                                                         const std::vector<std::int32_t>& ports, client_side& client);

/// Which streams an exec or attach has, by its query.
struct wanted_streams {
  bool input = false, output = false, errors = false, terminal = false;
};

/// exec and attach over SPDY: a stream for each channel, named by its header `streamtype`.
std::unique_ptr<dialect_speaker> make_spdy_exec(std::uint64_t stream_id, const wanted_streams& wanted,
                                                client_side& client);

/// port-forward over SPDY: two streams for each connection, with the headers `streamtype` (error, data), `port` and
/// `requestid`.
std::unique_ptr<dialect_speaker> make_spdy_forward(std::uint64_t stream_id, client_side& client);

}  // namespace troupe::gateway
