// LimitRanger: defaults and bounds that a namespace's LimitRange objects set for pods and claims.
#include <string>
#include <vector>

#include "actors/api_server/admission/plugins.hpp"
#include "actors/api_server/defaults/defaults.hpp"
#include "actors/api_server/validation/access.hpp"
#include "actors/api_server/validation/quantities.hpp"

namespace troupe::api::rules {
namespace {

/// The bounds that one item sets on the amounts of one container, pod or claim.
void check_bounds(std::vector<std::string>& wrong, const node& item, std::string_view type, const node* requests,
                  const node* limits) {
  const std::string kind(type);
  each_member(get(&item, "min"), [&](std::string_view name, const node& bound) {
    const auto head = "minimum " + std::string(name) + " usage per " + kind + " is " + shown(bound);
    const node* value = get(requests, name);
    if (!value)
      wrong.push_back(head + ".  No request is specified");
    else if (to_quantity(value) < to_quantity(&bound))
      wrong.push_back(head + ", but request is " + shown(*value));
  });
  each_member(get(&item, "max"), [&](std::string_view name, const node& bound) {
    const auto head = "maximum " + std::string(name) + " usage per " + kind + " is " + shown(bound);
    const node* limit = get(limits, name);
    const node* value = limit ? limit : type == "PersistentVolumeClaim" ? get(requests, name) : nullptr;
    if (!value)
      wrong.push_back(head + ".  No limit is specified");
    else if (to_quantity(value) > to_quantity(&bound))
      wrong.push_back(head + ", but " + (limit ? "limit" : "request") + " is " + shown(*value));
  });
  each_member(get(&item, "maxLimitRequestRatio"), [&](std::string_view name, const node& bound) {
    const auto request = to_quantity(get(requests, name)), limit = to_quantity(get(limits, name));
    if (request.nanos == 0 || limit.nanos == 0) return;
    const auto ratio = static_cast<double>(limit.nanos) / static_cast<double>(request.nanos);
    if (ratio <= static_cast<double>(to_quantity(&bound).nanos) / 1e9) return;
    wrong.push_back(std::string(name) + " max limit to request ratio per " + kind + " is " + shown(bound) +
                    ", but provided ratio is " + std::to_string(ratio));
  });
}

void apply_defaults_to(document& doc, node& container, const node& item) {
  node& resources = object_member(doc, container, "resources");
  copy_missing(doc, resources, "limits", get(&item, "default"));
  copy_missing(doc, resources, "requests", get(&item, "defaultRequest"));
}

void each_item(const admission_request& request, std::string_view type, const std::function<void(const node&)>& f) {
  static const auto ranges = resource_index("", "limitranges");
  request.others->visit(ranges, request.namespace_name, [&](const object& range) {
    auto parsed = document::parse(range.json.view());
    if (!parsed) return true;
    each(get(&parsed->root(), "spec", "limits"), [&](const node& item, std::size_t) {
      if (text(&item, "type") == type) f(item);
    });
    return true;
  });
}

/// Sums as an object, so that they can be checked like one container's amounts.
void sums_of(document& doc, node& out, const node& spec, std::string_view side) {
  doc.make_object(out);
  for (const auto& [name, value] : aggregate_containers(spec, side)) doc.set(out, name, std::string_view(value.text()));
}

status refuse_all(const admission_request& request, const std::vector<std::string>& wrong) {
  if (wrong.empty()) return {};
  if (wrong.size() == 1) return refuse(request, wrong.front());
  std::string all;
  for (const auto& text : wrong) all += (all.empty() ? "[" : ", ") + text;
  return refuse(request, all + "]");
}

void for_containers(node& spec, const std::function<void(node&)>& f) {
  for (std::string_view list : {"containers", "initContainers"}) {
    node* containers = spec.find(list);
    if (!containers || !containers->is_array()) continue;
    for (std::size_t i = 0; i < containers->size(); ++i)
      if (containers->element(i).is_object()) f(containers->element(i));
  }
}

}  // namespace

status limit_ranger(const admission_request& request) {
  const bool claim = request.is("", "persistentvolumeclaims") && request.subresource.empty();
  if (!request.object || (!request.creates_pod() && !claim)) return {};
  std::vector<std::string> wrong;
  document& doc = *request.object;
  node& spec = object_member(doc, doc.root(), "spec");
  if (claim) {
    const node* resources = get(&spec, "resources");
    each_item(request, "PersistentVolumeClaim", [&](const node& item) {
      check_bounds(wrong, item, "PersistentVolumeClaim", get(resources, "requests"), get(resources, "limits"));
    });
    return refuse_all(request, wrong);
  }
  each_item(request, "Container", [&](const node& item) {
    for_containers(spec, [&](node& container) { apply_defaults_to(doc, container, item); });
  });
  each_item(request, "Container", [&](const node& item) {
    for_containers(spec, [&](node& container) {
      const node* resources = get(&container, "resources");
      check_bounds(wrong, item, "Container", get(resources, "requests"), get(resources, "limits"));
    });
  });
  each_item(request, "Pod", [&](const node& item) {
    document sums;
    sums.make_object(sums.root());
    sums_of(sums, sums.set(sums.root(), "requests"), spec, "requests");
    sums_of(sums, sums.set(sums.root(), "limits"), spec, "limits");
    check_bounds(wrong, item, "Pod", get(&sums.root(), "requests"), get(&sums.root(), "limits"));
  });
  return refuse_all(request, wrong);
}

}  // namespace troupe::api::rules
