// See identity.hpp.
#include "runtime/link/identity.hpp"

#include <algorithm>
#include <string_view>

namespace troupe::link {
namespace {

constexpr std::string_view node_prefix = "system:node:";
constexpr std::string_view nodes_group = "system:nodes";
constexpr std::string_view control_plane_name = "kube-apiserver";

/// A DNS-1123 subdomain, as names of Nodes are.
bool is_node_name(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  char before = '.';
  for (char c : name) {
    if (!plain(c) && (c != '-' && c != '.')) return false;
    if (!plain(c) && before == '.') return false;
    if (c == '.' && !plain(before)) return false;
    before = c;
  }
  return plain(name.back());
}

}  // namespace

result<std::string> node_of(const peer_certificate& peer) {
  std::string_view name = peer.common_name;
  bool grouped =
      std::find(peer.organizations.begin(), peer.organizations.end(), nodes_group) != peer.organizations.end();
  if (!name.starts_with(node_prefix) || !grouped)
    return bad_request("wrong role: the certificate of \"" + peer.common_name + "\" is not a node's");
  name.remove_prefix(node_prefix.size());
  // A node that is in more groups would be more than a node.
  if (peer.organizations.size() != 1)
    return bad_request("wrong role: \"" + peer.common_name + "\" is in more groups than system:nodes");
  if (!is_node_name(name)) return bad_request("wrong role: \"" + peer.common_name + "\" does not name a node");
  return std::string(name);
}

status judge_control_plane(const peer_certificate& peer) {
  if (peer.common_name == control_plane_name) return {};
  return bad_request("wrong role: the certificate of \"" + peer.common_name + "\" is not the control plane's");
}

}  // namespace troupe::link
