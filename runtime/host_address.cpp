#include "runtime/host_address.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>

#include <fstream>
#include <memory>
#include <sstream>

namespace troupe::runtime {
namespace {

// Interface of the default route in /proc/net/route: destination and mask are all zeros.
std::string default_interface() {
  std::ifstream routes("/proc/net/route");
  std::string line;
  while (std::getline(routes, line)) {
    std::istringstream fields(line);
    std::string name, destination, gateway, flags, count, use, metric, mask;
    fields >> name >> destination >> gateway >> flags >> count >> use >> metric >> mask;
    if (destination == "00000000" && mask == "00000000") return name;
  }
  return {};
}

}  // namespace

std::string host_address() {
  auto wanted = default_interface();
  ifaddrs* list = nullptr;
  if (wanted.empty() || getifaddrs(&list) != 0) return {};
  std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owned(list, freeifaddrs);
  for (const auto* one = list; one; one = one->ifa_next) {
    if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET || wanted != one->ifa_name) continue;
    if (!(one->ifa_flags & IFF_UP)) continue;
    char text[INET_ADDRSTRLEN] = {};
    const auto* address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
    if (inet_ntop(AF_INET, &address->sin_addr, text, sizeof text)) return text;
  }
  return {};
}

std::string advertise_address(const std::string& host) {
  bool unreachable = host.empty() || host == "localhost" || host == "0.0.0.0" || host == "::" || host == "::1" ||
                     host.starts_with("127.");
  return unreachable ? host_address() : host;
}

}  // namespace troupe::runtime
