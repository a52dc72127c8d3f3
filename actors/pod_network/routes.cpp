// See routes.hpp. Format: rtnetlink(7).
#include "actors/pod_network/routes.hpp"

#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "messages/number.hpp"

namespace troupe::pod_network {
namespace {

// Numbers from 5 on are free for routing daemons; /etc/iproute2/rt_protos names none by this one.
constexpr unsigned char our_protocol = 84;

struct route_request {
  nlmsghdr header{};
  rtmsg route{};
  char attributes[64] = {};

  void add(unsigned short type, const in_addr& address) {
    auto* at = reinterpret_cast<rtattr*>(reinterpret_cast<char*>(this) + NLMSG_ALIGN(header.nlmsg_len));
    at->rta_type = type;
    at->rta_len = RTA_LENGTH(sizeof address);
    std::memcpy(RTA_DATA(at), &address, sizeof address);
    header.nlmsg_len = NLMSG_ALIGN(header.nlmsg_len) + RTA_LENGTH(sizeof address);
  }
};

class kernel_table final : public route_table {
 public:
  kernel_table() : socket_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {}
  ~kernel_table() override {
    if (socket_ >= 0) ::close(socket_);
  }

  std::string set(const std::string& pod_cidr, const std::string& via) override {
    auto ask = request_to(pod_cidr, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK);
    in_addr gateway{};
    if (ask.header.nlmsg_len == 0 || inet_pton(AF_INET, via.c_str(), &gateway) != 1)
      return "no IPv4 route: " + pod_cidr + " via " + via;
    ask.add(RTA_GATEWAY, gateway);
    return text_of(exchange(ask));
  }

  std::string drop(const std::string& pod_cidr) override {
    auto ask = request_to(pod_cidr, RTM_DELROUTE, NLM_F_ACK);
    if (ask.header.nlmsg_len == 0) return "no IPv4 range: " + pod_cidr;
    auto error = exchange(ask);
    return error == ESRCH ? std::string() : text_of(error);
  }

  std::vector<std::string> ours() override {
    std::vector<std::string> out;
    route_request ask;
    ask.header.nlmsg_type = RTM_GETROUTE;
    ask.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    ask.header.nlmsg_len = NLMSG_LENGTH(sizeof(rtmsg));
    ask.route.rtm_family = AF_INET;
    if (::send(socket_, &ask, ask.header.nlmsg_len, 0) < 0) return out;
    alignas(nlmsghdr) char buffer[32768];
    for (;;) {
      auto size = ::recv(socket_, buffer, sizeof buffer, 0);
      if (size <= 0) return out;
      auto left = static_cast<unsigned>(size);
      for (auto* one = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(one, left); one = NLMSG_NEXT(one, left)) {
        if (one->nlmsg_type == NLMSG_DONE || one->nlmsg_type == NLMSG_ERROR) return out;
        if (auto range = our_range(one); !range.empty()) out.push_back(std::move(range));
      }
    }
  }

 private:
  /// An empty request for a text that is no range.
  static route_request request_to(const std::string& pod_cidr, unsigned short type, int flags) {
    route_request ask;
    auto slash = pod_cidr.find('/');
    in_addr base{};
    auto bits = slash == std::string::npos ? std::optional<unsigned char>()
                                           : number_in<unsigned char>(std::string_view(pod_cidr).substr(slash + 1));
    if (!bits || *bits > 32 || inet_pton(AF_INET, pod_cidr.substr(0, slash).c_str(), &base) != 1) return ask;
    ask.header.nlmsg_type = type;
    ask.header.nlmsg_flags = static_cast<unsigned short>(NLM_F_REQUEST | flags);
    ask.header.nlmsg_len = NLMSG_LENGTH(sizeof(rtmsg));
    ask.route.rtm_family = AF_INET;
    ask.route.rtm_dst_len = *bits;
    ask.route.rtm_table = RT_TABLE_MAIN;
    ask.route.rtm_protocol = our_protocol;
    ask.route.rtm_scope = type == RTM_NEWROUTE ? RT_SCOPE_UNIVERSE : RT_SCOPE_NOWHERE;
    ask.route.rtm_type = RTN_UNICAST;
    ask.add(RTA_DST, base);
    return ask;
  }

  static std::string our_range(nlmsghdr* of) {
    auto* route = static_cast<rtmsg*>(NLMSG_DATA(of));
    if (route->rtm_protocol != our_protocol || route->rtm_table != RT_TABLE_MAIN) return {};
    auto left = static_cast<unsigned>(RTM_PAYLOAD(of));
    for (auto* at = RTM_RTA(route); RTA_OK(at, left); at = RTA_NEXT(at, left)) {
      char text[INET_ADDRSTRLEN] = {};
      if (at->rta_type == RTA_DST && inet_ntop(AF_INET, RTA_DATA(at), text, sizeof text))
        return std::string(text).append("/").append(std::to_string(route->rtm_dst_len));
    }
    return {};
  }

  /// The kernel's answer to one request: an errno, or 0.
  int exchange(const route_request& ask) const {
    alignas(nlmsghdr) char buffer[1024];
    if (::send(socket_, &ask, ask.header.nlmsg_len, 0) < 0) return errno;
    auto size = ::recv(socket_, buffer, sizeof buffer, 0);
    if (size < 0) return errno;
    auto* answer = reinterpret_cast<nlmsghdr*>(buffer);
    if (!NLMSG_OK(answer, static_cast<unsigned>(size)) || answer->nlmsg_type != NLMSG_ERROR) return EPROTO;
    return -static_cast<nlmsgerr*>(NLMSG_DATA(answer))->error;
  }

  static std::string text_of(int error) { return error == 0 ? std::string() : std::string(std::strerror(error)); }

  int socket_;
};

}  // namespace

std::unique_ptr<route_table> kernel_routes() { return std::make_unique<kernel_table>(); }

}  // namespace troupe::pod_network
