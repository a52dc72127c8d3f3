// Shared by the rules of Services: strategy, allocation, validation.
#pragma once

#include <string_view>

#include "actors/api_server/validation/field_errors.hpp"
#include "messages/document.hpp"

namespace troupe::api::rules {

/// clusterIPs is ["None"].
bool is_headless(const node* spec);
/// Reachable from outside: a load balancer, a node port, or external IPs.
bool externally_accessible(const node* spec);
/// A load balancer that must ask each node whether it has endpoints.
bool needs_health_check(const node* spec);
/// An address that endpoints may have: no loopback, no link-local one.
void check_endpoint_ip(error_list& errors, const path& at, std::string_view value);

/// clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy against each other.
void check_cluster_ips(error_list& errors, const path& spec_path, const node* spec);
/// What may change of them.
void check_cluster_ip_change(error_list& errors, const path& spec_path, const node* spec, const node* previous);

}  // namespace troupe::api::rules
