// Who may be at the other end of a link, by its certificate's subject, and what it may do there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/status.hpp"
#include "runtime/link/frame.hpp"

namespace troupe::link {

/// What a verified certificate says.
struct peer_certificate {
  std::string common_name;
  std::vector<std::string> organizations;
  std::uint64_t end_ms = 0;  // wall clock when it expires
};

/// A component that may run in a process of its own.
struct lone_component {
  std::string_view name;  // as `components` of the configuration has it
  std::string_view user;  // common name of its certificate, and as whom it asks
};
/// Users as kubeadm's certificates and upstream's RBAC bindings name them.
inline constexpr lone_component lone_components[] = {
    {"scheduler", "system:kube-scheduler"},
    {"controller_manager", "system:kube-controller-manager"},
    {"cloud_controller_manager", "system:cloud-controller-manager"},
    {"kube_proxy", "system:kube-proxy"},
};
/// The user of a component by its name; empty for one that has no link.
std::string user_of_component(std::string_view name);

/// Whose link it is.
struct identity {
  std::string name;        // the node's; a component's user
  bool component = false;  // else it is a node
};

/// The node's name of a node's certificate: "system:node:NAME" in the organization system:nodes, as kubelets have them
/// (https://kubernetes.io/docs/reference/access-authn-authz/node/). Anything else is refused, administrators too.
result<std::string> node_of(const peer_certificate& peer);

/// A node (see node_of) or one of lone_components, whose certificates name no group. Anybody else is refused.
result<identity> identity_of(const peer_certificate& peer);

/// Whether the owner of a link may send the control plane such a frame: of a component nobody reads logs or has
/// streams.
bool may_send(const identity& who, frame_kind kind);

/// A user as the api_server is asked.
struct link_user {
  std::string name;
  std::vector<std::string> groups;  // without system:authenticated
};
/// Everyone as whom a link may ask, its own identity first. `accounts`: the service accounts in kube-system of the
/// controller manager's controllers, as which its link, and no other, may ask.
std::vector<link_user> users_of(const identity& who, const std::vector<std::string>& accounts);

/// Whose request it is that says it is of `claimed`.
struct speaker {
  std::optional<std::size_t> as;  // of users_of(); none: it is refused
  bool forged = false;            // it named somebody else
};
/// `claimed` empty: it names nobody. A node is taken for what its certificate says, whatever it claims.
speaker judge_speaker(const identity& who, const std::vector<link_user>& users, std::string_view claimed);

/// Whether this is the control plane's certificate. The cluster's authority signs node certificates too, so that
/// "signed by the authority" is not enough: its common name must be kube-apiserver, which no signer grants a node.
status judge_control_plane(const peer_certificate& peer);

}  // namespace troupe::link
