// Which ranges this machine's nodes have, and which routes lead to the pods of other machines: by way of their nodes'
// addresses (host gateway), so all nodes share one link of the network.
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

namespace troupe::pod_network {

// -- events

/// A node as the API shows it.
struct node_observed {
  std::string name;
  std::string address;   // InternalIP; may be empty
  std::string pod_cidr;  // may be empty
};
/// It is no longer there.
struct node_removed {
  std::string name;
};
/// All nodes have been observed once: routes of an earlier process that lead nowhere may go.
struct nodes_known {};
using event = std::variant<node_observed, node_removed, nodes_known>;

// -- effects

/// A node of this machine has this range.
struct use_range {
  std::string node;
  std::string pod_cidr;
};
/// Packets to that range go by way of that address, whatever the route was before.
struct set_route {
  std::string pod_cidr;
  std::string via;
};
struct drop_route {
  std::string pod_cidr;
};
/// Every route of ours but those to these ranges goes.
struct keep_routes {
  std::vector<std::string> pod_cidrs;
};
/// A node of another machine claims a range that no node is given here: no route leads there.
struct range_refused {
  std::string node;
  std::string pod_cidr;
};
using effect = std::variant<use_range, set_route, drop_route, keep_routes, range_refused>;

struct state {
  std::string cluster;                     // all pods' range, "10.244.0.0/16"; nodes have whole /24 parts of it
  std::string address;                     // this machine's; nodes that share it need no route
  std::map<std::string, std::string> own;  // this machine's nodes; the range each one has, or nothing yet
  std::map<std::string, node_observed> others;
  std::map<std::string, std::string> routes;  // by range: via
};

/// One event in, its consequences out.
std::vector<effect> step(state& s, const event& e);

}  // namespace troupe::pod_network
