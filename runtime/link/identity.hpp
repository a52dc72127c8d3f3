// Who may be at the other end of a link, by its certificate's subject.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/status.hpp"

namespace troupe::link {

/// What a verified certificate says.
struct peer_certificate {
  std::string common_name;
  std::vector<std::string> organizations;
  std::uint64_t end_ms = 0;  // wall clock when it expires
};

/// The node's name of a node's certificate: "system:node:NAME" in the organization system:nodes, as kubelets have them
/// (https://kubernetes.io/docs/reference/access-authn-authz/node/). Anything else is refused, administrators too: a
/// link is for nodes.
result<std::string> node_of(const peer_certificate& peer);

/// Whether this is the control plane's certificate. The cluster's authority signs node certificates too, so that
/// "signed by the authority" is not enough: its common name must be kube-apiserver, which no signer grants a node.
status judge_control_plane(const peer_certificate& peer);

}  // namespace troupe::link
