// Stale UDP connections by libnetfilter_conntrack, loaded by dlopen.
#include "actors/kube_proxy/conntrack.hpp"

#include <cerrno>
#include <cstring>
#include <map>
#include <set>

#include <arpa/inet.h>

#include <libnetfilter_conntrack/libnetfilter_conntrack.h>

#include "actors/kube_proxy/shared_library.hpp"

namespace troupe::kube_proxy {
namespace {

struct conntrack_functions {
  decltype(&nfct_open) open = nullptr;
  decltype(&nfct_close) close = nullptr;
  decltype(&nfct_callback_register) on_entry = nullptr;
  decltype(&nfct_query) query = nullptr;
  decltype(&nfct_get_attr_u8) u8 = nullptr;
  decltype(&nfct_get_attr_u16) u16 = nullptr;
  decltype(&nfct_get_attr_u32) u32 = nullptr;
  decltype(&nfct_destroy) destroy = nullptr;
  std::string missing;
};

const conntrack_functions& conntrack_library() {
  static const conntrack_functions loaded = [] {
    conntrack_functions f;
    shared_library from("libnetfilter_conntrack.so.3",
                        "libnetfilter_conntrack cannot be loaded (Debian: libnetfilter-conntrack3)");
    from.find("nfct_open", f.open)
        .find("nfct_close", f.close)
        .find("nfct_callback_register", f.on_entry)
        .find("nfct_query", f.query)
        .find("nfct_get_attr_u8", f.u8)
        .find("nfct_get_attr_u16", f.u16)
        .find("nfct_get_attr_u32", f.u32)
        .find("nfct_destroy", f.destroy);
    f.missing = from.missing();
    return f;
  }();
  return loaded;
}

/// What the kernel's table is read for.
struct search {
  std::map<frontend, std::set<backend>> allowed;
  std::vector<nf_conntrack*> stale;
};

bool is_stale(const search& asked, const nf_conntrack* flow) {
  const auto& lib = conntrack_library();
  if (lib.u8(flow, ATTR_ORIG_L4PROTO) != udp) return false;
  auto port = ntohs(lib.u16(flow, ATTR_ORIG_PORT_DST));
  auto destination = ntohl(lib.u32(flow, ATTR_ORIG_IPV4_DST));
  backend served_by{ntohl(lib.u32(flow, ATTR_REPL_IPV4_SRC)), ntohs(lib.u16(flow, ATTR_REPL_PORT_SRC))};
  auto found = asked.allowed.find({false, udp, port, destination});
  if (found != asked.allowed.end()) return found->second.count(served_by) == 0;
  found = asked.allowed.find({true, udp, port, 0});
  if (found == asked.allowed.end() || found->second.count(served_by) > 0) return false;
  // The same port of another machine, reached through this one, is no node port of ours.
  bool translated = served_by != backend{destination, port};
  return translated || (lib.u32(flow, ATTR_STATUS) & IPS_SEEN_REPLY) == 0;
}

int on_entry(enum nf_conntrack_msg_type, nf_conntrack* flow, void* data) {
  auto& asked = *static_cast<search*>(data);
  if (!is_stale(asked, flow)) return NFCT_CB_CONTINUE;
  asked.stale.push_back(flow);
  return NFCT_CB_STOLEN;
}

}  // namespace

std::string forget_stale_flows(const std::vector<flow_check>& checks, std::size_t& forgotten) {
  forgotten = 0;
  const auto& lib = conntrack_library();
  if (!lib.missing.empty()) return lib.missing;
  search asked;
  for (const auto& check : checks) asked.allowed[check.at].insert(check.backends.begin(), check.backends.end());
  auto* handle = lib.open(CONNTRACK, 0);
  if (!handle) return std::string("connection tracking: ") + std::strerror(errno);
  std::uint32_t family = AF_INET;
  lib.on_entry(handle, NFCT_T_ALL, on_entry, &asked);
  std::string error;
  if (lib.query(handle, NFCT_Q_DUMP, &family) < 0) error = std::string("connection tracking: ") + std::strerror(errno);
  for (auto* flow : asked.stale) {
    if (lib.query(handle, NFCT_Q_DESTROY, flow) == 0)
      ++forgotten;
    else if (errno != ENOENT)
      error = std::string("connection tracking: ") + std::strerror(errno);
    lib.destroy(flow);
  }
  lib.close(handle);
  return error;
}

}  // namespace troupe::kube_proxy
