#include "actors/controller_manager/namespace/conditions.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "messages/schema/schema.hpp"

namespace troupe::controllers {
namespace {

struct namespace_condition {
  const char* type;
  bool bad;
  std::string reason, message;
};

std::string joined(std::vector<std::string> parts) {
  std::sort(parts.begin(), parts.end());
  std::string out;
  for (const auto& part : parts) out += (out.empty() ? "" : ", ") + part;
  return out;
}

namespace_condition content_remaining(const left_overs& left) {
  std::vector<std::string> parts;
  for (const auto& [index, rest] : left) {
    const auto& resource = schema::resources()[index];
    if (rest.count > 0)
      parts.push_back(fmt::format("{}.{} has {} resource instances", resource.plural, resource.group, rest.count));
  }
  if (parts.empty()) return {"NamespaceContentRemaining", false, "ContentRemoved", "All content successfully removed"};
  return {"NamespaceContentRemaining", true, "SomeResourcesRemain",
          "Some resources are remaining: " + joined(std::move(parts))};
}

namespace_condition finalizers_remaining(const left_overs& left) {
  std::map<std::string, std::int64_t> sum;
  for (const auto& [index, rest] : left)
    for (const auto& [finalizer, count] : rest.finalizers) sum[finalizer] += count;
  if (sum.empty())
    return {"NamespaceFinalizersRemaining", false, "ContentHasNoFinalizers",
            "All content-preserving finalizers finished"};
  std::vector<std::string> parts;
  parts.reserve(sum.size());
  for (const auto& [finalizer, count] : sum)
    parts.push_back(fmt::format("{} in {} resource instances", finalizer, count));
  return {"NamespaceFinalizersRemaining", true, "SomeFinalizersRemain",
          "Some content in the namespace has finalizers remaining: " + joined(std::move(parts))};
}

std::vector<namespace_condition> wanted_conditions(const left_overs& left) {
  return {{"NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered", "All resources successfully discovered"},
          {"NamespaceDeletionGroupVersionParsingFailure", false, "ParsedGroupVersions",
           "All legacy kube types successfully parsed"},
          {"NamespaceDeletionContentFailure", false, "ContentDeleted",
           "All content successfully deleted, may be waiting on finalization"},
          content_remaining(left),
          finalizers_remaining(left)};
}

}  // namespace

left_over read_left_over(std::string_view list) {
  left_over out;
  auto parsed = document::parse(list);
  if (!parsed) return out;
  auto* items = parsed->root().find("items");
  out.count = items ? static_cast<std::int64_t>(items->size()) : 0;
  if (auto* more = parsed->root().find("metadata", "remainingItemCount")) out.count += more->integer();
  for (std::size_t i = 0; items && i < items->size(); ++i) {
    auto* held = items->element(i).find("metadata", "finalizers");
    for (std::size_t k = 0; held && k < held->size(); ++k) ++out.finalizers[std::string(held->element(k).string())];
  }
  return out;
}

bool set_conditions(document& space, const left_overs& left, const std::string& now) {
  core_v1::namespace_view old_view(space);
  bool changed = false;
  std::vector<std::string> times;
  auto wanted = wanted_conditions(left);
  for (const auto& one : wanted) {
    std::string value = one.bad ? "True" : "False", since = now;
    bool same = false;
    for (auto old : old_view.status().conditions()) {
      if (old.type() != one.type) continue;
      if (old.status() == value) since = old.last_transition_time();
      same = old.status() == value && old.reason() == one.reason && old.message() == one.message;
    }
    changed = changed || !same;
    times.push_back(since);
  }
  if (!changed) return false;
  auto& list = space.set(space.set(space.root(), "status"), "conditions");
  space.clear(list);
  space.make_array(list);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    auto& entry = space.append(list);
    space.make_object(entry);
    space.set(entry, "type", wanted[i].type);
    space.set(entry, "status", wanted[i].bad ? "True" : "False");
    space.set(entry, "lastTransitionTime", times[i]);
    space.set(entry, "reason", wanted[i].reason);
    space.set(entry, "message", wanted[i].message);
  }
  return true;
}

}  // namespace troupe::controllers
