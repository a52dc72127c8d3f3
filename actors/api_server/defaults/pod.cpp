// Defaults of pods, containers and volumes that depend on other fields.
#include <algorithm>
#include <array>
#include <string_view>

#include "actors/api_server/defaults/defaults.hpp"
#include "actors/api_server/defaults/image_name.hpp"
#include "actors/api_server/validation/access.hpp"
#include "actors/api_server/validation/quantities.hpp"

namespace troupe::api::rules {
namespace {

void image_pull_policy(document& doc, node& holder, std::string_view image_field, std::string_view policy_field) {
  if (!text(&holder, policy_field).empty()) return;
  const bool latest = image_tag(text(&holder, image_field)) == "latest";
  doc.set(holder, policy_field, latest ? std::string_view("Always") : std::string_view("IfNotPresent"));
}

void container_defaults(document& doc, node& container) {
  image_pull_policy(doc, container, "image", "imagePullPolicy");
}

void volume_defaults(document& doc, node& volume) {
  bool has_source = false;
  each_member(&volume, [&](std::string_view key, const node& value) {
    if (key != "name" && !value.is_null()) has_source = true;
  });
  if (!has_source) doc.make_object(doc.set(volume, "emptyDir"));
  if (node* image = volume.find("image"); image && image->is_object())
    image_pull_policy(doc, *image, "reference", "pullPolicy");
}

void requests_from_limits(document& doc, node* containers) {
  if (!containers || !containers->is_array()) return;
  for (std::size_t i = 0; i < containers->size(); ++i) {
    node* resources = containers->element(i).find("resources");
    if (!resources || !resources->is_object()) continue;
    if (const node* limits = get(resources, "limits")) copy_missing(doc, *resources, "requests", limits);
  }
}

void host_ports(document& doc, node* containers) {
  if (!containers || !containers->is_array()) return;
  for (std::size_t i = 0; i < containers->size(); ++i) {
    node* ports = containers->element(i).find("ports");
    if (!ports || !ports->is_array()) continue;
    for (std::size_t k = 0; k < ports->size(); ++k) {
      node& port = ports->element(k);
      if (port.is_object() && number(&port, "hostPort") == 0) doc.set(port, "hostPort", number(&port, "containerPort"));
    }
  }
}

/// Huge page limits of the pod are what its containers ask for; requests are what the containers ask for, then the
/// pod's own limits (spec.resources, KEP-2837).
void pod_level_resources(document& doc, node& spec) {
  node* resources = spec.find("resources");
  if (!resources || !resources->is_object()) return;
  const bool any = count(resources, "limits") > 0 || count(resources, "requests") > 0;
  if (any) {
    const auto sums = aggregate_containers(spec, "limits");
    for (const auto& [name, value] : sums) {
      if (!name.starts_with("hugepages-") || get(get(resources, "requests"), name)) continue;
      node& limits = object_member(doc, *resources, "limits");
      if (!get(&limits, name)) doc.set(limits, name, std::string_view(value.text()));
    }
  }
  if (count(resources, "limits") == 0) return;
  for (const auto& [name, value] : aggregate_containers(spec, "requests")) {
    if (name != "cpu" && name != "memory") continue;
    node& requests = object_member(doc, *resources, "requests");
    if (!get(&requests, name)) doc.set(requests, name, std::string_view(value.text()));
  }
  const node* limits = get(resources, "limits");
  each_member(limits, [&](std::string_view name, const node& value) {
    if (name != "cpu" && name != "memory" && !name.starts_with("hugepages-")) return;
    node& requests = object_member(doc, *resources, "requests");
    if (!get(&requests, name)) doc.set(requests, name, doc.clone(value));
  });
}

void pod_defaults(document& doc, node& pod) {
  node* spec = pod.find("spec");
  if (!spec || !spec->is_object()) return;
  requests_from_limits(doc, spec->find("containers"));
  requests_from_limits(doc, spec->find("initContainers"));
  pod_level_resources(doc, *spec);
  set_if_absent(doc, *spec, "enableServiceLinks", true);
  if (!flag(spec, "hostNetwork")) return;
  host_ports(doc, spec->find("containers"));
  host_ports(doc, spec->find("initContainers"));
}

}  // namespace

const named_rule pod_rules[] = {
    {"core/v1.Pod", pod_defaults},
    {"core/v1.Container", container_defaults},
    {"core/v1.EphemeralContainer", container_defaults},
    {"core/v1.Volume", volume_defaults},
    {nullptr, nullptr},
};

}  // namespace troupe::api::rules
