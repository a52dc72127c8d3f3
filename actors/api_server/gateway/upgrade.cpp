// See upgrade.hpp.
#include "actors/api_server/gateway/upgrade.hpp"

#include "runtime/wire/websocket.hpp"

namespace troupe::gateway {
namespace {

std::string_view header(const http_request& request, std::string_view name) {
  for (const auto& [key, value] : request.call.headers)
    if (key == name) return value;
  return {};
}

struct known_protocol {
  std::string_view name;
  dialect speaks = dialect::none;
};

// k8s.io/apimachinery's remotecommand.StreamProtocolV4Name and V5Name, portforward.WebsocketsSPDYTunnelingPortForwardV1
// and PortForwardV1Name.
constexpr known_protocol exec_by_websocket[] = {{"v5.channel.k8s.io", dialect::channels},
                                                {"v4.channel.k8s.io", dialect::channels}};
constexpr known_protocol forward_by_websocket[] = {{"SPDY/3.1+portforward.k8s.io", dialect::tunnel},
                                                   {"v4.channel.k8s.io", dialect::forwarded_channels}};
constexpr known_protocol exec_by_spdy[] = {{"v5.channel.k8s.io", dialect::spdy_exec},
                                           {"v4.channel.k8s.io", dialect::spdy_exec}};
constexpr known_protocol forward_by_spdy[] = {{"portforward.k8s.io", dialect::spdy_forward}};

/// The first of the client's protocols that is known. A header may come several times.
template <std::size_t N>
void choose(const http_request& request, std::string_view from, const known_protocol (&known)[N],
            upgrade_choice& into) {
  for (const auto& [key, value] : request.call.headers) {
    if (key != from) continue;
    for_each_token(value, [&](std::string_view offered) {
      for (const auto& one : known)
        if (into.speaks == dialect::none && offered == one.name) {
          into.speaks = one.speaks;
          into.protocol = one.name;
        }
    });
  }
}

}  // namespace

upgrade_choice choose_upgrade(const http_request& request) {
  upgrade_choice chosen;
  const auto& call = request.call;
  if (!request.wants_upgrade || request.http_1_0) return chosen;
  std::string_view path = call.target;
  path = path.substr(0, path.find('?'));
  auto last = path.substr(path.rfind('/') + 1);
  bool commands = last == "exec" || last == "attach";
  if (!commands && last != "portforward") return chosen;
  auto to = header(request, "upgrade");
  if (equals_lower(to, "websocket")) {
    auto key = header(request, "sec-websocket-key");
    bool sound = call.verb == api::method::get && header(request, "sec-websocket-version") == "13" &&
                 wire::is_websocket_key(key);
    if (!sound) return chosen;
    if (commands)
      choose(request, "sec-websocket-protocol", exec_by_websocket, chosen);
    else
      choose(request, "sec-websocket-protocol", forward_by_websocket, chosen);
    chosen.accept = wire::websocket_accept(key);
  } else if (equals_lower(to, "spdy/3.1")) {
    if (commands)
      choose(request, "x-stream-protocol-version", exec_by_spdy, chosen);
    else
      choose(request, "x-stream-protocol-version", forward_by_spdy, chosen);
  }
  return chosen;
}

std::string upgrade_head(const upgrade_choice& chosen) {
  std::string out = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ";
  if (chosen.accept.empty()) return out + "SPDY/3.1\r\nX-Stream-Protocol-Version: " + chosen.protocol + "\r\n\r\n";
  return out + "websocket\r\nSec-WebSocket-Accept: " + chosen.accept +
         "\r\nSec-WebSocket-Protocol: " + chosen.protocol + "\r\n\r\n";
}

}  // namespace troupe::gateway
