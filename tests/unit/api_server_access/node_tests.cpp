// The node authorizer: a kubelet reaches what belongs to its pods.
#include <doctest/doctest.h>

#include "tests/unit/api_server_access/fixture.hpp"

using namespace troupe;
using namespace troupe::api;

namespace {

user_ptr kubelet(const std::string& node_name) {
  return user("system:node:" + node_name, {"system:nodes", "system:authenticated"});
}

std::string pod(const std::string& name, const std::string& node_name) {
  return R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":")" + name +
         R"(","namespace":"ns"},"spec":{)"
         R"("volumes":[{"name":"c","configMap":{"name":"vol-)" +
         name +
         R"("}},{"name":"p","persistentVolumeClaim":)"
         R"({"claimName":"claim-)" +
         name +
         R"("}}],"containers":[{"name":"c","image":"i","env":[{"name":"E","valueFrom":)"
         R"({"secretKeyRef":{"name":"env-)" +
         name + R"(","key":"k"}}}]}],"serviceAccountName":"sa-)" + name + R"(","nodeName":")" + node_name +
         R"(","imagePullSecrets":[{"name":"pull-)" + name + "\"}]}}";
}

}  // namespace

TEST_CASE("objects are related to a node through its pods") {
  fake_cluster cluster;
  cluster.put(pod("a", "n1"));
  cluster.put(pod("b", "n2"));
  cluster.put(R"({"kind":"PersistentVolume","apiVersion":"v1","metadata":{"name":"pv"},"spec":{"csi":{"driver":"d",)"
              R"("volumeHandle":"h","nodeStageSecretRef":{"name":"stage","namespace":"ns"}},)"
              R"("claimRef":{"namespace":"ns","name":"claim-a"}}})");
  authorizer judge(cluster);
  auto allows = [&](const attributes& what) { return judge.decide(*kubelet("n1"), what).allowed; };
  for (const char* secret : {"env-a", "pull-a", "stage"}) CHECK(allows(ask("get", "", "secrets", "ns", secret)));
  for (const char* secret : {"env-b", "pull-b", "vol-a"}) CHECK_FALSE(allows(ask("get", "", "secrets", "ns", secret)));
  CHECK(allows(ask("watch", "", "configmaps", "ns", "vol-a")));
  CHECK_FALSE(allows(ask("get", "", "configmaps", "other", "vol-a")));
  CHECK_FALSE(allows(ask("list", "", "configmaps", "ns")));
  CHECK(allows(ask("get", "", "persistentvolumeclaims", "ns", "claim-a")));
  CHECK_FALSE(allows(ask("get", "", "persistentvolumeclaims", "ns", "claim-b")));
  CHECK(allows(ask("get", "", "persistentvolumes", "", "pv")));
  CHECK(allows(ask("create", "", "serviceaccounts", "ns", "sa-a", "token")));
  CHECK_FALSE(allows(ask("create", "", "serviceaccounts", "ns", "sa-b", "token")));
  CHECK(allows(ask("get", "", "pods", "ns", "a")));
  CHECK_FALSE(allows(ask("get", "", "pods", "ns", "b")));
  CHECK(judge.decide(*kubelet("n1"), ask("get", "", "secrets", "ns", "env-b")).reason ==
        "no relationship found between node 'n1' and this object");
}

TEST_CASE("a mirror pod, which a node makes itself, relates it to nothing but the pod") {
  auto cluster_with = [](const std::string& annotations) {
    fake_cluster cluster;
    cluster.put(
        R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"m","namespace":"ns","annotations":{)" + annotations +
        R"(}},"spec":{"nodeName":"n1","serviceAccountName":"sa","volumes":[)"
        R"({"name":"a","rbd":{"secretRef":{"name":"rbd"}}},{"name":"b","iscsi":{"secretRef":{"name":"iscsi"}}},)"
        R"({"name":"c","cephfs":{"secretRef":{"name":"cephfs"}}},{"name":"d","cinder":{"secretRef":{"name":"cinder"}}},)"
        R"({"name":"e","azureFile":{"secretName":"azure"}},{"name":"f","configMap":{"name":"map"}},)"
        R"({"name":"g","csi":{"driver":"x","nodePublishSecretRef":{"name":"csi"}}},)"
        R"({"name":"h","ephemeral":{}},{"name":"i","persistentVolumeClaim":{"claimName":"claim"}}],)"
        R"("resourceClaims":[{"name":"r","resourceClaimName":"device"}]}})");
    return cluster;
  };
  const std::vector<attributes> reads = {
      ask("get", "", "secrets", "ns", "rbd"),
      ask("get", "", "secrets", "ns", "iscsi"),
      ask("get", "", "secrets", "ns", "cephfs"),
      ask("get", "", "secrets", "ns", "cinder"),
      ask("get", "", "secrets", "ns", "azure"),
      ask("get", "", "secrets", "ns", "csi"),
      ask("get", "", "configmaps", "ns", "map"),
      ask("get", "", "persistentvolumeclaims", "ns", "m-h"),
      ask("get", "", "persistentvolumeclaims", "ns", "claim"),
      ask("get", "resource.k8s.io", "resourceclaims", "ns", "device"),
      ask("create", "", "serviceaccounts", "ns", "sa", "token"),
  };
  auto others = cluster_with("");
  auto mirror = cluster_with(R"("kubernetes.io/config.mirror":"x")");
  for (const auto& what : reads) {
    CAPTURE(what.name);
    CHECK(authorizer(others).decide(*kubelet("n1"), what).allowed);
    CHECK_FALSE(authorizer(mirror).decide(*kubelet("n1"), what).allowed);
  }
  CHECK(authorizer(mirror).decide(*kubelet("n1"), ask("get", "", "pods", "ns", "m")).allowed);
}

TEST_CASE("nodes, leases, pods and status") {
  fake_cluster cluster;
  authorizer judge(cluster);
  auto decide = [&](const attributes& what) { return judge.decide(*kubelet("n1"), what); };
  CHECK(decide(ask("get", "", "nodes", "", "n1")).allowed);
  CHECK(decide(ask("get", "", "nodes", "", "n2")).reason == "node 'n1' cannot read 'n2', only its own Node object");
  CHECK(decide(ask("list", "", "nodes")).reason == "node 'n1' cannot read all nodes, only its own Node object");
  CHECK(decide(ask("patch", "", "nodes", "", "n1", "status")).allowed);
  CHECK_FALSE(decide(ask("delete", "", "nodes", "", "n1")).allowed);
  CHECK(decide(ask("update", "coordination.k8s.io", "leases", "kube-node-lease", "n1")).allowed);
  CHECK(decide(ask("update", "coordination.k8s.io", "leases", "kube-node-lease", "n2")).reason ==
        "can only access node lease with the same name as the requesting node");
  CHECK(decide(ask("update", "coordination.k8s.io", "leases", "ns", "n1")).reason ==
        R"(can only access leases in the "kube-node-lease" system namespace)");
  attributes watch = ask("watch", "", "pods");
  CHECK(decide(watch).reason == "can only list/watch pods with spec.nodeName field selector");
  watch.field_selector = "status.phase!=Failed,spec.nodeName=n1";
  CHECK(decide(watch).allowed);
  watch.field_selector = "spec.nodeName=n2";
  CHECK_FALSE(decide(watch).allowed);
  CHECK(decide(ask("patch", "", "pods", "ns", "p", "status")).allowed);
  CHECK(decide(ask("list", "", "services")).allowed);
  CHECK(decide(ask("create", "", "events", "ns")).allowed);
  CHECK_FALSE(decide(ask("create", "apps", "deployments", "ns")).allowed);
  CHECK_FALSE(judge.decide(*user("system:node:n1"), ask("get", "", "nodes", "", "n1")).allowed);
}

TEST_CASE("a refused kubelet reads the reasons of both authorizers") {
  fake_cluster cluster;
  cluster.put(binding("", "b", "ClusterRole", "gone", R"([{"kind":"Group","name":"system:nodes"}])"));
  authorizer judge(cluster);
  request_context context = context_for(request_verb::get, "", "secrets", "ns", "s");
  context.user = kubelet("n1");
  CHECK(authorise(judge, context).message ==
        "secrets \"s\" is forbidden: User \"system:node:n1\" cannot get resource \"secrets\" in API group \"\" in the "
        "namespace \"ns\": no relationship found between node 'n1' and this object\n"
        "RBAC: clusterrole.rbac.authorization.k8s.io \"gone\" not found");
}
