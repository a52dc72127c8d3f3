// NodeRestriction: a kubelet changes its own Node, Lease and the pods on it, and nothing that would draw other work to
// it. Source of rules and words: Kubernetes' plugin/pkg/admission/noderestriction.
#include <algorithm>
#include <array>
#include <string>

#include "actors/api_server/admission/plugins.hpp"
#include "actors/api_server/admission/pod_references.hpp"
#include "actors/api_server/validation/access.hpp"

namespace troupe::api::rules {
namespace {

std::string in_go_quotes(std::string_view text) {
  std::string out;
  return out.append("\"").append(text).append("\"");
}

std::string this_node(const admission_request& request) {
  std::string out = "node ";
  return out.append(in_go_quotes(request.kubelet));
}

status refuse_node(const admission_request& request, std::string_view rest) {
  auto message = this_node(request);
  return refuse(request, message.append(" ").append(rest));
}

bool in_domain(std::string_view space, std::string_view domain) {
  return space == domain ||
         (space.size() > domain.size() && space.ends_with(domain) && space[space.size() - domain.size() - 1] == '.');
}

/// k8s.io/kubelet/pkg/apis: labels of Kubernetes' own that a kubelet may set.
bool is_kubelet_label(std::string_view key, std::string_view space) {
  static constexpr std::array<std::string_view, 13> known = {"kubernetes.io/hostname",
                                                             "topology.kubernetes.io/zone",
                                                             "topology.kubernetes.io/region",
                                                             "failure-domain.beta.kubernetes.io/zone",
                                                             "failure-domain.beta.kubernetes.io/region",
                                                             "beta.kubernetes.io/instance-type",
                                                             "node.kubernetes.io/instance-type",
                                                             "kubernetes.io/os",
                                                             "kubernetes.io/arch",
                                                             "beta.kubernetes.io/os",
                                                             "beta.kubernetes.io/arch",
                                                             "kubernetes.io/instance-type",
                                                             "node.kubernetes.io/windows-build"};
  return std::find(known.begin(), known.end(), key) != known.end() || in_domain(space, "kubelet.kubernetes.io") ||
         in_domain(space, "node.kubernetes.io");
}

bool is_forbidden_label(std::string_view key) {
  auto slash = key.find('/');
  auto space = slash == std::string_view::npos ? std::string_view() : key.substr(0, slash);
  if (in_domain(space, "node-restriction.kubernetes.io")) return true;
  bool of_kubernetes = in_domain(space, "kubernetes.io") || in_domain(space, "k8s.io");
  return of_kubernetes && !is_kubelet_label(key, space);
}

/// Keys, in order, of labels that differ and are not the kubelet's to set; ", " between them.
std::string forbidden_changes(const node* before, const node* after) {
  std::string out;
  auto judge = [&](std::string_view key, const node* a, const node* b) {
    if (same(a, b) || !is_forbidden_label(key)) return;
    out.append(out.empty() ? "" : ", ").append(key);
  };
  each_member(after, [&](std::string_view key, const node& value) { judge(key, get(before, key), &value); });
  each_member(before, [&](std::string_view key, const node& value) {
    if (!has(after, key)) judge(key, &value, nullptr);
  });
  return out;
}

/// Of the old and the new Node, and in upstream's words as far as it has some.
status admit_node_fields(const admission_request& request, const node& object) {
  bool creates = request.action == admission_action::create;
  const std::string verb = creates ? "is not allowed to set " : "is not allowed to modify ";
  // Not in upstream, where the network of a cluster does not follow spec.podCIDR blindly: here it becomes a route on
  // every machine. It is for the node-ipam-controller to give.
  const node *before = get(request.previous, "spec"), *after = get(&object, "spec");
  for (std::string_view field : {"podCIDR", "podCIDRs"})
    if (!same(get(before, field), get(after, field)) && !(creates && request.own_node))
      return refuse_node(request, verb + std::string(field));
  // With owners of its choice a node could have its Node deleted and make it anew, without taints and labels that
  // others gave it (CVE-2025-5187; upstream looks at updates only).
  if (!same(get(request.previous, "metadata", "ownerReferences"), get(&object, "metadata", "ownerReferences")))
    return refuse_node(request, verb + "ownerReferences");
  if (!creates && !same(get(before, "taints"), get(after, "taints"))) return refuse_node(request, verb + "taints");
  return {};
}

status admit_node(const admission_request& request) {
  if (request.name != request.kubelet) {
    std::string rest = "is not allowed to modify node ";
    return refuse_node(request, rest.append(in_go_quotes(request.name)));
  }
  if (!request.object) return {};
  const node& object = request.object->root();
  auto labels = forbidden_changes(get(request.previous, "metadata", "labels"), get(&object, "metadata", "labels"));
  bool creates = request.action == admission_action::create;
  if (!labels.empty()) {
    std::string rest = creates ? "is not allowed to set the following labels: " : "is not allowed to modify labels: ";
    return refuse_node(request, rest.append(labels));
  }
  return admit_node_fields(request, object);
}

status admit_owner(const admission_request& request, const node& pod) {
  const node* owners = get(&pod, "metadata", "ownerReferences");
  if (count(owners) == 0) return {};
  const node& owner = owners->element(0);
  if (count(owners) > 1 || text(&owner, "apiVersion") != "v1" || text(&owner, "kind") != "Node" ||
      text(&owner, "name") != request.kubelet)
    return refuse_node(request, "can only create pods with a single owner reference set to itself");
  if (!flag(&owner, "controller"))
    return refuse_node(request, "can only create pods with a controller owner reference set to itself");
  if (flag(&owner, "blockOwnerDeletion"))
    return refuse_node(request, "must not set blockOwnerDeletion on an owner reference");
  return {};
}

status admit_mirror_pod(const admission_request& request) {
  const node& pod = request.object->root();
  if (!has(get(&pod, "metadata", "annotations"), "kubernetes.io/config.mirror")) {
    std::string message = "pod does not have \"kubernetes.io/config.mirror\" annotation, ";
    return refuse(request, message.append(this_node(request)).append(" can only create mirror pods"));
  }
  const node* spec = get(&pod, "spec");
  if (text(spec, "nodeName") != request.kubelet)
    return refuse_node(request, "can only create pods with spec.nodeName set to itself");
  if (status bad = admit_owner(request, pod); !bad.ok()) return bad;
  if (!spec) return {};
  if (!text(spec, "serviceAccountName").empty())
    return refuse_node(request, "can not create pods that reference a service account");
  if (refers_to_secrets(*spec)) return refuse_node(request, "can not create pods that reference secrets");
  if (refers_to_config_maps(*spec)) return refuse_node(request, "can not create pods that reference configmaps");
  // An ephemeral volume is a claim of a known name: POD-VOLUME.
  if (has_volume(*spec, "persistentVolumeClaim") || has_volume(*spec, "ephemeral"))
    return refuse_node(request, "can not create pods that reference persistentvolumeclaims");
  if (has_projection(*spec, "clusterTrustBundle"))
    return refuse_node(request, "can not create pods that reference clustertrustbundles");
  // CVE-2025-4563.
  if (count(spec, "resourceClaims") > 0 || count(get(&pod, "status"), "resourceClaimStatuses") > 0)
    return refuse_node(request, "can not create pods that reference resourceclaims");
  return {};
}

status admit_pod_status(const admission_request& request) {
  if (text(get(request.previous, "spec"), "nodeName") != request.kubelet)
    return refuse_node(request, "can only update pod status for pods with spec.nodeName set to itself");
  const node* labels = request.object ? get(&request.object->root(), "metadata", "labels") : nullptr;
  if (!same(get(request.previous, "metadata", "labels"), labels))
    return refuse_node(request, "cannot update labels through pod status");
  const node* now = request.object ? get(&request.object->root(), "status") : nullptr;
  if (!same(get(request.previous, "status", "resourceClaimStatuses"), get(now, "resourceClaimStatuses")))
    return refuse_node(request, "cannot update resource claim statuses");
  return {};
}

status admit_eviction(const admission_request& request) {
  static const auto pods = resource_index("", "pods");
  auto pod = request.others->find(pods, request.namespace_name, request.name);
  if (pod && pod->node_name == request.kubelet) return {};
  return refuse_node(request, "can only evict pods with spec.nodeName set to itself");
}

status admit_pod(const admission_request& request) {
  if (request.subresource == "status") return admit_pod_status(request);
  if (request.subresource == "eviction") return admit_eviction(request);
  if (!request.subresource.empty()) {
    std::string message = "unexpected pod subresource ";
    return refuse(
        request,
        message.append(in_go_quotes(request.subresource)).append(", only 'status' and 'eviction' are allowed"));
  }
  if (request.action == admission_action::create) return admit_mirror_pod(request);
  if (request.action == admission_action::update) {
    std::string message = "unexpected operation \"UPDATE\", ";
    return refuse(request, message.append(this_node(request)).append(" can only create and delete mirror pods"));
  }
  if (request.action == admission_action::remove && text(get(request.previous, "spec"), "nodeName") != request.kubelet)
    return refuse_node(request, "can only delete pods with spec.nodeName set to itself");
  return {};
}

status admit_lease(const admission_request& request) {
  if (request.namespace_name != "kube-node-lease")
    return refuse(request, "can only access leases in the \"kube-node-lease\" system namespace");
  if (request.name != request.kubelet)
    return refuse(request, "can only access node lease with the same name as the requesting node");
  return {};
}

status admit_csi_node(const admission_request& request) {
  if (request.name != request.kubelet)
    return refuse(request, "can only access CSINode with the same name as the requesting node");
  return {};
}

/// What a volume's growth changes while it goes on, and nothing else.
status admit_claim(const admission_request& request) {
  if (request.subresource != "status") return refuse(request, "may only update PVC status");
  if (request.action != admission_action::update || !request.object) {
    const bool creates = request.action == admission_action::create;
    return refuse(request, creates ? "unexpected operation \"CREATE\"" : "unexpected operation \"DELETE\"");
  }
  document rest;
  node both[] = {rest.clone(*request.previous), rest.clone(request.object->root())};
  for (node& one : both) {
    if (node* metadata = one.find("metadata"))
      for (std::string_view field : {"resourceVersion", "managedFields"}) rest.remove(*metadata, field);
    if (node* state = one.find("status"); state && state->is_object())
      for (std::string_view field : {"capacity", "conditions", "allocatedResourceStatuses", "allocatedResources"})
        rest.remove(*state, field);
  }
  if (same(&both[0], &both[1])) return {};
  return refuse_node(request, "is not allowed to update fields other than status.capacity and status.conditions");
}

}  // namespace

status node_restriction(const admission_request& request) {
  if (request.kubelet.empty()) return {};
  if (request.is("", "nodes")) return admit_node(request);
  if (request.is("", "pods")) return admit_pod(request);
  if (request.is("", "persistentvolumeclaims")) return admit_claim(request);
  if (request.is("coordination.k8s.io", "leases")) return admit_lease(request);
  if (request.is("storage.k8s.io", "csinodes")) return admit_csi_node(request);
  return {};
}

}  // namespace troupe::api::rules
