// Plug-ins that complete new pods: account, priority, tolerations.
#include <string>

#include "actors/api_server/admission/plugins.hpp"
#include "actors/api_server/admission/pod_references.hpp"
#include "actors/api_server/defaults/defaults.hpp"
#include "actors/api_server/validation/access.hpp"
#include "actors/api_server/validation/pod_rules.hpp"

namespace troupe::api::rules {
namespace {

status check_mirror_pod(const admission_request& request, const node& spec) {
  if (!text(&spec, "serviceAccountName").empty())
    return refuse(request, "a mirror pod may not reference service accounts");
  if (refers_to_secrets(spec)) return refuse(request, "a mirror pod may not reference secrets");
  if (has_projection(spec, "serviceAccountToken"))
    return refuse(request, "a mirror pod may not use ServiceAccountToken volume projections");
  return {};
}

/// What a pod gets from its account: the pull secrets, where it has none of its own.
void copy_pull_secrets(document& doc, node& spec, const object& account) {
  if (count(&spec, "imagePullSecrets") > 0 || account.json.view().find("imagePullSecrets") == std::string_view::npos)
    return;
  auto parsed = document::parse(account.json.view());
  const node* secrets = parsed ? get(&parsed->root(), "imagePullSecrets") : nullptr;
  if (count(secrets) > 0) doc.set(spec, "imagePullSecrets", doc.clone(*secrets)).set_ordinal(0xffff);
}

struct priority_class {
  std::string name;
  std::int64_t value = 0;
  std::string preemption = "PreemptLowerPriority";
};

priority_class read_class(const object& found) {
  priority_class out;
  out.name = std::string(found.name);
  auto parsed = document::parse(found.json.view());
  if (!parsed) return out;
  out.value = number(&parsed->root(), "value");
  if (const auto policy = text(&parsed->root(), "preemptionPolicy"); !policy.empty())
    out.preemption = std::string(policy);
  return out;
}

/// The class with globalDefault, of several the one with the lowest value.
priority_class global_default(const admission_request& request, std::uint16_t classes) {
  priority_class best;
  request.others->visit(classes, {}, [&](const object& candidate) {
    if (candidate.json.view().find("\"globalDefault\":true") == std::string_view::npos) return true;
    auto found = read_class(candidate);
    if (best.name.empty() || found.value < best.value) best = std::move(found);
    return true;
  });
  return best;
}

/// Nothing where there is no such class.
std::optional<priority_class> find_class(const admission_request& request, std::uint16_t classes,
                                         std::string_view name) {
  if (const auto found = request.others->find(classes, {}, name)) return read_class(*found);
  // The two system classes exist from the first moment on.
  if (name == "system-node-critical") return priority_class{std::string(name), 2000001000, "PreemptLowerPriority"};
  if (name == "system-cluster-critical") return priority_class{std::string(name), 2000000000, "PreemptLowerPriority"};
  return std::nullopt;
}

void keep_priority(const admission_request& request) {
  document& doc = *request.object;
  const node* before = get(request.previous, "spec");
  node& spec = object_member(doc, doc.root(), "spec");
  for (std::string_view field : {"priority", "preemptionPolicy"})
    if (const node* old = get(before, field); old && !has(&spec, field)) doc.set(spec, field, doc.clone(*old));
}

void add_toleration(document& doc, node& tolerations, std::string_view key, std::int64_t seconds) {
  node& toleration = doc.append(tolerations);
  doc.make_object(toleration);
  doc.set(toleration, "key", key);
  doc.set(toleration, "operator", "Exists");
  doc.set(toleration, "effect", "NoExecute");
  doc.set(toleration, "tolerationSeconds", seconds);
}

}  // namespace

status service_account(const admission_request& request) {
  static const auto accounts = resource_index("", "serviceaccounts");
  if (!request.creates_pod()) return {};
  document& doc = *request.object;
  node& spec = object_member(doc, doc.root(), "spec");
  if (get(get(&doc.root(), "metadata", "annotations"), mirror_annotation)) return check_mirror_pod(request, spec);
  set_if_empty(doc, spec, "serviceAccountName", "default");
  const std::string name(text(&spec, "serviceAccountName"));
  const auto account = request.others->find(accounts, request.namespace_name, name);
  if (account) {
    copy_pull_secrets(doc, spec, *account);
  } else if (name != "default") {
    // A namespace's "default" account comes a moment after the namespace; a pod that needs nothing of it need not wait.
    return refuse(request, "error looking up service account " + std::string(request.namespace_name) + "/" + name +
                               ": serviceaccount \"" + name + "\" not found");
  }
  doc.set(spec, "serviceAccount", std::string_view(name));
  return {};
}

status priority(const admission_request& request) {
  static const auto classes = resource_index("scheduling.k8s.io", "priorityclasses");
  if (!request.subresource.empty() || !request.is("", "pods") || !request.object) return {};
  if (request.action == admission_action::update) {
    keep_priority(request);
    return {};
  }
  document& doc = *request.object;
  node& spec = object_member(doc, doc.root(), "spec");
  const std::string wanted(text(&spec, "priorityClassName"));
  const auto found = wanted.empty() ? global_default(request, classes) : find_class(request, classes, wanted);
  if (!found) return refuse(request, "no PriorityClass with name " + wanted + " was found");
  const node* own = get(&spec, "priority");
  if (own && own->integer() != found->value)
    return refuse(request, "the integer value of priority (" + std::to_string(own->integer()) +
                               ") must not be provided in pod spec; priority admission controller computed " +
                               std::to_string(found->value) + " from the given PriorityClass name");
  const auto policy = text(&spec, "preemptionPolicy");
  if (!policy.empty() && policy != found->preemption)
    return refuse(request, "the string value of PreemptionPolicy (" + std::string(policy) +
                               ") must not be provided in pod spec; priority admission controller computed " +
                               found->preemption + " from the given PriorityClass name");
  if (!found->name.empty()) doc.set(spec, "priorityClassName", std::string_view(found->name));
  doc.set(spec, "priority", found->value);
  doc.set(spec, "preemptionPolicy", std::string_view(found->preemption));
  return {};
}

status default_toleration_seconds(const admission_request& request) {
  constexpr std::string_view not_ready = "node.kubernetes.io/not-ready", unreachable = "node.kubernetes.io/unreachable";
  if (!request.subresource.empty() || !request.is("", "pods") || !request.object) return {};
  document& doc = *request.object;
  node& spec = object_member(doc, doc.root(), "spec");
  bool has_not_ready = false, has_unreachable = false;
  each(get(&spec, "tolerations"), [&](const node& toleration, std::size_t) {
    const auto key = text(&toleration, "key"), effect = text(&toleration, "effect");
    if (effect != "NoExecute" && !effect.empty()) return;
    has_not_ready = has_not_ready || key == not_ready || key.empty();
    has_unreachable = has_unreachable || key == unreachable || key.empty();
  });
  if (has_not_ready && has_unreachable) return {};
  node& tolerations = doc.set(spec, "tolerations");
  if (!tolerations.is_array()) doc.make_array(tolerations);
  if (!has_not_ready) add_toleration(doc, tolerations, not_ready, request.toleration_seconds);
  if (!has_unreachable) add_toleration(doc, tolerations, unreachable, request.toleration_seconds);
  return {};
}

}  // namespace troupe::api::rules
