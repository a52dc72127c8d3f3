// See announcer.hpp.
#include "actors/kube_proxy/announcer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/kube_proxy/decode.hpp"
#include "runtime/netlink.hpp"

namespace troupe::kube_proxy {
namespace {

/// An ARP request for one's own address, to everybody: who knew it at another place learns the new one
/// (RFC 5227, section 3: an ARP announcement).
struct __attribute__((packed)) arp_announcement {
  std::uint16_t hardware = htons(ARPHRD_ETHER), protocol = htons(ETHERTYPE_IP);
  std::uint8_t hardware_size = ETH_ALEN, protocol_size = 4;
  std::uint16_t operation = htons(ARPOP_REQUEST);
  unsigned char sender[ETH_ALEN] = {};
  std::uint32_t sender_ip = 0;
  unsigned char target[ETH_ALEN] = {};
  std::uint32_t target_ip = 0;
};

/// The Ethernet interface that has the address: its number and hardware address.
std::optional<sockaddr_ll> interface_of(const std::string& machine) {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return std::nullopt;
  std::string name;
  std::optional<sockaddr_ll> out;
  auto wanted = parse_address(machine);
  for (auto* one = all; one && wanted; one = one->ifa_next)
    if (one->ifa_addr && one->ifa_addr->sa_family == AF_INET &&
        ntohl(reinterpret_cast<sockaddr_in*>(one->ifa_addr)->sin_addr.s_addr) == *wanted)
      name = one->ifa_name;
  for (auto* one = all; one; one = one->ifa_next)
    if (one->ifa_addr && one->ifa_addr->sa_family == AF_PACKET && name == one->ifa_name)
      out = *reinterpret_cast<sockaddr_ll*>(one->ifa_addr);
  freeifaddrs(all);
  return out && out->sll_hatype == ARPHRD_ETHER ? out : std::nullopt;
}

class lo_announcer final : public announcer {
 public:
  explicit lo_announcer(std::string machine) : machine_(std::move(machine)), lo_(if_nametoindex("lo")) {}

  std::string hold(const std::vector<address>& ips) override {
    std::string trouble;
    auto note = [&](address ip, int error) {
      if (error != 0 && trouble.empty()) trouble = to_text(ip).append(": ").append(runtime::netlink_error(error));
    };
    auto had = ours();
    for (auto ip : had)
      if (std::find(ips.begin(), ips.end(), ip) == ips.end()) note(ip, change(RTM_DELADDR, 0, ip));
    for (auto ip : ips) {
      if (std::find(had.begin(), had.end(), ip) != had.end()) continue;
      auto error = change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ip);
      note(ip, error);
      if (error == 0) tell_neighbours(ip);
    }
    return trouble;
  }

 private:
  int change(std::uint16_t type, int flags, address ip) const {
    ifaddrmsg body{};
    body.ifa_family = AF_INET;
    body.ifa_prefixlen = 32;
    body.ifa_scope = RT_SCOPE_HOST;
    body.ifa_index = lo_;
    runtime::netlink_request ask(type, flags | NLM_F_ACK, body);
    ask.add(IFA_LOCAL, htonl(ip));
    ask.add(IFA_LABEL, announced_label, std::strlen(announced_label) + 1);
    return socket_.change(ask);
  }

  std::vector<address> ours() const {
    ifaddrmsg body{};
    body.ifa_family = AF_INET;
    std::vector<address> out;
    socket_.dump({RTM_GETADDR, NLM_F_DUMP, body}, [&](nlmsghdr& one) {
      auto left = static_cast<unsigned>(IFA_PAYLOAD(&one));
      std::string_view label;
      address ip = 0;
      for (auto* at = IFA_RTA(NLMSG_DATA(&one)); RTA_OK(at, left); at = RTA_NEXT(at, left)) {
        if (at->rta_type == IFA_LABEL) label = static_cast<const char*>(RTA_DATA(at));
        if (at->rta_type == IFA_LOCAL) std::memcpy(&ip, RTA_DATA(at), sizeof ip);
      }
      if (label == announced_label) out.push_back(ntohl(ip));
    });
    return out;
  }

  /// Where it cannot be done, neighbours learn when they ask anew.
  void tell_neighbours(address ip) const {
    auto from = interface_of(machine_);
    if (!from) return;
    auto sender = ::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sender < 0) return;
    arp_announcement text;
    std::memcpy(text.sender, from->sll_addr, ETH_ALEN);
    text.sender_ip = text.target_ip = htonl(ip);
    from->sll_protocol = htons(ETHERTYPE_ARP);
    from->sll_halen = ETH_ALEN;
    std::memset(from->sll_addr, 0xff, ETH_ALEN);
    ::sendto(sender, &text, sizeof text, 0, reinterpret_cast<sockaddr*>(&*from), sizeof *from);
    ::close(sender);
  }

  std::string machine_;
  unsigned lo_;
  runtime::netlink_socket socket_;
};

}  // namespace

std::unique_ptr<announcer> kernel_announcer(std::string machine) {
  return std::make_unique<lo_announcer>(std::move(machine));
}

}  // namespace troupe::kube_proxy
