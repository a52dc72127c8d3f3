// See netlink.hpp.
#include "runtime/netlink.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::runtime {

void netlink_request::start(std::uint16_t type, int flags) {
  header().nlmsg_type = type;
  header().nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  header().nlmsg_len = NLMSG_HDRLEN;
}

void netlink_request::append(const void* value, std::size_t size) {
  auto at = NLMSG_ALIGN(header().nlmsg_len);
  if (at + size > sizeof bytes_) throw std::length_error("netlink: a request is too long");
  std::memcpy(bytes_ + at, value, size);
  header().nlmsg_len = static_cast<std::uint32_t>(at + size);
}

void netlink_request::add(std::uint16_t type, const void* value, std::size_t size) {
  rtattr head{static_cast<std::uint16_t>(RTA_LENGTH(size)), type};
  append(&head, sizeof head);
  append(value, size);
}

netlink_socket::netlink_socket() : socket_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {}

netlink_socket::~netlink_socket() {
  if (socket_ >= 0) ::close(socket_);
}

int netlink_socket::change(const netlink_request& what) const {
  auto ask = what.header();
  alignas(nlmsghdr) char buffer[1024];
  if (::send(socket_, &what.header(), ask.nlmsg_len, 0) < 0) return errno;
  auto size = ::recv(socket_, buffer, sizeof buffer, 0);
  if (size < 0) return errno;
  auto* answer = reinterpret_cast<nlmsghdr*>(buffer);
  if (!NLMSG_OK(answer, static_cast<unsigned>(size)) || answer->nlmsg_type != NLMSG_ERROR) return EPROTO;
  return -static_cast<nlmsgerr*>(NLMSG_DATA(answer))->error;
}

void netlink_socket::dump(const netlink_request& what, const std::function<void(nlmsghdr&)>& each) const {
  if (::send(socket_, &what.header(), what.header().nlmsg_len, 0) < 0) return;
  alignas(nlmsghdr) char buffer[32768];
  for (;;) {
    auto size = ::recv(socket_, buffer, sizeof buffer, 0);
    if (size <= 0) return;
    auto left = static_cast<unsigned>(size);
    for (auto* one = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(one, left); one = NLMSG_NEXT(one, left)) {
      if (one->nlmsg_type == NLMSG_DONE || one->nlmsg_type == NLMSG_ERROR) return;
      each(*one);
    }
  }
}

std::string netlink_error(int error) { return error == 0 ? std::string() : std::string(std::strerror(error)); }

}  // namespace troupe::runtime
