// Batches as text for nft: the table's fixed part, its chains and its elements.
#pragma once

#include <string>

#include "actors/kube_proxy/core.hpp"

namespace troupe::kube_proxy {

/// The table, in family ip. IPv6 has none yet.
constexpr const char* table_name = "troupe";

/// What the table's rules depend on besides the Services.
struct script_options {
  address_range pods;  // addresses of the cluster's pods; sources outside are masqueraded
};

/// The commands that carry out a batch, to be run as one transaction.
std::string script_for(const batch& what, const script_options& options);
/// The commands that remove the table, if it is there.
std::string removal_script();
/// "inside_3", "node_port_outside_2_10800s".
std::string chain_name(const chain_id& id);

}  // namespace troupe::kube_proxy
