// See identity.hpp.
#include "runtime/link/identity.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

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

constexpr std::string_view controller_manager = "system:kube-controller-manager";
constexpr std::string_view accounts_prefix = "system:serviceaccount:kube-system:";

const lone_component* component_with_user(std::string_view user) {
  const auto* found = std::find_if(std::begin(lone_components), std::end(lone_components),
                                   [&](const lone_component& one) { return one.user == user; });
  return found == std::end(lone_components) ? nullptr : found;
}

}  // namespace

std::string user_of_component(std::string_view name) {
  for (const auto& one : lone_components)
    if (one.name == name) return std::string(one.user);
  return {};
}

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

result<identity> identity_of(const peer_certificate& peer) {
  if (component_with_user(peer.common_name)) {
    if (peer.organizations.empty()) return identity{peer.common_name, true};
    // It would be more than the component, or somebody's idea of one.
    return bad_request("wrong role: \"" + peer.common_name + "\" is in the group " + peer.organizations.front());
  }
  auto node = node_of(peer);
  if (!node) return node.error();
  return identity{std::move(*node), false};
}

bool may_send(const identity& who, frame_kind kind) {
  if (who.component) return kind == frame_kind::request || kind == frame_kind::watch_stop;
  return may_receive(side::control_plane, kind);
}

std::vector<link_user> users_of(const identity& who, const std::vector<std::string>& accounts) {
  std::vector<link_user> out;
  if (!who.component) {
    out.push_back({std::string(node_prefix) + who.name, {std::string(nodes_group)}});
    return out;
  }
  out.push_back({who.name, {}});
  if (who.name != controller_manager) return out;
  for (const auto& one : accounts)
    out.push_back(
        {std::string(accounts_prefix) + one, {"system:serviceaccounts", "system:serviceaccounts:kube-system"}});
  return out;
}

speaker judge_speaker(const identity& who, const std::vector<link_user>& users, std::string_view claimed) {
  if (claimed.empty()) return {0, false};
  for (std::size_t i = 0; i < users.size(); ++i)
    if (users[i].name == claimed) return {i, false};
  // Every component of a node's process speaks by the node's link, under names of their own.
  if (!who.component) return {0, true};
  return {std::nullopt, true};
}

status judge_control_plane(const peer_certificate& peer) {
  if (peer.common_name == control_plane_name) return {};
  return bad_request("wrong role: the certificate of \"" + peer.common_name + "\" is not the control plane's");
}

}  // namespace troupe::link
