#include "actors/cloud_controller_manager/node/core.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "messages/document.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::cloud {
namespace {

using controller::effect;

constexpr std::string_view uninitialized_taint = "node.cloudprovider.kubernetes.io/uninitialized";
constexpr std::string_view shutdown_taint = "node.cloudprovider.kubernetes.io/shutdown";

controller::write patch(const object& node, std::string_view subresource, const document& body,
                        std::string_view type = "application/merge-patch+json") {
  controller::write out;
  out.request.verb = api::method::patch;
  out.request.target = fmt::format("/api/v1/nodes/{}{}", node.name, subresource);
  out.request.content_type = type;
  out.request.body = shared_bytes(to_json(body.root()));
  out.seen_by = 0;
  out.tolerated = {reason::not_found};
  return out;
}

controller::write erase(const object& node) {
  controller::write out;
  out.request.verb = api::method::del;
  out.request.target = fmt::format("/api/v1/nodes/{}", node.name);
  out.request.body = shared_bytes(
      fmt::format(R"({{"kind":"DeleteOptions","apiVersion":"v1","preconditions":{{"uid":"{}"}}}})", node.uid));
  out.seen_by = 0;
  out.tolerated = {reason::not_found, reason::conflict};
  return out;
}

bool is_ready(const core_v1::node_view& node) {
  for (auto condition : node.status().conditions())
    if (condition.type() == "Ready") return condition.status() == "True";
  return false;
}

/// A place that the cluster knows already is not changed: pods and volumes were placed by it.
void add_labels(core_v1::node_view& changes, const core_v1::node_view& node, const machine& from) {
  const std::pair<std::string_view, const std::string&> wanted[] = {
      {"node.kubernetes.io/instance-type", from.instance_type},
      {"topology.kubernetes.io/region", from.region},
      {"topology.kubernetes.io/zone", from.zone}};
  for (const auto& [key, value] : wanted)
    if (!value.empty() && !node.metadata().labels().contains(key))
      changes.mutable_metadata().mutable_labels().set(key, value);
}

/// The node's taints without `uninitialized`, and with `shutdown` as long as its machine does not run.
void set_taints(core_v1::node_view& changes, const core_v1::node_view& node, const object& as, bool shut_down) {
  bool had_shutdown = false, changed = false;
  for (auto one : node.spec().taints()) {
    changed = changed || one.key() == uninitialized_taint;
    had_shutdown = had_shutdown || one.key() == shutdown_taint;
  }
  if (!changed && had_shutdown == shut_down) return;
  // A list is written whole: only if it is still the one that was looked at.
  changes.mutable_metadata().set_resource_version(std::to_string(as.revision));
  auto list = changes.mutable_spec().mutable_taints();
  for (auto one : node.spec().taints()) {
    if (one.key() == uninitialized_taint || one.key() == shutdown_taint) continue;
    auto kept = list.append();
    kept.set_key(one.key());
    if (!one.value().empty()) kept.set_value(one.value());
    kept.set_effect(one.effect());
    if (!one.time_added().empty()) kept.set_time_added(one.time_added());
  }
  if (!shut_down) return;
  auto added = list.append();
  added.set_key(shutdown_taint);
  added.set_effect("NoSchedule");
}

void add_addresses(std::vector<effect>& out, const object& as, const core_v1::node_view& node, const machine& from) {
  document body;
  body.make_object(body.root());
  core_v1::node_view changes(body);
  bool any = false;
  for (const auto& [type, address] : from.addresses) {
    auto known = node.status().addresses();
    if (std::any_of(known.begin(), known.end(),
                    [&](auto one) { return one.type() == type && one.address() == address; }))
      continue;
    auto added = changes.mutable_status().mutable_addresses().append();
    added.set_type(type);
    added.set_address(address);
    any = true;
  }
  // Addresses of types that the provider does not name stay the kubelet's.
  if (any) out.emplace_back(patch(as, "/status", body, "application/strategic-merge-patch+json"));
}

}  // namespace

std::vector<controller::source> node_core::sources() const {
  std::vector<controller::source> all = {{"/api/v1/nodes", {}, {}}};
  for (auto& one : provider_->sources()) all.push_back(std::move(one));
  return all;
}

std::vector<effect> node_core::observe(const controller::object_changed& change, const controller::caches& view) {
  if (change.source == nodes) return {controller::enqueue{change.key, 0}};
  std::vector<effect> out;
  for (const auto& [name, node] : view.all(nodes)) out.emplace_back(controller::enqueue{name, 0});
  return out;
}

std::vector<effect> node_core::reconcile(const controller::key_due& due, const controller::caches& view) {
  auto found = view.find(nodes, due.key);
  if (!found) return {};
  auto content = document::parse(found->json.view());
  if (!content) return {controller::failed{content.error().message}};
  core_v1::node_view node(*content);
  if (node.metadata().has_deletion_timestamp()) return {};
  auto asked = provider_->machine_of(due.key, view, provided);
  if (!asked)
    return {controller::note{found, true, "CloudProviderError", asked.error().message},
            controller::failed{asked.error().message}};
  bool ready = is_ready(node);
  const auto& machine = *asked;
  if (!machine) {
    // A node that still reports is not deleted, whatever the provider says.
    if (ready) return {};
    auto why = fmt::format("Deleting node {} because it does not exist in the cloud provider", due.key);
    return {controller::note{found, false, "DeletingNode", why}, erase(*found)};
  }
  const auto& from = *machine;
  std::vector<effect> out;
  document body;
  body.make_object(body.root());
  core_v1::node_view changes(body);
  if (node.spec().provider_id().empty() && !from.provider_id.empty())
    changes.mutable_spec().set_provider_id(from.provider_id);
  add_labels(changes, node, from);
  set_taints(changes, node, *found, from.shut_down && !ready);
  if (!body.root().empty()) out.emplace_back(patch(*found, "", body));
  add_addresses(out, *found, node, from);
  return out;
}

}  // namespace troupe::cloud
