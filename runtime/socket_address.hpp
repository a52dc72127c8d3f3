// Numeric addresses of sockets, IPv4 and IPv6.
#pragma once

#include <cstdint>
#include <string>

#include <netinet/in.h>
#include <sys/socket.h>

namespace troupe::runtime {

union socket_address {
  sockaddr base;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

/// Fills the address in; its size, or 0 for a text that is no address.
socklen_t parse_address(const std::string& text, std::uint16_t port, socket_address& into);
std::string address_text(const socket_address& of);
std::uint16_t port_of(const socket_address& of);

/// A socket that listens, without blocking.
struct listening_socket {
  int descriptor = -1;     // -1: it could not be made, errno says why
  std::uint16_t port = 0;  // the one that the kernel chose where 0 was asked for
};
/// `size` as parse_address() gave it.
listening_socket listen_on(socket_address where, socklen_t size, int backlog);

}  // namespace troupe::runtime
