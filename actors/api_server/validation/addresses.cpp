// IP addresses and prefixes as Go's net package reads and prints them.
#include <arpa/inet.h>

#include <cstring>

#include "actors/api_server/validation/names.hpp"

namespace troupe::api::rules {
namespace {

/// Four decimal numbers; leading zeros are noted, not refused.
bool read_v4(std::string_view value, unsigned char* out, bool& zeros) {
  for (int part = 0; part < 4; ++part) {
    std::size_t length = 0;
    unsigned number = 0;
    while (length < value.size() && value[length] >= '0' && value[length] <= '9' && number < 256)
      number = number * 10 + static_cast<unsigned>(value[length++] - '0');
    if (length == 0 || number > 255) return false;
    if (length > 1 && value[0] == '0') zeros = true;
    out[part] = static_cast<unsigned char>(number);
    value.remove_prefix(length);
    if (part == 3) break;
    if (value.empty() || value[0] != '.') return false;
    value.remove_prefix(1);
  }
  return value.empty();
}

bool is_mapped(const unsigned char* bytes) {
  constexpr unsigned char prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::memcmp(bytes, prefix, 12) == 0;
}

constexpr const char* bad_ip = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
constexpr const char* bad_cidr = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

bool read_ip(error_list& errors, const path& at, std::string_view value, ip_address& out) {
  out = parse_ip(value);
  if (!out.valid) {
    errors.invalid(at, value, bad_ip);
    return false;
  }
  if (out.zeros) errors.invalid(at, value, "must not have leading 0s");
  if (out.mapped) errors.invalid(at, value, "must not be an IPv4-mapped IPv6 address");
  return !out.zeros && !out.mapped;
}

/// The prefix with the bits behind its length cleared.
ip_prefix masked(ip_prefix p) {
  const int total = p.address.v4 ? 32 : 128;
  unsigned char* bytes = p.address.bytes + (p.address.v4 ? 12 : 0);
  for (int bit = p.bits; bit < total; ++bit) bytes[bit / 8] &= static_cast<unsigned char>(~(0x80 >> (bit % 8)));
  return p;
}

bool read_cidr(error_list& errors, const path& at, std::string_view value, ip_prefix& out) {
  out = parse_prefix(value);
  if (!out.valid) {
    errors.invalid(at, value, bad_cidr);
    return false;
  }
  const auto network = masked(out);
  const auto slash = value.find('/');
  if (out.address.zeros || (value[slash + 1] == '0' && value.size() > slash + 2))
    errors.invalid(at, value, "must not have leading 0s in IP or prefix length");
  else if (out.address.mapped)
    errors.invalid(at, value, "must not have an IPv4-mapped IPv6 address");
  else if (std::memcmp(network.address.bytes, out.address.bytes, 16) != 0)
    errors.invalid(at, value, "must not have bits set beyond the prefix length");
  else
    return true;
  return false;
}

}  // namespace

ip_address parse_ip(std::string_view value) {
  ip_address out;
  if (value.find(':') == std::string_view::npos) {
    out.v4 = out.valid = read_v4(value, out.bytes + 12, out.zeros);
    if (out.valid) out.bytes[10] = out.bytes[11] = 0xff;
    return out;
  }
  const std::string text(value);
  out.valid = inet_pton(AF_INET6, text.c_str(), out.bytes) == 1;
  out.mapped = out.valid && is_mapped(out.bytes);
  out.v4 = out.mapped;
  return out;
}

std::string ip_address::canonical() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  if (v4)
    inet_ntop(AF_INET, bytes + 12, buffer, sizeof buffer);
  else
    inet_ntop(AF_INET6, bytes, buffer, sizeof buffer);
  return buffer;
}

bool ip_address::loopback() const {
  if (v4) return bytes[12] == 127;
  constexpr unsigned char one[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return std::memcmp(bytes, one, 16) == 0;
}
bool ip_address::unspecified() const {
  constexpr unsigned char zero[16] = {};
  return v4 ? std::memcmp(bytes + 12, zero, 4) == 0 : std::memcmp(bytes, zero, 16) == 0;
}
bool ip_address::link_local_unicast() const {
  return v4 ? bytes[12] == 169 && bytes[13] == 254 : bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}
bool ip_address::link_local_multicast() const {
  return v4 ? bytes[12] == 224 && bytes[13] == 0 && bytes[14] == 0 : bytes[0] == 0xff && (bytes[1] & 0x0f) == 0x02;
}

ip_prefix parse_prefix(std::string_view value) {
  ip_prefix out;
  const auto slash = value.find('/');
  if (slash == std::string_view::npos) return out;
  out.address = parse_ip(value.substr(0, slash));
  const auto digits = value.substr(slash + 1);
  if (!out.address.valid || digits.empty() || digits.size() > 3) return out;
  for (char c : digits) {
    if (c < '0' || c > '9') return out;
    out.bits = out.bits * 10 + (c - '0');
  }
  const int total = out.address.v4 && !out.address.mapped ? 32 : 128;
  out.valid = out.bits <= total;
  if (out.address.mapped) out.bits = out.bits >= 96 ? out.bits - 96 : 0;
  return out;
}

std::string ip_prefix::canonical() const { return masked(*this).address.canonical() + "/" + std::to_string(bits); }

void check_legacy_ip(error_list& errors, const path& at, std::string_view value) {
  ip_address ignored;
  read_ip(errors, at, value, ignored);
}

void check_ip(error_list& errors, const path& at, std::string_view value) {
  ip_address ip;
  if (!read_ip(errors, at, value, ip)) return;
  if (const auto canonical = ip.canonical(); canonical != value)
    errors.invalid(at, value, "must be in canonical form (" + go_quote(canonical) + ")");
}

void check_legacy_cidr(error_list& errors, const path& at, std::string_view value) {
  ip_prefix ignored;
  read_cidr(errors, at, value, ignored);
}

void check_cidr(error_list& errors, const path& at, std::string_view value) {
  ip_prefix prefix;
  if (!read_cidr(errors, at, value, prefix)) return;
  if (const auto canonical = prefix.canonical(); canonical != value)
    errors.invalid(at, value, "must be in canonical form (" + go_quote(canonical) + ")");
}

}  // namespace troupe::api::rules
