// Requests to the kernel's routing tables, rtnetlink(7): the few that change links, addresses and routes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <linux/netlink.h>

namespace troupe::runtime {

/// One request: a header, a body (rtmsg, ifaddrmsg, ...) and its attributes, 256 bytes in all.
class netlink_request {
 public:
  template <class Body>
  netlink_request(std::uint16_t type, int flags, const Body& body) {
    start(type, flags);
    append(&body, sizeof body);
  }
  /// An attribute, in the order of the calls.
  void add(std::uint16_t type, const void* value, std::size_t size);
  template <class Value>
  void add(std::uint16_t type, const Value& value) {
    add(type, &value, sizeof value);
  }
  const nlmsghdr& header() const { return *reinterpret_cast<const nlmsghdr*>(bytes_); }

 private:
  nlmsghdr& header() { return *reinterpret_cast<nlmsghdr*>(bytes_); }
  void start(std::uint16_t type, int flags);
  void append(const void* value, std::size_t size);

  alignas(nlmsghdr) char bytes_[256] = {};
};

/// A socket in the network namespace that the process is in. Calls take microseconds.
class netlink_socket {
 public:
  netlink_socket();
  ~netlink_socket();
  netlink_socket(const netlink_socket&) = delete;
  netlink_socket& operator=(const netlink_socket&) = delete;

  /// Has the request carried out: 0, or an errno (EPERM without CAP_NET_ADMIN).
  int change(const netlink_request& what) const;
  /// Hands out each message of the answer to a request with NLM_F_DUMP.
  void dump(const netlink_request& what, const std::function<void(nlmsghdr&)>& each) const;

 private:
  int socket_;
};

/// The errno's text; empty for 0.
std::string netlink_error(int error);

}  // namespace troupe::runtime
