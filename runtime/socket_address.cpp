// See socket_address.hpp.
#include "runtime/socket_address.hpp"

#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <unistd.h>

namespace troupe::runtime {

socklen_t parse_address(const std::string& text, std::uint16_t port, socket_address& into) {
  std::memset(&into, 0, sizeof into);
  if (inet_pton(AF_INET, text.c_str(), &into.v4.sin_addr) == 1) {
    into.v4.sin_family = AF_INET;
    into.v4.sin_port = htons(port);
    return sizeof into.v4;
  }
  if (inet_pton(AF_INET6, text.c_str(), &into.v6.sin6_addr) == 1) {
    into.v6.sin6_family = AF_INET6;
    into.v6.sin6_port = htons(port);
    return sizeof into.v6;
  }
  return 0;
}

std::string address_text(const socket_address& of) {
  char text[INET6_ADDRSTRLEN] = {};
  if (of.base.sa_family == AF_INET) return inet_ntop(AF_INET, &of.v4.sin_addr, text, sizeof text) ? text : "";
  return inet_ntop(AF_INET6, &of.v6.sin6_addr, text, sizeof text) ? text : "";
}

std::uint16_t port_of(const socket_address& of) {
  return ntohs(of.base.sa_family == AF_INET ? of.v4.sin_port : of.v6.sin6_port);
}

listening_socket listen_on(socket_address where, socklen_t size, int backlog) {
  listening_socket out;
  out.descriptor = ::socket(where.base.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (out.descriptor < 0) return out;
  int yes = 1;
  setsockopt(out.descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::bind(out.descriptor, &where.base, size) != 0 || ::listen(out.descriptor, backlog) != 0 ||
      ::getsockname(out.descriptor, &where.base, &size) != 0) {
    const int why = errno;
    ::close(out.descriptor);
    errno = why;
    return {};
  }
  out.port = port_of(where);
  return out;
}

}  // namespace troupe::runtime
