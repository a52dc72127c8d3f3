// Checks of single strings: names, labels, ports, addresses. Each gives what is wrong in Kubernetes' words, or nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "actors/api_server/validation/field_errors.hpp"

namespace troupe::api::rules {

messages dns1123_label(std::string_view value);
messages dns1123_subdomain(std::string_view value);
messages dns1123_subdomain_with_underscore(std::string_view value);
messages wildcard_dns1123_subdomain(std::string_view value);
messages dns1035_label(std::string_view value);
/// A label or annotation key, a finalizer: [prefix/]name.
messages qualified_name(std::string_view value);
messages label_value(std::string_view value);
messages path_segment_name(std::string_view value);
messages path_segment_prefix(std::string_view value);
messages c_identifier(std::string_view value);
messages port_name(std::string_view value);
messages port_number(std::int64_t value);
messages in_range(std::int64_t value, std::int64_t low, std::int64_t high);
messages user_id(std::int64_t value);
messages group_id(std::int64_t value);
messages percent(std::string_view value);
messages http_header_name(std::string_view value);
/// Printable ASCII without '='.
messages environment_name(std::string_view value);
messages config_map_key(std::string_view value);

/// "must be between 1 and 65535, inclusive"
std::string range_message(std::int64_t low, std::int64_t high);

/// ASCII letters made small.
std::string lower_case(std::string_view value);
constexpr bool lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

/// A check of metadata.name; `prefix` for generateName, where a trailing dash is fine.
using name_check = messages (*)(std::string_view name, bool prefix);
messages name_is_subdomain(std::string_view name, bool prefix);
messages name_is_label(std::string_view name, bool prefix);
messages name_is_dns1035_label(std::string_view name, bool prefix);
messages name_is_path_segment(std::string_view name, bool prefix);
/// No check of its own.
messages name_is_anything(std::string_view name, bool prefix);

/// An address or prefix as Go's net package reads it: leading zeros are let pass unless `strict`.
struct ip_address {
  bool valid = false;
  bool v4 = false;
  bool mapped = false;  // written as an IPv4-mapped IPv6 address
  bool zeros = false;   // IPv4 with leading zeros
  unsigned char bytes[16] = {};
  std::string canonical() const;  // as net.IP.String()
  bool loopback() const;
  bool unspecified() const;
  bool link_local_unicast() const;
  bool link_local_multicast() const;
};
ip_address parse_ip(std::string_view value);
struct ip_prefix {
  ip_address address;
  int bits = 0;
  bool valid = false;
  std::string canonical() const;
};
ip_prefix parse_prefix(std::string_view value);
/// IsValidIPForLegacyField with strict reading; adds the errors.
void check_legacy_ip(error_list& errors, const path& at, std::string_view value);
/// IsValidIP: strict and canonical.
void check_ip(error_list& errors, const path& at, std::string_view value);
void check_legacy_cidr(error_list& errors, const path& at, std::string_view value);
void check_cidr(error_list& errors, const path& at, std::string_view value);

}  // namespace troupe::api::rules
