// The Node row: readiness, roles by label, addresses and versions.
#include <set>

#include "actors/api_server/printers/rows.hpp"

namespace troupe::api {
inline namespace printing_detail {

namespace {

std::string node_status(const node& object) {
  std::string out;
  for (const node& condition : elements_of(object.find("status", "conditions")))
    if (text_at(condition, "type") == "Ready") out = text_at(condition, "status") == "True" ? "Ready" : "NotReady";
  if (out.empty()) out = "Unknown";
  const node* unschedulable = object.find("spec", "unschedulable");
  if (unschedulable && unschedulable->boolean()) out += ",SchedulingDisabled";
  return out;
}

std::string node_roles(const node& object) {
  constexpr std::string_view prefix = "node-role.kubernetes.io/";
  std::set<std::string_view> roles;
  for (const member& label : members_of(object.find("metadata", "labels"))) {
    if (label.key.starts_with(prefix) && label.key.size() > prefix.size())
      roles.insert(label.key.substr(prefix.size()));
    if (label.key == "kubernetes.io/role" && !label.value.string().empty()) roles.insert(label.value.string());
  }
  std::string out;
  for (std::string_view role : roles) {
    if (!out.empty()) out += ',';
    out += role;
  }
  return out.empty() ? "<none>" : out;
}

std::string_view node_address(const node& object, std::string_view type) {
  for (const node& address : elements_of(object.find("status", "addresses")))
    if (text_at(address, "type") == type) return text_at(address, "address");
  return "<none>";
}

}  // namespace

void print_node(table_row& out, const node& object) {
  auto info = [&](std::string_view field) { return text_at(object, "status", "nodeInfo", field); };
  out.name_of(object).text(node_status(object)).text(node_roles(object)).age_of(object).text(info("kubeletVersion"));
  out.text(node_address(object, "InternalIP")).text(node_address(object, "ExternalIP"));
  for (std::string_view field : {"osImage", "kernelVersion", "containerRuntimeVersion"})
    out.text(or_else(info(field), "<unknown>"));
}

}  // namespace printing_detail
}  // namespace troupe::api
