// See routes.hpp. Format: rtnetlink(7).
#include "actors/pod_network/routes.hpp"

#include <cerrno>
#include <cstring>
#include <optional>

#include <arpa/inet.h>
#include <linux/rtnetlink.h>

#include "messages/ipv4.hpp"
#include "runtime/netlink.hpp"

namespace troupe::pod_network {
namespace {

using runtime::netlink_error;
using runtime::netlink_request;

// Numbers from 5 on are free for routing daemons; /etc/iproute2/rt_protos names none by this one.
constexpr unsigned char our_protocol = 84;

class kernel_table final : public route_table {
 public:
  std::string set(const std::string& pod_cidr, const std::string& via) override {
    auto block = ipv4_block_in(pod_cidr);
    auto gateway = ipv4_in(via);
    if (!block || !gateway) return "no IPv4 route: " + pod_cidr + " via " + via;
    auto ask = request_to(*block, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
    ask.add(RTA_GATEWAY, htonl(*gateway));
    return netlink_error(socket_.change(ask));
  }

  std::string drop(const std::string& pod_cidr) override {
    auto block = ipv4_block_in(pod_cidr);
    if (!block) return "no IPv4 range: " + pod_cidr;
    auto error = socket_.change(request_to(*block, RTM_DELROUTE, 0));
    return error == ESRCH ? std::string() : netlink_error(error);
  }

  std::vector<std::string> ours() override {
    std::vector<std::string> out;
    rtmsg body{};
    body.rtm_family = AF_INET;
    socket_.dump({RTM_GETROUTE, NLM_F_DUMP, body}, [&](nlmsghdr& one) {
      if (auto range = our_range(one); !range.empty()) out.push_back(std::move(range));
    });
    return out;
  }

 private:
  static netlink_request request_to(const ipv4_block& block, unsigned short type, int flags) {
    rtmsg body{};
    body.rtm_family = AF_INET;
    body.rtm_dst_len = static_cast<unsigned char>(block.bits);
    body.rtm_table = RT_TABLE_MAIN;
    body.rtm_protocol = our_protocol;
    body.rtm_scope = type == RTM_NEWROUTE ? RT_SCOPE_UNIVERSE : RT_SCOPE_NOWHERE;
    body.rtm_type = RTN_UNICAST;
    netlink_request ask(type, flags | NLM_F_ACK, body);
    ask.add(RTA_DST, htonl(block.base));
    return ask;
  }

  static std::string our_range(nlmsghdr& of) {
    auto* route = static_cast<rtmsg*>(NLMSG_DATA(&of));
    if (route->rtm_protocol != our_protocol || route->rtm_table != RT_TABLE_MAIN) return {};
    auto left = static_cast<unsigned>(RTM_PAYLOAD(&of));
    for (auto* at = RTM_RTA(route); RTA_OK(at, left); at = RTA_NEXT(at, left)) {
      if (at->rta_type != RTA_DST) continue;
      std::uint32_t base = 0;
      std::memcpy(&base, RTA_DATA(at), sizeof base);
      return ipv4_text(ntohl(base)).append("/").append(std::to_string(route->rtm_dst_len));
    }
    return {};
  }

  runtime::netlink_socket socket_;
};

}  // namespace

std::unique_ptr<route_table> kernel_routes() { return std::make_unique<kernel_table>(); }

}  // namespace troupe::pod_network
