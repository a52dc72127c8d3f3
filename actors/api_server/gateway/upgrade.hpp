// Upgrades of HTTP/1.1 connections to streams: what a client offers, what is chosen, and how the answer begins.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "actors/api_server/gateway/http.hpp"

namespace troupe::gateway {

/// What is spoken on a connection after its upgrade.
enum class dialect : std::uint8_t {
  none,
  channels,            // WebSocket messages, each one of a channel: exec and attach
  forwarded_channels,  // the same for port-forward: two channels a port
  tunnel,              // SPDY in WebSocket messages: port-forward
  spdy_exec,           // SPDY: exec and attach
  spdy_forward,        // SPDY: port-forward
};

/// What was agreed on.
struct upgrade_choice {
  dialect speaks = dialect::none;
  std::string protocol;  // as the client names it: "v5.channel.k8s.io"
  std::string accept;    // Sec-WebSocket-Accept; empty for SPDY

  /// Whether the client can say that it will send no more on a channel (from v5 on).
  bool closes_channels() const { return protocol.starts_with("v5."); }
};

/// Chooses from what the request offers; dialect::none when it offers nothing that is known here, is no upgrade, or
/// cannot be one. Clients' order of protocols counts, as in Kubernetes.
upgrade_choice choose_upgrade(const http_request& request);

/// The head of the 101 answer.
std::string upgrade_head(const upgrade_choice& chosen);

}  // namespace troupe::gateway
