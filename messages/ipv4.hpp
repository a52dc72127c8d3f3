// IPv4 addresses and ranges in texts, in one spelling only: whoever compares texts may rely on it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace troupe {

/// An address in host byte order.
using ipv4_address = std::uint32_t;

/// "10.0.0.1": four decimal numbers without leading zeros; nothing for another text.
std::optional<ipv4_address> ipv4_in(std::string_view text);
std::string ipv4_text(ipv4_address address);

/// Addresses that begin with the same bits.
struct ipv4_block {
  ipv4_address base = 0;   // as it was written: bits after the prefix may be set
  std::uint32_t bits = 0;  // length of the prefix, 0..32

  ipv4_address mask() const { return bits == 0 ? 0 : ~ipv4_address{0} << (32 - bits); }
  ipv4_address first() const { return base & mask(); }
  ipv4_address last() const { return base | ~mask(); }
  bool overlaps(const ipv4_block& other) const { return first() <= other.last() && other.first() <= last(); }
};
/// "10.244.0.0/16"; nothing for another text.
std::optional<ipv4_block> ipv4_block_in(std::string_view text);

/// Whether it is what the node-ipam-controller gives: a whole /24 of the cluster's range of pods. Anything else would
/// draw traffic that is not for that node's pods: all of the cluster's, or a machine's own network.
bool is_pod_range(std::string_view cluster, std::string_view pod_cidr);

/// Addresses that machines or Services may have, from the first to the last.
struct ipv4_pool {
  ipv4_address first = 0, last = 0;
  bool contains(ipv4_address one) const { return first <= one && one <= last; }
};
/// Of "FIRST-LAST", or of a block: less its first and last address, which are the network and everyone in it, where it
/// has more than two. Nothing for another text, or when the first is after the last.
std::optional<ipv4_pool> ipv4_pool_in(std::string_view text);

}  // namespace troupe
