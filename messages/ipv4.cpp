// See ipv4.hpp.
#include "messages/ipv4.hpp"

#include "messages/number.hpp"

namespace troupe {
namespace {

/// Decimal, without leading zeros.
template <class Number>
std::optional<Number> plain_number(std::string_view text) {
  if (text.size() > 1 && text[0] == '0') return std::nullopt;
  return number_in<Number>(text);
}

}  // namespace

std::optional<ipv4_address> ipv4_in(std::string_view text) {
  ipv4_address out = 0;
  for (int i = 0; i < 4; ++i) {
    auto dot = i < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos) return std::nullopt;
    auto value = plain_number<std::uint8_t>(text.substr(0, dot));
    if (!value) return std::nullopt;
    out = out << 8 | *value;
    text.remove_prefix(i < 3 ? dot + 1 : dot);
  }
  return out;
}

std::string ipv4_text(ipv4_address address) {
  std::string out;
  for (unsigned shift : {24u, 16u, 8u, 0u}) {
    out.append(std::to_string(address >> shift & 255));
    if (shift) out.push_back('.');
  }
  return out;
}

std::optional<ipv4_block> ipv4_block_in(std::string_view text) {
  auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto base = ipv4_in(text.substr(0, slash));
  auto bits = plain_number<std::uint32_t>(text.substr(slash + 1));
  if (!base || !bits || *bits > 32) return std::nullopt;
  return ipv4_block{*base, *bits};
}

bool is_pod_range(std::string_view cluster, std::string_view pod_cidr) {
  auto all = ipv4_block_in(cluster), one = ipv4_block_in(pod_cidr);
  return all && one && one->bits == 24 && one->base == one->first() && all->bits <= 24 && all->overlaps(*one);
}

std::optional<ipv4_pool> ipv4_pool_in(std::string_view text) {
  if (auto block = ipv4_block_in(text)) {
    const ipv4_address trim = block->bits < 31 ? 1 : 0;
    return ipv4_pool{block->first() + trim, block->last() - trim};
  }
  auto dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  auto first = ipv4_in(text.substr(0, dash)), last = ipv4_in(text.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return ipv4_pool{*first, *last};
}

}  // namespace troupe
