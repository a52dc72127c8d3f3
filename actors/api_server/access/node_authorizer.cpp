// What kubelets may do: everything uniform by the role system:node, the rest by relation to their node (KEP-279).
#include "actors/api_server/access/node_authorizer.hpp"

#include <algorithm>
#include <functional>

#include "actors/api_server/access/text.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::api {

namespace {

constexpr std::string_view node_prefix = "system:node:";

const decision allowed{true, false, {}, {}};
decision no_opinion(std::string why = {}) { return {false, false, std::move(why), {}}; }

bool one_of(std::string_view verb, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), verb) != list.end();
}

/// Whether the comma-separated selector demands FIELD=VALUE.
bool selects(std::string_view selector, std::string_view field, std::string_view value) {
  while (!selector.empty()) {
    auto comma = selector.find(',');
    std::string_view term = selector.substr(0, comma);
    selector = comma == std::string_view::npos ? std::string_view() : selector.substr(comma + 1);
    auto equals = term.find('=');
    if (equals == std::string_view::npos || term.substr(0, equals) != field) continue;
    term.remove_prefix(equals + (term.substr(equals).starts_with("==") ? 2 : 1));
    if (term == value) return true;
  }
  return false;
}

bool names(const node* at, std::string_view wanted) { return at && at->string() == wanted; }

/// Whether any element of the list satisfies the test.
bool any(const node* list, const std::function<bool(const node&)>& test) {
  for (std::size_t i = 0; list && list->is_array() && i < list->size(); ++i)
    if (test(list->element(i))) return true;
  return false;
}

bool container_refers(const node& container, std::string_view key_ref, std::string_view from_ref,
                      std::string_view name) {
  return any(container.find("env"),
             [&](const node& env) { return names(env.find("valueFrom", key_ref, "name"), name); }) ||
         any(container.find("envFrom"), [&](const node& from) { return names(from.find(from_ref, "name"), name); });
}

bool containers_refer(const node& spec, std::string_view key_ref, std::string_view from_ref, std::string_view name) {
  for (std::string_view list : {"containers", "initContainers", "ephemeralContainers"})
    if (any(spec.find(list), [&](const node& c) { return container_refers(c, key_ref, from_ref, name); })) return true;
  return false;
}

/// Secrets named directly by volume plugins, wherever they put it.
bool volume_names_secret(const node& volume, std::string_view name) {
  if (names(volume.find("secret", "secretName"), name)) return true;
  for (std::string_view plugin : {"cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos"})
    if (names(volume.find(plugin, "secretRef", "name"), name)) return true;
  return names(volume.find("azureFile", "secretName"), name) ||
         names(volume.find("csi", "nodePublishSecretRef", "name"), name) ||
         any(volume.find("projected", "sources"),
             [&](const node& source) { return names(source.find("secret", "name"), name); });
}

bool pod_uses_secret(const node& spec, std::string_view name) {
  return any(spec.find("imagePullSecrets"), [&](const node& ref) { return names(ref.find("name"), name); }) ||
         containers_refer(spec, "secretKeyRef", "secretRef", name) ||
         any(spec.find("volumes"), [&](const node& volume) { return volume_names_secret(volume, name); });
}

bool pod_uses_config_map(const node& spec, std::string_view name) {
  return containers_refer(spec, "configMapKeyRef", "configMapRef", name) ||
         any(spec.find("volumes"), [&](const node& volume) {
           return names(volume.find("configMap", "name"), name) ||
                  any(volume.find("projected", "sources"),
                      [&](const node& source) { return names(source.find("configMap", "name"), name); });
         });
}

bool pod_uses_claim(const node& spec, std::string_view pod_name, std::string_view name) {
  return any(spec.find("volumes"), [&](const node& volume) {
    if (names(volume.find("persistentVolumeClaim", "claimName"), name)) return true;
    const node* own = volume.find("name");
    return volume.find("ephemeral") && own && std::string(pod_name) + "-" + std::string(own->string()) == name;
  });
}

bool pod_uses_resource_claim(const node& pod, std::string_view name) {
  return any(pod.find("spec", "resourceClaims"),
             [&](const node& claim) { return names(claim.find("resourceClaimName"), name); }) ||
         any(pod.find("status", "resourceClaimStatuses"),
             [&](const node& claim) { return names(claim.find("resourceClaimName"), name); });
}

/// A node makes mirror pods itself, so that they relate it to nothing (graph_builder.go's AddPod).
bool is_mirror(const node& pod) {
  return pod.find("metadata", "annotations", "kubernetes.io/config.mirror") != nullptr;
}

/// The relations of one node, read from the cached pods bound to it.
class relations {
 public:
  relations(std::string_view node_name, const cluster_view& cluster) : node_(node_name), cluster_(cluster) {}

  bool pod(std::string_view space, std::string_view name) const {
    const object_ptr* found = objects("", "pods")->find(space, name);
    return found && (*found)->node_name == node_;
  }
  bool secret(std::string_view space, std::string_view name) const {
    return any_pod(space,
                   [&](const node& pod) {
                     const node* spec = pod.find("spec");
                     return spec && pod_uses_secret(*spec, name);
                   }) ||
           volume_of_pods_names_secret(space, name);
  }
  bool config_map(std::string_view space, std::string_view name) const {
    return any_pod(space, [&](const node& pod) {
      const node* spec = pod.find("spec");
      return spec && pod_uses_config_map(*spec, name);
    });
  }
  bool claim(std::string_view space, std::string_view name) const {
    return any_pod(space, [&](const node& pod) {
      const node* spec = pod.find("spec");
      const node* own = pod.find("metadata", "name");
      return spec && own && pod_uses_claim(*spec, own->string(), name);
    });
  }
  bool resource_claim(std::string_view space, std::string_view name) const {
    return any_pod(space, [&](const node& pod) { return pod_uses_resource_claim(pod, name); });
  }
  bool account(std::string_view space, std::string_view name) const {
    return any_pod(space, [&](const node& pod) { return names(pod.find("spec", "serviceAccountName"), name); });
  }
  /// A PersistentVolume: bound to a claim that a pod of the node uses.
  bool volume(std::string_view name) const {
    return with("", "persistentvolumes", {}, name, [&](const node& pv) {
      const node* space = pv.find("spec", "claimRef", "namespace");
      const node* own = pv.find("spec", "claimRef", "name");
      return space && own && claim(space->string(), own->string());
    });
  }
  bool attachment(std::string_view name) const {
    return with("storage.k8s.io", "volumeattachments", {}, name,
                [&](const node& va) { return names(va.find("spec", "nodeName"), node_); });
  }
  bool slice(std::string_view name) const {
    return with("resource.k8s.io", "resourceslices", {}, name,
                [&](const node& slice) { return names(slice.find("spec", "nodeName"), node_); });
  }

 private:
  snapshot_ptr objects(std::string_view group, std::string_view plural) const {
    return cluster_.objects(schema::find_resource(group, "v1", plural));
  }
  bool any_pod(std::string_view space, const std::function<bool(const node&)>& test) const {
    if (space.empty()) return false;
    bool found = false;
    objects("", "pods")->visit(space, [&](const object_ptr& pod) {
      if (pod->node_name != node_) return true;
      auto parsed = document::parse(pod->json.view());
      found = parsed && !is_mirror(parsed->root()) && test(parsed->root());
      return !found;
    });
    return found;
  }
  bool with(std::string_view group, std::string_view plural, std::string_view space, std::string_view name,
            const std::function<bool(const node&)>& test) const {
    snapshot_ptr all = objects(group, plural);
    const object_ptr* found = all->find(space, name);
    if (!found) return false;
    auto parsed = document::parse((*found)->json.view());
    return parsed && test(parsed->root());
  }
  /// Secrets that the PersistentVolumes of the node's pods name.
  bool volume_of_pods_names_secret(std::string_view space, std::string_view name) const {
    bool found = false;
    objects("", "persistentvolumes")->visit({}, [&](const object_ptr& pv) {
      auto parsed = document::parse(pv->json.view());
      if (!parsed) return true;
      const node* spec = parsed->root().find("spec");
      if (!spec || !volume_source_names_secret(*spec, space, name)) return true;
      found = volume(pv->name);
      return !found;
    });
    return found;
  }
  static bool volume_source_names_secret(const node& spec, std::string_view space, std::string_view name) {
    auto is = [&](const node* ref) {
      return ref && names(ref->find("name"), name) && names(ref->find("namespace"), space);
    };
    for (std::string_view field : {"nodePublishSecretRef", "nodeStageSecretRef", "nodeExpandSecretRef"})
      if (is(spec.find("csi", field))) return true;
    for (std::string_view plugin : {"cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos"})
      if (is(spec.find(plugin, "secretRef"))) return true;
    return names(spec.find("azureFile", "secretName"), name);
  }

  std::string_view node_;
  const cluster_view& cluster_;
};

using related = std::function<bool(const relations&, const attributes&)>;

decision by_relation(const relations& graph, std::string_view node_name, const attributes& what, const related& test) {
  if (what.name.empty()) return no_opinion("No Object name found");
  if (test(graph, what)) return allowed;
  return no_opinion("no relationship found between node '" + std::string(node_name) + "' and this object");
}

decision by_get(const relations& graph, std::string_view node_name, const attributes& what, const related& test) {
  if (what.verb != "get") return no_opinion("can only get individual resources of this type");
  if (!what.subresource.empty()) return no_opinion("cannot get subresource");
  return by_relation(graph, node_name, what, test);
}

decision by_read(const relations& graph, std::string_view node_name, const attributes& what, const related& test) {
  if (!one_of(what.verb, {"get", "list", "watch"})) return no_opinion("can only read resources of this type");
  if (!what.subresource.empty()) return no_opinion("cannot read subresource");
  if (what.namespace_name.empty()) return no_opinion("can only read namespaced object of this type");
  return by_relation(graph, node_name, what, test);
}

decision for_node(std::string_view node_name, const attributes& what) {
  if (what.subresource.empty()) {
    if (one_of(what.verb, {"create", "update", "patch"})) return allowed;  // NodeRestriction checks which
    if (one_of(what.verb, {"get", "list", "watch"})) {
      if (what.name == node_name) return allowed;
      std::string self = "node '" + std::string(node_name) + "' cannot read ";
      self += what.name.empty() ? std::string("all nodes") : "'" + std::string(what.name) + "'";
      return no_opinion(self + ", only its own Node object");
    }
  } else if (what.subresource == "status" && one_of(what.verb, {"update", "patch"})) {
    return allowed;
  }
  return no_opinion();
}

decision for_pod(const relations& graph, std::string_view node_name, const attributes& what) {
  related is_pod = [](const relations& g, const attributes& a) { return g.pod(a.namespace_name, a.name); };
  if (what.subresource.empty()) {
    if (what.verb == "get") return by_get(graph, node_name, what, is_pod);
    if (one_of(what.verb, {"list", "watch"})) {
      if (selects(what.field_selector, "spec.nodeName", node_name)) return allowed;
      if (!what.name.empty()) return by_relation(graph, node_name, what, is_pod);
      return no_opinion("can only list/watch pods with spec.nodeName field selector");
    }
    if (one_of(what.verb, {"create", "delete"})) return allowed;
  }
  if (what.subresource == "status" && one_of(what.verb, {"update", "patch"})) return allowed;
  if (what.subresource == "eviction" && what.verb == "create") return allowed;
  return no_opinion();
}

decision for_account(const relations& graph, std::string_view node_name, const attributes& what) {
  related is_account = [](const relations& g, const attributes& a) { return g.account(a.namespace_name, a.name); };
  if (what.verb == "get" && what.subresource.empty()) return by_get(graph, node_name, what, is_account);
  if (what.verb != "create" || what.name.empty())
    return no_opinion("can only create tokens for individual service accounts");
  if (what.subresource != "token") return no_opinion("can only create token subresource of serviceaccount");
  return by_relation(graph, node_name, what, is_account);
}

decision for_lease(std::string_view node_name, const attributes& what) {
  if (!one_of(what.verb, {"get", "create", "update", "patch", "delete"}))
    return no_opinion("can only get, create, update, patch, or delete a node lease");
  if (what.namespace_name != "kube-node-lease")
    return no_opinion("can only access leases in the \"kube-node-lease\" system namespace");
  if (what.verb != "create" && what.name != node_name)
    return no_opinion("can only access node lease with the same name as the requesting node");
  return allowed;
}

decision for_csi_node(std::string_view node_name, const attributes& what) {
  if (!one_of(what.verb, {"get", "create", "update", "patch", "delete"}))
    return no_opinion("can only get, create, update, patch, or delete a CSINode");
  if (!what.subresource.empty()) return no_opinion("cannot authorize CSINode subresources");
  if (what.verb != "create" && what.name != node_name)
    return no_opinion("can only access CSINode with the same name as the requesting node");
  return allowed;
}

decision for_slice(const relations& graph, std::string_view node_name, const attributes& what) {
  if (!what.subresource.empty()) return no_opinion("cannot authorize ResourceSlice subresources");
  if (what.verb == "create") return allowed;
  if (one_of(what.verb, {"get", "update", "patch", "delete"}))
    return by_relation(graph, node_name, what, [](const relations& g, const attributes& a) { return g.slice(a.name); });
  if (one_of(what.verb, {"watch", "list", "deletecollection"})) {
    if (selects(what.field_selector, "spec.nodeName", node_name) || selects(what.field_selector, "nodeName", node_name))
      return allowed;
    return no_opinion("can only list/watch/deletecollection resourceslices with nodeName field selector");
  }
  return no_opinion(
      "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, "
      "deletecollection");
}

decision for_claim(const relations& graph, std::string_view node_name, const attributes& what) {
  related is_claim = [](const relations& g, const attributes& a) { return g.claim(a.namespace_name, a.name); };
  if (what.subresource != "status") return by_get(graph, node_name, what, is_claim);
  if (!one_of(what.verb, {"update", "patch"})) return no_opinion("can only get/update/patch this type");
  return by_relation(graph, node_name, what, is_claim);
}

}  // namespace

std::string_view node_of(const user_info& user) {
  if (!user.name.starts_with(node_prefix)) return {};
  if (std::find(user.groups.begin(), user.groups.end(), "system:nodes") == user.groups.end()) return {};
  return std::string_view(user.name).substr(node_prefix.size());
}

decision decide_for_node(std::string_view node_name, const attributes& what, const policy_rules& node_rules,
                         const cluster_view& cluster) {
  relations graph(node_name, cluster);
  if (what.resource_request) {
    std::string_view r = what.resource;
    if (what.group.empty()) {
      if (r == "secrets")
        return by_read(graph, node_name, what, [](auto& g, auto& a) { return g.secret(a.namespace_name, a.name); });
      if (r == "configmaps")
        return by_read(graph, node_name, what, [](auto& g, auto& a) { return g.config_map(a.namespace_name, a.name); });
      if (r == "persistentvolumeclaims") return for_claim(graph, node_name, what);
      if (r == "persistentvolumes")
        return by_get(graph, node_name, what, [](auto& g, auto& a) { return g.volume(a.name); });
      if (r == "serviceaccounts") return for_account(graph, node_name, what);
      if (r == "nodes") return for_node(node_name, what);
      if (r == "pods") return for_pod(graph, node_name, what);
    }
    if (what.group == "resource.k8s.io" && r == "resourceclaims")
      return by_get(graph, node_name, what,
                    [](auto& g, auto& a) { return g.resource_claim(a.namespace_name, a.name); });
    if (what.group == "resource.k8s.io" && r == "resourceslices") return for_slice(graph, node_name, what);
    if (what.group == "storage.k8s.io" && r == "volumeattachments")
      return by_get(graph, node_name, what, [](auto& g, auto& a) { return g.attachment(a.name); });
    if (what.group == "storage.k8s.io" && r == "csinodes") return for_csi_node(node_name, what);
    if (what.group == "coordination.k8s.io" && r == "leases") return for_lease(node_name, what);
  }
  bool name_matters = false;
  for (const policy_rule& rule : node_rules)
    if (rule_allows(rule, what, name_matters)) return allowed;
  return no_opinion();
}

}  // namespace troupe::api
