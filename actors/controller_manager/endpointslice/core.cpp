#include "actors/controller_manager/endpointslice/core.hpp"

#include <algorithm>
#include <set>

#include "actors/controller_manager/common/owner.hpp"
#include "actors/controller_manager/common/requests.hpp"
#include "actors/controller_manager/endpointslice/slice.hpp"
#include "messages/views/discovery_v1.hpp"

namespace troupe::controllers {

using controller::effect;

namespace {

// The parts of a slice that this controller decides, as text: two slices are the same when these are.
std::string slice_essence(const document& slice) {
  std::string out;
  auto add = [&](const node* part) { out += (part ? to_json(*part) : std::string("null")) + "\n"; };
  add(slice.root().find("addressType"));
  add(slice.root().find("ports"));
  add(slice.root().find("metadata", "labels"));
  // Empty lists are left out by the api_server.
  auto* endpoints = slice.root().find("endpoints");
  for (std::size_t i = 0; endpoints && i < endpoints->size(); ++i) {
    const auto& one = endpoints->element(i);
    for (auto* key : {"addresses", "conditions", "hostname", "nodeName", "zone"}) add(one.find(key));
    add(one.find("targetRef", "uid"));
  }
  return out;
}

std::string slice_essence(std::string_view json) {
  auto parsed = document::parse(json);
  return parsed ? slice_essence(*parsed) : std::string();
}

std::vector<std::string> families(const core_v1::service_view& service) {
  std::vector<std::string> out;
  for (auto family : service.spec().ip_families()) out.emplace_back(family);
  if (out.empty()) out.emplace_back("IPv4");
  return out;
}

// All pods that the selector matches, in groups of equal ports.
std::vector<endpoint_group> group_endpoints(const core_v1::service_view& service, const object& of,
                                            const label_matcher& selector, std::string_view family,
                                            const controller::caches::object_map& pods) {
  std::vector<endpoint_group> out;
  for (auto& [ports, endpoints] :
       endpoints_by_ports(service, of, selector, family, pods, [](const slice_endpoint&) { return true; }))
    out.push_back({ports, std::move(endpoints)});
  // A Service without pods still has one slice.
  if (out.empty()) out.push_back({});
  return out;
}

}  // namespace

std::vector<controller::source> endpointslice_core::sources() const {
  return {{"/api/v1/services", {}, {}},
          {"/api/v1/pods", {}, {}},
          {"/apis/discovery.k8s.io/v1/endpointslices",
           "endpointslice.kubernetes.io/managed-by=endpointslice-controller.k8s.io",
           {}}};
}

std::vector<effect> endpointslice_core::observe(const controller::object_changed& change, const controller::caches&) {
  std::vector<effect> out;
  auto space = change.key.substr(0, change.key.find('/'));
  if (change.source == services) {
    selectors_.erase(change.key);
    if (change.now) {
      auto content = decode(*change.now);
      auto selector = core_v1::service_view(content).spec().selector();
      if (!selector.empty()) selectors_.emplace(change.key, label_matcher(selector));
    }
    out.emplace_back(controller::enqueue{change.key, 0});
  } else if (change.source == slices) {
    const auto& one = change.now ? change.now : change.before;
    const auto* owner = one ? one->label("kubernetes.io/service-name") : nullptr;
    if (owner) out.emplace_back(controller::enqueue{key_of(space, *owner), 0});
  } else {
    auto prefix = space + "/";
    for (auto it = selectors_.lower_bound(prefix); it != selectors_.end() && it->first.starts_with(prefix); ++it)
      if ((change.now && it->second.matches(*change.now)) || (change.before && it->second.matches(*change.before)))
        out.emplace_back(controller::enqueue{it->first, 0});
  }
  return out;
}

std::vector<effect> endpointslice_core::reconcile(const controller::key_due& due, const controller::caches& view) {
  auto found = view.find(services, due.key);
  std::vector<object_ptr> existing;
  auto slash = due.key.find('/');
  auto space = due.key.substr(0, slash), name = due.key.substr(slash + 1);
  const auto& all = view.all(slices);
  for (auto it = all.lower_bound(space + "/"); it != all.end() && it->second->namespace_name == space; ++it)
    if (auto* owner = it->second->label("kubernetes.io/service-name"); owner && *owner == name)
      existing.push_back(it->second);
  auto collection = collection_path("discovery.k8s.io/v1", space, "endpointslices");
  std::vector<effect> out;
  auto drop = [&](const object& slice) {
    out.emplace_back(erase(collection + "/" + std::string(slice.name), slice.uid, slices));
  };
  auto selector = selectors_.find(due.key);
  if (!found || selector == selectors_.end()) {
    // Slices of a Service that is gone go with it; those of one without selector are its user's.
    if (!found)
      for (const auto& one : existing) drop(*one);
    return out;
  }
  auto content = decode(*found);
  core_v1::service_view service(content);
  if (service.metadata().has_deletion_timestamp() || service.spec().type() == "ExternalName") return out;

  // Wanted slices take over existing ones: first those that are right already, then any other.
  struct wanted_slice {
    std::string family;
    const endpoint_group* group;
    std::size_t first, count;
  };
  std::vector<std::pair<std::string, std::vector<endpoint_group>>> by_family;
  for (auto& family : families(service))
    by_family.emplace_back(family, group_endpoints(service, *found, selector->second, family, view.all(pods)));
  std::vector<wanted_slice> wanted;
  for (const auto& [family, groups] : by_family)
    for (const auto& group : groups)
      for (std::size_t at = 0; at == 0 || at < group.endpoints.size(); at += max_endpoints)
        wanted.push_back({family, &group, at, std::min(max_endpoints, group.endpoints.size() - at)});
  auto text = [&](const wanted_slice& one, std::string_view as, std::string_view revision) {
    return slice_json(*found, service, one.family, one.group->ports, one.group->endpoints.data() + one.first, one.count,
                      as, revision);
  };
  std::multimap<std::string, object_ptr> current;
  for (const auto& one : existing) current.emplace(slice_essence(one->json.view()), one);
  std::vector<const wanted_slice*> missing;
  for (const auto& one : wanted) {
    auto same = current.find(slice_essence(text(one, {}, {})));
    if (same == current.end())
      missing.push_back(&one);
    else
      current.erase(same);
  }
  for (const auto* one : missing) {
    auto reuse = std::find_if(current.begin(), current.end(),
                              [&](const auto& entry) { return entry.first.starts_with("\"" + one->family + "\"\n"); });
    if (reuse == current.end()) {
      out.emplace_back(create(collection, text(*one, {}, {}), slices));
      continue;
    }
    const auto& slice = *reuse->second;
    out.emplace_back(replace(collection + "/" + std::string(slice.name),
                             text(*one, slice.name, std::to_string(slice.revision)), slices));
    current.erase(reuse);
  }
  for (const auto& [ignored, one] : current) drop(*one);
  return out;
}

}  // namespace troupe::controllers
