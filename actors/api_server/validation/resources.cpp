// Resource requests and limits of containers and pods.
#include <algorithm>
#include <array>
#include <string>

#include "actors/api_server/validation/metadata.hpp"
#include "actors/api_server/validation/names.hpp"
#include "actors/api_server/validation/pod_rules.hpp"
#include "actors/api_server/validation/quantities.hpp"
#include "messages/schema/codec.hpp"

namespace troupe::api::rules {
namespace {

constexpr std::array<std::string_view, 20> standard_names = {"cpu",
                                                             "memory",
                                                             "ephemeral-storage",
                                                             "requests.cpu",
                                                             "requests.memory",
                                                             "requests.ephemeral-storage",
                                                             "limits.cpu",
                                                             "limits.memory",
                                                             "limits.ephemeral-storage",
                                                             "pods",
                                                             "resourcequotas",
                                                             "services",
                                                             "replicationcontrollers",
                                                             "secrets",
                                                             "configmaps",
                                                             "persistentvolumeclaims",
                                                             "storage",
                                                             "requests.storage",
                                                             "services.nodeports",
                                                             "services.loadbalancers"};
constexpr std::array<std::string_view, 9> integer_names = {
    "pods",       "resourcequotas",         "services",           "replicationcontrollers", "secrets",
    "configmaps", "persistentvolumeclaims", "services.nodeports", "services.loadbalancers"};

bool huge_pages(std::string_view name) { return name.starts_with("hugepages-"); }

/// Without a slash, or with kubernetes.io in it.
bool native(std::string_view name) {
  return name.find('/') == std::string_view::npos || name.find("kubernetes.io/") != std::string_view::npos;
}

bool overcommit_allowed(std::string_view name) { return native(name) && !huge_pages(name); }

void check_container_resource_name(error_list& errors, const path& at, std::string_view name) {
  check_resource_name(errors, at, name);
  if (name.find('/') == std::string_view::npos) {
    if (name != "cpu" && name != "memory" && name != "ephemeral-storage" && !huge_pages(name))
      errors.invalid(at, name, "must be a standard resource for containers");
  } else if (!native(name) && !extended_resource(name)) {
    errors.invalid(at, name, "doesn't follow extended resource name standard");
  }
}

void check_pod_resource_name(error_list& errors, const path& at, std::string_view name) {
  const auto before = errors.size();
  check_resource_name(errors, at, name);
  if (errors.size() != before) return;
  if (name != "cpu" && name != "memory" && !huge_pages(name))
    errors.not_supported(at, name, {"cpu", "hugepages-", "memory"});
}

void check_huge_page_value(error_list& errors, const path& at, std::string_view name, const node& value) {
  if (!huge_pages(name)) return;
  const auto page = parse_quantity(name.substr(10)), amount = to_quantity(&value);
  if (page.nanos > 0 && amount.nanos % page.nanos == 0) return;
  errors.invalid(at, shown(value), shown(value) + " is not positive integer multiple of " + std::string(name));
}

void check_request(error_list& errors, const path& requests, const path& limits, std::string_view name,
                   const node& value, const node* limit) {
  if (!limit) {
    if (!overcommit_allowed(name)) errors.required(limits, "Limit must be set for non overcommitable resources");
    return;
  }
  const auto wanted = to_quantity(&value), allowed = to_quantity(limit);
  const auto tail = std::string(name) + " limit of " + shown(*limit);
  if (wanted != allowed && !overcommit_allowed(name))
    errors.invalid(requests, shown(value), "must be equal to " + tail);
  else if (wanted > allowed)
    errors.invalid(requests, shown(value), "must be less than or equal to " + tail);
}

std::string claim_names(const pod_scope& scope) {
  if (scope.claims.empty()) return " which is empty";
  auto sorted = scope.claims;
  std::sort(sorted.begin(), sorted.end());
  std::string out;
  for (auto name : sorted) out.append(out.empty() ? ": " : ", ").append(name);
  return out;
}

void check_claims(error_list& errors, const path& at, const node* claims, const pod_scope& scope) {
  std::vector<std::string> seen;
  const auto known = [&](const std::string& key) { return std::find(seen.begin(), seen.end(), key) != seen.end(); };
  each(claims, [&](const node& claim, std::size_t i) {
    const path here = at.index(i);
    const std::string name(text(&claim, "name")), request(text(&claim, "request"));
    if (name.empty()) return errors.required(here);
    if (known(name)) {
      errors.duplicate(here, name);
    } else {
      if (!request.empty()) errors.invalid(here.child("request"), request, dns1123_label(request));
      const auto key = request.empty() ? name : name + "/" + request;
      if (known(key)) {
        errors.duplicate(here, key);
      } else if (request.empty()) {
        for (const auto& other : seen)
          if (other.starts_with(name + "/")) errors.duplicate(here, name);
      }
      seen.push_back(key);
    }
    if (std::find(scope.claims.begin(), scope.claims.end(), name) == scope.claims.end())
      errors.not_found(here, name, "must be one of the names in pod.spec.resourceClaims" + claim_names(scope));
  });
}

using name_rule = void (*)(error_list&, const path&, std::string_view);

void check_requirements(error_list& errors, const path& at, const node* resources, const pod_scope& scope,
                        name_rule check_name) {
  if (!resources) return;
  const path limits = at.child("limits"), requests = at.child("requests");
  bool compute = false, huge = false;
  const node* limit_map = get(resources, "limits");
  const auto check_one = [&](const path& here, std::string_view name, const node& value) {
    check_name(errors, here, name);
    check_resource_quantity(errors, here, name, value);
    huge = huge || huge_pages(name);
    compute = compute || name == "cpu" || name == "memory";
  };
  each_member(limit_map, [&](std::string_view name, const node& value) {
    const path here = limits.key(name);
    check_one(here, name, value);
    check_huge_page_value(errors, here, name, value);
  });
  each_member(get(resources, "requests"), [&](std::string_view name, const node& value) {
    const path here = requests.key(name);
    check_one(here, name, value);
    check_request(errors, requests, limits, name, value, get(limit_map, name));
    check_huge_page_value(errors, here, name, value);
  });
  if (huge && !compute) errors.forbidden(at, "HugePages require cpu or memory");
  check_claims(errors, at.child("claims"), get(resources, "claims"), scope);
}

/// The pod's own requests and limits against those of its containers.
void check_consistency(error_list& errors, const path& at, const node& resources, const pod_scope& scope) {
  const path requests = at.child("requests"), limits = at.child("limits"), containers = at.child("containers");
  for (const auto& [name, sum] : aggregate_containers(*scope.spec, "requests")) {
    const node* own = get(get(&resources, "requests"), name);
    if (own && sum > to_quantity(own))
      errors.invalid(requests.key(name), shown(*own),
                     "must be greater than or equal to aggregate container requests of " + sum.text());
  }
  for (const auto& [name, sum] : aggregate_containers(*scope.spec, "limits")) {
    const node* own = get(get(&resources, "limits"), name);
    if (own && huge_pages(name) && sum > to_quantity(own))
      errors.invalid(limits.key(name), shown(*own),
                     "must be greater than or equal to aggregate container limits of " + sum.text());
  }
  each(get(scope.spec, "containers"), [&](const node& container, std::size_t i) {
    const path here = containers.index(i);
    each_member(get(&container, "resources", "limits"), [&](std::string_view name, const node& value) {
      const node* own = get(get(&resources, "limits"), name);
      if (!own || to_quantity(&value) <= to_quantity(own)) return;
      const path place = here.key(name);
      errors.invalid(place.child("limits"), shown(value), "must be less than or equal to pod limits of " + shown(*own));
    });
  });
}

}  // namespace

bool integer_resource(std::string_view name) { return one_of(name, integer_names) || extended_resource(name); }
bool standard_resource(std::string_view name) {
  return one_of(name, standard_names) || huge_pages(name) || name.starts_with("requests.hugepages-");
}

bool extended_resource(std::string_view name) {
  if (native(name) || name.starts_with("requests.")) return false;
  return qualified_name("requests." + std::string(name)).empty();
}

void check_resource_name(error_list& errors, const path& at, std::string_view name) {
  const auto wrong = qualified_name(name);
  errors.invalid(at, name, wrong);
  if (wrong.empty() && name.find('/') == std::string_view::npos && !standard_resource(name))
    errors.invalid(at, name, "must be a standard resource type or fully qualified");
}

void check_resource_quantity(error_list& errors, const path& at, std::string_view name, const node& value) {
  const auto amount = to_quantity(&value);
  if (amount.nanos < 0) errors.invalid(at, shown(value), negative_message);
  if (integer_resource(name) && !amount.whole()) errors.invalid(at, shown(value), "must be an integer");
}

void check_container_resources(error_list& errors, const path& at, const node* resources, const pod_scope& scope) {
  check_requirements(errors, at, resources, scope, check_container_resource_name);
}

void check_pod_resources(error_list& errors, const path& spec_path, const pod_scope& scope) {
  const node* resources = get(scope.spec, "resources");
  if (!resources) return;
  const path at = spec_path.child("resources");
  if (text(get(scope.spec, "os"), "name") == "windows") return errors.forbidden(at, "may not be set for a windows pod");
  if (has(resources, "claims"))
    errors.forbidden(at.child("claims"), "claims may not be set for Resources at pod-level");
  check_requirements(errors, at, resources, scope, check_pod_resource_name);
  check_consistency(errors, at, *resources, scope);
}

}  // namespace troupe::api::rules
