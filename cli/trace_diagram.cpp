// `troupe trace diagram`: one object's way through the troupe, hop by hop, with the time each hop took.
#include <algorithm>
#include <iostream>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/kubectl/kubectl.hpp"
#include "messages/document.hpp"
#include "runtime/trace/reader.hpp"

namespace troupe::cli {
namespace {

struct wanted_object {
  std::string resource, namespace_name = "default", name;
};

struct step {
  std::uint64_t time_us = 0;
  std::string component, what;
};

// "root/api_server/worker-0" -> "api_server"; "root/nodes/hollow-0/kubelet/pods/x" -> "kubelet hollow-0".
std::string lane_of(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= path.size();) {
    auto slash = std::min(path.find('/', at), path.size());
    parts.push_back(path.substr(at, slash - at));
    at = slash + 1;
  }
  if (parts.size() > 2 && parts[1] == "nodes") return parts.size() > 3 ? parts[3] : parts[2];
  if (parts.size() > 2 && parts[1] == "controller_manager") return parts[2];
  return parts.size() > 1 ? parts[1] : path;
}

bool parse(const std::string& text, wanted_object& out) {
  auto first = text.find('/');
  if (first == std::string::npos) return false;
  const auto* resource = find_resource_by_any_name(text.substr(0, first));
  if (!resource) return false;
  out.resource = resource->plural;
  auto second = text.find('/', first + 1);
  if (second != std::string::npos) out.namespace_name = text.substr(first + 1, second - first - 1);
  out.name = text.substr(second == std::string::npos ? first + 1 : second + 1);
  return true;
}

// Whether an event or effect speaks of the object: by name and namespace, or by its uid.
bool mentions(const std::string& bytes, const wanted_object& what, const std::vector<std::string>& uids) {
  auto has = [&](const std::string& word) { return !word.empty() && bytes.find(word) != std::string::npos; };
  for (const auto& uid : uids)
    if (has(uid)) return true;
  return has(what.namespace_name + "/" + what.name) || has("/" + what.name + "/") || has("/" + what.name + "\"");
}

}  // namespace

int draw_diagram(const std::string& path, const std::string& object) {
  wanted_object what;
  if (!parse(object, what))
    return print_error("name an object as KIND/NAME or KIND/NAMESPACE/NAME, not \"" + object + "\"");
  auto opened = trace::reader::open(path);
  if (!opened) return print_error(opened.error().message);
  std::vector<std::string> uids;
  std::vector<step> steps;
  trace::frame one;
  while (opened->next(one)) {
    if (one.kind == trace::frame_kind::object && one.name == what.name && one.namespace_name == what.namespace_name &&
        one.resource.find(what.resource) != std::string::npos &&
        std::find(uids.begin(), uids.end(), one.uid) == uids.end())
      uids.push_back(one.uid);
    bool hop = one.kind == trace::frame_kind::hop && (one.name == what.name || mentions(one.name, what, uids) ||
                                                      std::find(uids.begin(), uids.end(), one.uid) != uids.end());
    bool spoken = (one.kind == trace::frame_kind::event || one.kind == trace::frame_kind::effect) &&
                  mentions(one.bytes, what, uids);
    if (!hop && !spoken) continue;
    auto did =
        hop ? one.what : fmt::format("{} {}", one.kind == trace::frame_kind::event ? "hears" : "does", one.alternative);
    steps.push_back({one.time_us, lane_of(one.component), std::move(did)});
  }
  if (!opened->error().ok()) return print_error(opened->error().message);
  if (steps.empty()) return print_error("the trace has nothing about " + object);
  std::stable_sort(steps.begin(), steps.end(), [](const step& a, const step& b) { return a.time_us < b.time_us; });
  auto begin = steps.front().time_us, last = begin;
  for (const auto& each : steps) {
    std::cout << fmt::format("{:>12.3f} ms  +{:>9.3f} ms  {:<24} {}\n",
                             static_cast<double>(each.time_us - begin) / 1000.0,
                             static_cast<double>(each.time_us - last) / 1000.0, each.component, each.what);
    last = each.time_us;
  }
  std::cout << fmt::format("{} hops, {:.3f} ms\n", steps.size(), static_cast<double>(last - begin) / 1000.0);
  return 0;
}

}  // namespace troupe::cli
