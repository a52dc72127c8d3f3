// NodeRestriction: what a kubelet may change, in Kubernetes' words.
#include <doctest/doctest.h>

#include <string>

#include "actors/api_server/admission/plugins.hpp"
#include "actors/api_server/validation/access.hpp"

namespace troupe::api::rules {
namespace {

class one_object : public object_source {
 public:
  object_ptr held;
  object_ptr find(std::uint16_t, std::string_view, std::string_view name) const override {
    return held && held->name == name ? held : nullptr;
  }
  void visit(std::uint16_t, std::string_view, const std::function<bool(const object&)>&) const override {}
};

/// A request of the kubelet of node "a".
struct asked {
  one_object others;
  document now, before;
  admission_request request;

  asked(std::string_view group, std::string_view plural, std::string_view subresource = {}) {
    request.info = &schema::resources()[resource_index(group, plural)];
    request.subresource = subresource;
    request.kubelet = "a";
    request.others = &others;
    request.namespace_name = "default";
  }
  std::string create(const std::string& json) { return judge(admission_action::create, {}, json); }
  std::string update(const std::string& from, const std::string& to) {
    return judge(admission_action::update, from, to);
  }
  std::string remove(const std::string& from) { return judge(admission_action::remove, from, {}); }

 private:
  std::string judge(admission_action what, const std::string& from, const std::string& to) {
    request.action = what;
    auto read = [](const std::string& json, document& into) {
      auto parsed = document::parse(json);
      REQUIRE(parsed);
      into = std::move(*parsed);
    };
    if (!from.empty()) {
      read(from, before);
      request.previous = &before.root();
    }
    if (!to.empty()) {
      read(to, now);
      request.object = &now;
    }
    request.name = text(get(request.object ? &now.root() : &before.root(), "metadata"), "name");
    auto out = node_restriction(request);
    CHECK((out.ok() || out.code == 403));
    return out.message;
  }
};

std::string node_json(const std::string& name, const std::string& labels = "{}", const std::string& taints = "[]") {
  return R"({"metadata":{"name":")" + name + R"(","labels":)" + labels + R"(},"spec":{"taints":)" + taints + "}}";
}

std::string pod_json(const std::string& node, const std::string& more = {}, const std::string& metadata = {}) {
  return R"({"metadata":{"name":"p")" + metadata + R"(},"spec":{"nodeName":")" + node + "\"" + more + "}}";
}

constexpr const char* mirror = R"(,"annotations":{"kubernetes.io/config.mirror":"x"})";

}  // namespace

TEST_CASE("others than kubelets are not asked") {
  asked f("", "nodes");
  f.request.kubelet = {};
  CHECK(f.create(node_json("b")).empty());
}

TEST_CASE("a kubelet changes its own Node only, and not what draws work to it") {
  CHECK(asked("", "nodes")
            .create(node_json("a", R"({"kubernetes.io/hostname":"a","type":"x","topology.kubernetes.io/zone":"z"})"))
            .empty());
  CHECK(asked("", "nodes").create(node_json("b")) ==
        R"(nodes "b" is forbidden: node "a" is not allowed to modify node "b")");
  CHECK(asked("", "nodes", "status").update(node_json("b"), node_json("b")) ==
        R"(nodes "b" is forbidden: node "a" is not allowed to modify node "b")");
  CHECK(
      asked("", "nodes").create(node_json("a", R"({"node-restriction.kubernetes.io/x":"y"})")) ==
      R"(nodes "a" is forbidden: node "a" is not allowed to set the following labels: node-restriction.kubernetes.io/x)");
  CHECK(asked("", "nodes").update(node_json("a"), node_json("a", R"({"foo.k8s.io/x":"y","ours":"z"})")) ==
        R"(nodes "a" is forbidden: node "a" is not allowed to modify labels: foo.k8s.io/x)");
  CHECK(asked("", "nodes").update(node_json("a", R"({"foo.k8s.io/x":"y"})"), node_json("a")) ==
        R"(nodes "a" is forbidden: node "a" is not allowed to modify labels: foo.k8s.io/x)");
  CHECK(asked("", "nodes").update(node_json("a", "{}", R"([{"key":"k","effect":"NoSchedule"}])"), node_json("a")) ==
        R"(nodes "a" is forbidden: node "a" is not allowed to modify taints)");
  CHECK(asked("", "nodes").create(node_json("a", "{}", R"([{"key":"k","effect":"NoSchedule"}])")).empty());
}

TEST_CASE("a kubelet chooses no pod range: that becomes a route on every machine") {
  auto with = [](const std::string& spec) { return R"({"metadata":{"name":"a"},"spec":{)" + spec + "}}"; };
  const auto bare = with(""), one = with(R"("podCIDR":"10.244.1.0/24")"),
             list = with(R"("podCIDRs":["10.244.1.0/24"])"), other = with(R"("podCIDRs":["0.0.0.0/1"])");
  const std::string refused = R"(nodes "a" is forbidden: node "a" is not allowed to )";
  CHECK(asked("", "nodes").create(one) == refused + "set podCIDR");
  CHECK(asked("", "nodes").create(list) == refused + "set podCIDRs");
  CHECK(asked("", "nodes").update(bare, one) == refused + "modify podCIDR");
  CHECK(asked("", "nodes").update(bare, list) == refused + "modify podCIDRs");
  CHECK(asked("", "nodes").update(list, other) == refused + "modify podCIDRs");
  CHECK(asked("", "nodes").update(list, bare) == refused + "modify podCIDRs");
  CHECK(asked("", "nodes", "status").update(list, list).empty());
  // A kubelet of the server's own process is told its range by the configuration.
  asked own("", "nodes");
  own.request.own_node = true;
  CHECK(own.create(list).empty());
  asked later("", "nodes");
  later.request.own_node = true;
  CHECK(later.update(list, other) == refused + "modify podCIDRs");
}

TEST_CASE("a kubelet gives its Node no owner, with which it would be deleted (CVE-2025-5187)") {
  const std::string owned =
      R"({"metadata":{"name":"a","ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"x","uid":"u"}]},)"
      R"("spec":{"taints":[]}})";
  const std::string refused = R"(nodes "a" is forbidden: node "a" is not allowed to )";
  for (const char* subresource : {"", "status"}) {
    CHECK(asked("", "nodes", subresource).update(node_json("a"), owned) == refused + "modify ownerReferences");
    CHECK(asked("", "nodes", subresource).update(owned, node_json("a")) == refused + "modify ownerReferences");
    CHECK(asked("", "nodes", subresource).update(owned, owned).empty());
  }
  CHECK(asked("", "nodes").create(owned) == refused + "set ownerReferences");
}

TEST_CASE("a kubelet touches the pods on its node only") {
  CHECK(asked("", "pods", "status").update(pod_json("a"), pod_json("a")).empty());
  CHECK(asked("", "pods", "status").update(pod_json("b"), pod_json("b")) ==
        R"(pods "p" is forbidden: node "a" can only update pod status for pods with spec.nodeName set to itself)");
  CHECK(asked("", "pods", "status").update(pod_json("a"), pod_json("a", "", R"(,"labels":{"app":"other"})")) ==
        R"(pods "p" is forbidden: node "a" cannot update labels through pod status)");
  const std::string claims = R"({"metadata":{"name":"p"},"spec":{"nodeName":"a"},"status":{"resourceClaimStatuses":)"
                             R"([{"name":"r","resourceClaimName":"c"}]}})";
  CHECK(asked("", "pods", "status").update(pod_json("a"), claims) ==
        R"(pods "p" is forbidden: node "a" cannot update resource claim statuses)");
  CHECK(asked("", "pods").update(pod_json("a"), pod_json("a")) ==
        R"(pods "p" is forbidden: unexpected operation "UPDATE", node "a" can only create and delete mirror pods)");
  CHECK(asked("", "pods").remove(pod_json("a")).empty());
  CHECK(asked("", "pods").remove(pod_json("b")) ==
        R"(pods "p" is forbidden: node "a" can only delete pods with spec.nodeName set to itself)");
  CHECK(asked("", "pods", "binding").create(pod_json("a")) ==
        R"(pods "p" is forbidden: unexpected pod subresource "binding", only 'status' and 'eviction' are allowed)");
}

TEST_CASE("a kubelet evicts the pods on its node only") {
  auto pod_on = [](const std::string& node) {
    return *make_object(
        resource_index("", "pods"),
        R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"p"},"spec":{"nodeName":")" + node + R"("}})", 1, 1);
  };
  asked own("", "pods", "eviction");
  own.others.held = pod_on("a");
  CHECK(own.create(R"({"metadata":{"name":"p"}})").empty());
  asked other("", "pods", "eviction");
  other.others.held = pod_on("b");
  CHECK(other.create(R"({"metadata":{"name":"p"}})") ==
        R"(pods "p" is forbidden: node "a" can only evict pods with spec.nodeName set to itself)");
}

TEST_CASE("a kubelet creates mirror pods only, which refer to nothing") {
  auto create = [](const std::string& json) { return asked("", "pods").create(json); };
  CHECK(create(pod_json("a", "", mirror)).empty());
  CHECK(
      create(pod_json("a")) ==
      R"(pods "p" is forbidden: pod does not have "kubernetes.io/config.mirror" annotation, node "a" can only create mirror pods)");
  CHECK(create(pod_json("b", "", mirror)) ==
        R"(pods "p" is forbidden: node "a" can only create pods with spec.nodeName set to itself)");
  CHECK(create(pod_json("a", R"(,"serviceAccountName":"x")", mirror)) ==
        R"(pods "p" is forbidden: node "a" can not create pods that reference a service account)");
  CHECK(create(pod_json("a", R"(,"volumes":[{"name":"v","secret":{"secretName":"s"}}])", mirror)) ==
        R"(pods "p" is forbidden: node "a" can not create pods that reference secrets)");
  CHECK(create(pod_json("a",
                        R"(,"containers":[{"env":[{"name":"E","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}]}])",
                        mirror)) == R"(pods "p" is forbidden: node "a" can not create pods that reference secrets)");
  CHECK(create(pod_json("a", R"(,"initContainers":[{"envFrom":[{"configMapRef":{"name":"m"}}]}])", mirror)) ==
        R"(pods "p" is forbidden: node "a" can not create pods that reference configmaps)");
  CHECK(create(pod_json("a", R"(,"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"c"}}])", mirror)) ==
        R"(pods "p" is forbidden: node "a" can not create pods that reference persistentvolumeclaims)");
  const std::string cannot = R"(pods "p" is forbidden: node "a" can not create pods that reference )";
  for (const char* driver : {"cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos"}) {
    CAPTURE(driver);
    CHECK(
        create(pod_json("a", R"(,"volumes":[{"name":"v",")" + std::string(driver) + R"(":{"secretRef":{"name":"s"}}}])",
                        mirror)) == cannot + "secrets");
  }
  CHECK(create(pod_json("a", R"(,"volumes":[{"name":"v","azureFile":{"secretName":"s"}}])", mirror)) ==
        cannot + "secrets");
  CHECK(create(pod_json("a", R"(,"volumes":[{"name":"v","csi":{"nodePublishSecretRef":{"name":"s"}}}])", mirror)) ==
        cannot + "secrets");
  CHECK(create(pod_json("a", R"(,"ephemeralContainers":[{"envFrom":[{"secretRef":{"name":"s"}}]}])", mirror)) ==
        cannot + "secrets");
  CHECK(create(pod_json("a", R"(,"volumes":[{"name":"v","ephemeral":{"volumeClaimTemplate":{}}}])", mirror)) ==
        cannot + "persistentvolumeclaims");
  CHECK(create(pod_json("a", R"(,"resourceClaims":[{"name":"r","resourceClaimName":"c"}])", mirror)) ==
        cannot + "resourceclaims");
  // What names no object is as good as ever.
  CHECK(
      create(pod_json("a", R"(,"volumes":[{"name":"v","hostPath":{"path":"/x"}},{"name":"w","emptyDir":{}}])", mirror))
          .empty());
  std::string owner =
      R"(,"ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"b","uid":"u","controller":true}])";
  CHECK(create(pod_json("a", "", mirror + owner)) ==
        R"(pods "p" is forbidden: node "a" can only create pods with a single owner reference set to itself)");
}

TEST_CASE("a kubelet has one Lease and one CSINode") {
  asked lease("coordination.k8s.io", "leases");
  lease.request.namespace_name = "kube-node-lease";
  CHECK(lease.create(R"({"metadata":{"name":"a"}})").empty());
  asked foreign("coordination.k8s.io", "leases");
  foreign.request.namespace_name = "kube-node-lease";
  CHECK(
      foreign.create(R"({"metadata":{"name":"b"}})") ==
      R"(leases.coordination.k8s.io "b" is forbidden: can only access node lease with the same name as the requesting node)");
  asked elsewhere("coordination.k8s.io", "leases");
  CHECK(
      elsewhere.create(R"({"metadata":{"name":"a"}})") ==
      R"(leases.coordination.k8s.io "a" is forbidden: can only access leases in the "kube-node-lease" system namespace)");
  CHECK(!asked("storage.k8s.io", "csinodes").create(R"({"metadata":{"name":"b"}})").empty());
}

TEST_CASE("of a claim a kubelet writes how far its volume has grown, and no more") {
  auto claim = [](const std::string& status, const std::string& metadata = "") {
    return R"({"metadata":{"name":"c")" + metadata + R"(},"spec":{"volumeName":"v"},"status":{)" + status + "}}";
  };
  const std::string before = claim(R"("phase":"Bound","capacity":{"storage":"1Gi"})", R"(,"resourceVersion":"7")");
  auto update = [&](const std::string& after) {
    return asked("", "persistentvolumeclaims", "status").update(before, after);
  };
  CHECK(update(claim(R"("phase":"Bound","capacity":{"storage":"2Gi"},"conditions":[{"type":"Resizing"}],)"
                     R"("allocatedResources":{"storage":"2Gi"},"allocatedResourceStatuses":{"storage":"x"})"))
            .empty());
  const std::string refused =
      R"(persistentvolumeclaims "c" is forbidden: node "a" is not allowed to update fields other than status.capacity )"
      "and status.conditions";
  CHECK(update(claim(R"("phase":"Lost","capacity":{"storage":"1Gi"})")) == refused);
  CHECK(update(claim(R"("phase":"Bound")", R"(,"labels":{"x":"y"})")) == refused);
  CHECK(asked("", "persistentvolumeclaims").update(before, before) ==
        R"(persistentvolumeclaims "c" is forbidden: may only update PVC status)");
}

}  // namespace troupe::api::rules
