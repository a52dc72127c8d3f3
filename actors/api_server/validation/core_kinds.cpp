// ConfigMap, Secret, Namespace, Node, ServiceAccount, Endpoints and what else is small in core/v1.
#include <algorithm>
#include <string>
#include <vector>

#include "actors/api_server/validation/kinds.hpp"
#include "actors/api_server/validation/pod_rules.hpp"
#include "actors/api_server/validation/quantities.hpp"

namespace troupe::api::rules {
namespace {

constexpr std::size_t max_secret_bytes = 1024 * 1024;

std::size_t decoded_size(std::string_view base64) {
  std::size_t size = base64.size() / 4 * 3;
  for (std::size_t i = 0; i < 2 && i < base64.size() && base64[base64.size() - 1 - i] == '='; ++i) --size;
  return size;
}

void spec_config_map(error_list& errors, const node& object) {
  const path data("data"), binary("binaryData");
  std::size_t total = 0;
  const node* binary_map = get(&object, "binaryData");
  each_member(get(&object, "data"), [&](std::string_view key, const node& value) {
    errors.invalid(data.key(key), key, config_map_key(key));
    if (binary_map && binary_map->find(key))
      errors.invalid(data.key(key), key, "duplicate of key present in binaryData");
    total += value.string().size();
  });
  each_member(binary_map, [&](std::string_view key, const node& value) {
    errors.invalid(binary.key(key), key, config_map_key(key));
    total += decoded_size(value.string());
  });
  if (total > max_secret_bytes) errors.too_long(path("[]"), max_secret_bytes);  // how Go prints an empty path
}

/// Data of an object that says it is immutable.
void check_frozen(error_list& errors, const node& object, const node& previous,
                  std::initializer_list<std::string_view> fields) {
  if (!flag(&previous, "immutable")) return;
  constexpr const char* refused = "field is immutable when `immutable` is set";
  if (!flag(&object, "immutable")) errors.forbidden(path("immutable"), refused);
  for (auto field : fields)
    if (!same(get(&object, field), get(&previous, field))) errors.forbidden(path(field), refused);
}

void update_config_map(error_list& errors, const node& object, const node& previous) {
  check_frozen(errors, object, previous, {"data", "binaryData"});
}

void check_secret_keys(error_list& errors, const node& object, std::string_view type) {
  const path data("data");
  const node* map = get(&object, "data");
  const auto demand = [&](std::string_view key) {
    if (!get(map, key)) errors.required(data.key(key));
  };
  if (type == "kubernetes.io/dockercfg") demand(".dockercfg");
  if (type == "kubernetes.io/dockerconfigjson") demand(".dockerconfigjson");
  if (type == "kubernetes.io/basic-auth" && !get(map, "username") && !get(map, "password")) {
    demand("username");
    demand("password");
  }
  if (type == "kubernetes.io/ssh-auth" && text(map, "ssh-privatekey").empty())
    errors.required(data.key("ssh-privatekey"));
  if (type == "kubernetes.io/tls") {
    demand("tls.crt");
    demand("tls.key");
  }
}

void spec_secret(error_list& errors, const node& object) {
  const path data("data");
  std::size_t total = 0;
  each_member(get(&object, "data"), [&](std::string_view key, const node& value) {
    errors.invalid(data.key(key), key, config_map_key(key));
    total += decoded_size(value.string());
  });
  if (total > max_secret_bytes) errors.too_long(data, max_secret_bytes);
  const auto type = text(&object, "type");
  if (type == "kubernetes.io/service-account-token") {
    const path annotations("metadata.annotations");
    constexpr std::string_view account = "kubernetes.io/service-account.name";
    if (text(get(&object, "metadata", "annotations"), account).empty()) errors.required(annotations.key(account));
  }
  check_secret_keys(errors, object, type);
}

void update_secret(error_list& errors, const node& object, const node& previous) {
  if (text(&object, "type") != text(&previous, "type"))
    errors.invalid(path("type"), text(&object, "type"), immutable_message);
  check_frozen(errors, object, previous, {"data"});
}

void spec_namespace(error_list& errors, const node& object) {
  const path at("spec.finalizers");
  each(get(&object, "spec", "finalizers"), [&](const node& f, std::size_t) {
    errors.invalid(at, f.string(), qualified_name(f.string()));
    check_core_finalizer(errors, at, f.string());
  });
}

void status_namespace(error_list& errors, const node& object, const node&) {
  const auto phase = text(get(&object, "status"), "phase");
  const bool deleting = get(&object, "metadata", "deletionTimestamp");
  const path at("status.Phase");
  if (!deleting && phase != "Active") errors.invalid(at, phase, "may only be 'Active' if `deletionTimestamp` is empty");
  if (deleting && phase != "Terminating")
    errors.invalid(at, phase, "may only be 'Terminating' if `deletionTimestamp` is not empty");
}

/// The taint as Go's internal type prints in JSON.
std::string internal_taint(const node& taint) {
  std::string out = "{\"Key\":";
  append_json_string(out, text(&taint, "key"));
  out += ",\"Value\":";
  append_json_string(out, text(&taint, "value"));
  out += ",\"Effect\":";
  append_json_string(out, text(&taint, "effect"));
  const node* added = get(&taint, "timeAdded");
  return out + ",\"TimeAdded\":" + (added ? to_json(*added) : "null") + "}";
}

void check_taints(error_list& errors, const node* taints) {
  const path list("metadata.taints");
  std::vector<std::pair<std::string_view, std::string_view>> seen;
  each(taints, [&](const node& taint, std::size_t i) {
    const path here = list.index(i);
    const auto key = text(&taint, "key"), value = text(&taint, "value"), effect = text(&taint, "effect");
    check_label_name(errors, here.child("key"), key);
    std::string wrong;
    for (const auto& message : label_value(value)) wrong += (wrong.empty() ? "" : ";") + message;
    if (!wrong.empty()) errors.invalid(here.child("value"), value, wrong);
    check_taint_effect(errors, here.child("effect"), effect, false);
    const std::pair both(key, effect);
    if (std::find(seen.begin(), seen.end(), both) != seen.end())
      errors.duplicate_json(here, internal_taint(taint), "taints must be unique by key and effect pair");
    else
      seen.push_back(both);
  });
}

void check_node_resources(error_list& errors, const node& object) {
  for (std::string_view side : {"status.capacity", "status.allocatable"}) {
    const path at(side);
    each_member(get(&object, "status", side.substr(7)), [&](std::string_view name, const node& value) {
      check_resource_quantity(errors, at.child(name), name, value);
    });
  }
}

void check_pod_cidrs(error_list& errors, const node* cidrs) {
  const path at("spec.podCIDRs");
  int v4 = 0, v6 = 0;
  each(cidrs, [&](const node& cidr, std::size_t i) {
    check_legacy_cidr(errors, at.index(i), cidr.string());
    const auto prefix = parse_prefix(cidr.string());
    if (prefix.valid) ++(prefix.address.v4 ? v4 : v6);
  });
  if (count(cidrs) > 1 && (v4 != 1 || v6 != 1))
    errors.invalid(at, cidrs, "may specify no more than one CIDR for each IP family");
}

void spec_node(error_list& errors, const node& object) {
  check_taints(errors, get(&object, "spec", "taints"));
  check_node_resources(errors, object);
  check_pod_cidrs(errors, get(&object, "spec", "podCIDRs"));
}

void update_node(error_list& errors, const node& object, const node& previous) {
  check_node_resources(errors, object);
  const path addresses("status.addresses");
  const node* list = get(&object, "status", "addresses");
  each(list, [&](const node& address, std::size_t i) {
    for (std::size_t k = 0; k < i; ++k)
      if (equal(list->element(k), address)) return errors.duplicate(addresses.index(i), &address);
  });
  const node *old = get(&previous, "spec"), *spec = get(&object, "spec");
  // Old clients know podCIDR only, which is the first of podCIDRs.
  const auto first = text(spec, "podCIDR");
  const bool other = count(old, "podCIDRs") > 0 && !first.empty() && get(old, "podCIDRs")->element(0).string() != first;
  if (other || (count(old, "podCIDRs") > 0 && !same(get(old, "podCIDRs"), get(spec, "podCIDRs"))))
    errors.forbidden(path("spec.podCIDRs"), "node updates may not change podCIDR except from \"\" to valid");
  const auto provider = text(old, "providerID");
  if (!provider.empty() && provider != text(spec, "providerID"))
    errors.forbidden(path("spec.providerID"), "node updates may not change providerID except from \"\" to valid");
  check_taints(errors, get(spec, "taints"));
  if (text(spec, "externalID") != text(old, "externalID"))
    errors.forbidden(path("spec.externalID"), "may not be updated");
}

void spec_pod_template(error_list& errors, const node& object) {
  check_pod_template_spec(errors, path("template"), get(&object, "template"));
}

void spec_binding(error_list& errors, const node& object) {
  const node* target = get(&object, "target");
  const auto kind = text(target, "kind");
  if (!kind.empty() && kind != "Node") errors.not_supported(path("target.kind"), kind, {"Node", "<empty>"});
  if (text(target, "name").empty()) errors.required(path("target.name"));
}

}  // namespace

const kind_rules core_kinds[] = {
    {.type = "core/v1.ConfigMap", .spec = spec_config_map, .update = update_config_map},
    {.type = "core/v1.Secret", .spec = spec_secret, .update = update_secret},
    {.type = "core/v1.Namespace",
     .name = name_is_label,
     .spec = spec_namespace,
     .status = status_namespace,
     .spec_only_on_create = true},
    {.type = "core/v1.Node",
     .spec = spec_node,
     .update = update_node,
     .status = update_node,
     .spec_only_on_create = true},
    {.type = "core/v1.ServiceAccount"},
    {.type = "core/v1.PodTemplate", .spec = spec_pod_template},
    {.type = "core/v1.Binding", .name = name_is_subdomain, .spec = spec_binding},
    {.type = nullptr},
};

}  // namespace troupe::api::rules
