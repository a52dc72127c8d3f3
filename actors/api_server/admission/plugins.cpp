// The chain, and the plug-ins about namespaces, nodes, storage and classes.
#include "actors/api_server/admission/plugins.hpp"

#include <algorithm>
#include <array>

#include "actors/api_server/defaults/defaults.hpp"
#include "actors/api_server/validation/access.hpp"

namespace troupe::api::rules {
namespace {

constexpr std::array immortal = {"default", "kube-system", "kube-public"};

/// The member of another object, by parsing it.
std::string text_of(const object& other, std::string_view outer, std::string_view inner) {
  auto parsed = document::parse(other.json.view());
  return parsed ? std::string(text(get(&parsed->root(), outer), inner)) : std::string();
}

bool terminating(const object& space) {
  // Most namespaces do not have the text at all, so few are parsed.
  if (space.json.view().find("\"Terminating\"") == std::string_view::npos) return false;
  return text_of(space, "status", "phase") == "Terminating";
}

std::string annotation(const object& other, std::string_view key) {
  if (other.json.view().find(key) == std::string_view::npos) return {};
  auto parsed = document::parse(other.json.view());
  return parsed ? std::string(text(get(&parsed->root(), "metadata", "annotations"), key)) : std::string();
}

/// The newest object of the resource whose annotation says "true"; among equals the first by name.
object_ptr default_class(const admission_request& request, std::uint16_t resource, std::string_view mark,
                         std::size_t& how_many) {
  std::string best_name;
  std::uint64_t best = 0;
  request.others->visit(resource, {}, [&](const object& candidate) {
    if (annotation(candidate, mark) != "true") return true;
    ++how_many;
    if (best_name.empty() || candidate.created > best) best_name = candidate.name, best = candidate.created;
    return true;
  });
  return best_name.empty() ? nullptr : request.others->find(resource, {}, best_name);
}

void add_finalizer(document& doc, std::string_view name) {
  node& list = doc.set(object_member(doc, doc.root(), "metadata"), "finalizers");
  if (!list.is_array()) doc.make_array(list);
  if (!holds(&list, name)) doc.assign(doc.append(list), name);
}

}  // namespace

status refuse(const admission_request& request, std::string_view message) {
  return forbidden(request.info->group, request.info->plural, request.name, message);
}

std::uint16_t resource_index(std::string_view group, std::string_view plural) {
  const auto all = schema::resources();
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].group == group && all[i].plural == plural) return all[i].storage;
  return schema::no_index;
}

status namespace_lifecycle(const admission_request& request) {
  static const auto namespaces = resource_index("", "namespaces");
  if (request.is("", "namespaces")) {
    const bool kept = std::find(immortal.begin(), immortal.end(), request.name) != immortal.end();
    if (request.action == admission_action::remove && kept) return refuse(request, "this namespace may not be deleted");
    return {};
  }
  const bool review = request.info->group == "authorization.k8s.io";
  if (request.namespace_name.empty() || request.action == admission_action::remove || review) return {};
  const auto space = request.others->find(namespaces, {}, request.namespace_name);
  if (!space) return not_found("", "namespaces", request.namespace_name);
  if (request.action != admission_action::create || !terminating(*space)) return {};
  const std::string name(request.namespace_name);
  status out = refuse(request, "unable to create new content in namespace " + name + " because it is being terminated");
  out.causes.push_back({"NamespaceTerminating", "namespace " + name + " is being terminated", "metadata.namespace"});
  return out;
}

status taint_nodes_by_condition(const admission_request& request) {
  constexpr std::string_view not_ready = "node.kubernetes.io/not-ready";
  if (request.action != admission_action::create || !request.subresource.empty() || !request.is("", "nodes")) return {};
  document& doc = *request.object;
  node& taints = doc.set(object_member(doc, doc.root(), "spec"), "taints");
  if (!taints.is_array()) doc.make_array(taints);
  for (std::size_t i = 0; i < taints.size(); ++i)
    if (text(&taints.element(i), "key") == not_ready && text(&taints.element(i), "effect") == "NoSchedule") return {};
  node& taint = doc.append(taints);
  doc.make_object(taint);
  doc.set(taint, "key", not_ready);
  doc.set(taint, "effect", "NoSchedule");
  return {};
}

status default_storage_class(const admission_request& request) {
  static const auto classes = resource_index("storage.k8s.io", "storageclasses");
  if (request.action != admission_action::create || !request.subresource.empty() ||
      !request.is("", "persistentvolumeclaims"))
    return {};
  document& doc = *request.object;
  const node* spec = get(&doc.root(), "spec");
  const bool chosen = has(spec, "storageClassName") ||
                      get(&doc.root(), "metadata", "annotations", "volume.beta.kubernetes.io/storage-class");
  if (chosen) return {};
  std::size_t how_many = 0;
  const auto found = default_class(request, classes, "storageclass.kubernetes.io/is-default-class", how_many);
  if (found) doc.set(object_member(doc, doc.root(), "spec"), "storageClassName", found->name);
  return {};
}

status storage_object_in_use(const admission_request& request) {
  if (request.action != admission_action::create || !request.subresource.empty()) return {};
  if (request.is("", "persistentvolumes")) add_finalizer(*request.object, "kubernetes.io/pv-protection");
  if (request.is("", "persistentvolumeclaims")) add_finalizer(*request.object, "kubernetes.io/pvc-protection");
  return {};
}

status default_ingress_class(const admission_request& request) {
  static const auto classes = resource_index("networking.k8s.io", "ingressclasses");
  if (request.action != admission_action::create || !request.subresource.empty() ||
      !request.is("networking.k8s.io", "ingresses"))
    return {};
  document& doc = *request.object;
  if (has(get(&doc.root(), "spec"), "ingressClassName") ||
      get(&doc.root(), "metadata", "annotations", "kubernetes.io/ingress.class"))
    return {};
  std::size_t how_many = 0;
  const auto found = default_class(request, classes, "ingressclass.kubernetes.io/is-default-class", how_many);
  if (found) doc.set(object_member(doc, doc.root(), "spec"), "ingressClassName", found->name);
  return {};
}

status runtime_class(const admission_request& request) {
  static const auto classes = resource_index("node.k8s.io", "runtimeclasses");
  if (!request.creates_pod()) return {};
  document& doc = *request.object;
  node& spec = object_member(doc, doc.root(), "spec");
  const node* name = get(&spec, "runtimeClassName");
  if (!name) {
    if (count(&spec, "overhead") > 0)
      return refuse(request, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead");
    return {};
  }
  const std::string wanted(name->string());
  const auto found = request.others->find(classes, {}, wanted);
  if (!found) return refuse(request, "pod rejected: RuntimeClass \"" + wanted + "\" not found");
  auto parsed = document::parse(found->json.view());
  if (!parsed) return internal_error("RuntimeClass " + wanted + " cannot be read");
  const node* overhead = get(&parsed->root(), "overhead", "podFixed");
  if (overhead && has(&spec, "overhead") && !same(overhead, get(&spec, "overhead")))
    return refuse(request, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
  if (overhead && !has(&spec, "overhead")) doc.set(spec, "overhead", doc.clone(*overhead)).set_ordinal(0xffff);
  const node* scheduling = get(&parsed->root(), "scheduling");
  bool conflict = false;
  each_member(get(scheduling, "nodeSelector"), [&](std::string_view key, const node& value) {
    node& selector = object_member(doc, spec, "nodeSelector");
    const node* own = get(&selector, key);
    conflict = conflict || (own && own->string() != value.string());
    doc.set(selector, key, value.string());
  });
  if (conflict)
    return refuse(request,
                  "pod rejected: conflict: runtimeClass.scheduling.nodeSelector conflicts with pod.spec.nodeSelector");
  each(get(scheduling, "tolerations"), [&](const node& toleration, std::size_t) {
    node& list = doc.set(spec, "tolerations");
    if (!list.is_array()) doc.make_array(list);
    doc.append(list, doc.clone(toleration));
  });
  return {};
}

status run_plugins(const admission_request& request) {
  for (auto plugin : {namespace_lifecycle, limit_ranger, service_account, node_restriction, taint_nodes_by_condition,
                      pod_security, priority, default_toleration_seconds, default_storage_class, storage_object_in_use,
                      runtime_class, default_ingress_class})
    if (status out = plugin(request); !out.ok()) return out;
  return {};
}

}  // namespace troupe::api::rules
