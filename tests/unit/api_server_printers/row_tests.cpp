// Rows of the other kinds.
#include <doctest/doctest.h>

#include "tests/unit/api_server_printers/fixture.hpp"

using namespace troupe;
using namespace troupe::api;

namespace {

std::string manifest(const std::string& api_version, const std::string& kind, const std::string& rest,
                     const std::string& meta = "") {
  return "apiVersion: " + api_version + "\nkind: " + kind +
         "\nmetadata:\n  name: x\n  namespace: ns\n  creationTimestamp: \"2026-01-01T22:00:00Z\"\n" + meta + rest;
}

const std::string pod_template =
    "  template:\n    spec:\n      containers:\n      - {name: a, image: i1}\n      - {name: b, image: i2}\n";
const std::string selector = "  selector:\n    matchLabels: {tier: web, app: shop}\n";

}  // namespace

TEST_CASE("nodes") {
  CHECK(cells(manifest(
            "v1", "Node",
            "spec:\n  unschedulable: true\nstatus:\n  conditions:\n  - {type: Ready, status: \"True\"}\n"
            "  addresses:\n  - {type: InternalIP, address: 10.0.0.1}\n  nodeInfo: {kubeletVersion: v1.36.4, "
            "osImage: Debian, kernelVersion: 6.1, containerRuntimeVersion: \"containerd://1.6\"}\n",
            "  labels: {node-role.kubernetes.io/worker: \"\", node-role.kubernetes.io/control-plane: \"\"}\n")) ==
        R"(["x","Ready,SchedulingDisabled","control-plane,worker","120m","v1.36.4","10.0.0.1","<none>","Debian",)"
        R"("<unknown>","containerd://1.6"])");
  CHECK(cells(manifest("v1", "Node", "status:\n  conditions:\n  - {type: Ready, status: Unknown}\n")) ==
        R"(["x","NotReady","<none>","120m","","<none>","<none>","<unknown>","<unknown>","<unknown>"])");
}

TEST_CASE("workloads") {
  CHECK(cells(manifest("apps/v1", "Deployment",
                       "spec:\n  replicas: 3\n" + selector + pod_template +
                           "status: {readyReplicas: 2, updatedReplicas: 3, availableReplicas: 1}\n")) ==
        R"(["x","2/3",3,1,"120m","a,b","i1,i2","app=shop,tier=web"])");
  CHECK(cells(manifest(
            "apps/v1", "ReplicaSet",
            "spec:\n  replicas: 3\n  selector:\n    matchExpressions:\n    - {key: k, operator: In, values: [b, "
            "a]}\n    - {key: e, operator: Exists}\n" +
                pod_template + "status: {replicas: 3, readyReplicas: 2}\n")) ==
        R"x(["x",3,3,2,"120m","a,b","i1,i2","e,k in (a,b)"])x");
  CHECK(cells(manifest("apps/v1", "StatefulSet",
                       "spec:\n  replicas: 2\n" + pod_template + "status: {readyReplicas: 1}\n")) ==
        R"(["x","1/2","120m","a,b","i1,i2"])");
  CHECK(cells(manifest(
            "apps/v1", "DaemonSet",
            "spec:\n" + selector + pod_template +
                "      nodeSelector: {disk: ssd}\nstatus: {desiredNumberScheduled: 5, currentNumberScheduled: 4, "
                "numberReady: 3, updatedNumberScheduled: 2, numberAvailable: 1}\n")) ==
        R"(["x",5,4,3,2,1,"disk=ssd","120m","a,b","i1,i2","app=shop,tier=web"])");
  CHECK(cells(manifest("batch/v1", "Job",
                       "spec:\n  completions: 4\n" + pod_template +
                           "status: {succeeded: 4, startTime: \"2026-01-01T23:00:00Z\", completionTime: "
                           "\"2026-01-01T23:00:30Z\", conditions: [{type: Complete, status: \"True\"}]}\n")) ==
        R"(["x","Complete","4/4","30s","120m","a,b","i1,i2","<none>"])");
  CHECK(cells(manifest(
            "batch/v1", "CronJob",
            "spec:\n  schedule: \"*/5 * * * *\"\n  suspend: false\n  jobTemplate:\n    spec:\n      template:\n"
            "        spec:\n          containers: [{name: a, image: i}]\nstatus: {active: [{}]}\n")) ==
        R"(["x","*/5 * * * *","<none>","False",1,"<none>","120m","a","i","<none>"])");
}

TEST_CASE("services and endpoints") {
  CHECK(cells(manifest("v1", "Service",
                       "spec:\n  type: NodePort\n  clusterIPs: [10.96.0.1]\n  ports:\n  - {port: 80, nodePort: 30080, "
                       "protocol: TCP}\n  - {port: 53, protocol: UDP}\n  selector: {app: a}\n")) ==
        R"(["x","NodePort","10.96.0.1","<none>","80:30080/TCP,53/UDP","120m","app=a"])");
  CHECK(cells(manifest("v1", "Service", "spec:\n  type: LoadBalancer\n  clusterIPs: [10.96.0.1]\n")) ==
        R"(["x","LoadBalancer","10.96.0.1","<pending>","<none>","120m","<none>"])");
  CHECK(cells(manifest("v1", "Service", "spec:\n  type: ExternalName\n  externalName: a.b\n")) ==
        R"(["x","ExternalName","<none>","a.b","<none>","120m","<none>"])");
  CHECK(cells(manifest(
            "v1", "Endpoints",
            "subsets:\n- addresses: [{ip: 10.0.0.1}, {ip: \"fd00::1\"}]\n  ports: [{port: 80}, {port: 81}]\n")) ==
        R"(["x","10.0.0.1:80,[fd00::1]:80,10.0.0.1:81 + 1 more...","120m"])");
  CHECK(cells(manifest("v1", "Endpoints", "")) == R"(["x","<none>","120m"])");
  CHECK(cells(manifest("discovery.k8s.io/v1", "EndpointSlice",
                       "addressType: IPv4\nports: [{port: 80}, {name: web}]\nendpoints: [{addresses: [10.0.0.1]}, "
                       "{addresses: [10.0.0.2]}]\n")) == R"(["x","IPv4","80,web","10.0.0.1,10.0.0.2","120m"])");
  CHECK(cells(manifest("discovery.k8s.io/v1", "EndpointSlice", "addressType: IPv4\n")) ==
        R"(["x","IPv4","<unset>","<unset>","120m"])");
  CHECK(cells(manifest("networking.k8s.io/v1", "Ingress",
                       "spec:\n  ingressClassName: nginx\n  tls: [{}]\n  rules: [{host: a}, {host: b}]\n")) ==
        R"(["x","nginx","a,b","","80, 443","120m"])");
}

TEST_CASE("events of both groups") {
  std::string rest =
      "involvedObject: {kind: Pod, name: p, fieldPath: \"spec.containers{c}\"}\nreason: Started\nmessage: \" hi \"\n"
      "type: Normal\nsource: {component: kubelet, host: n1}\nfirstTimestamp: \"2026-01-01T23:50:00Z\"\n"
      "lastTimestamp: \"2026-01-01T23:59:00Z\"\ncount: 3\n";
  CHECK(cells(manifest("v1", "Event", rest)) ==
        R"(["60s","Normal","Started","pod/p","spec.containers{c}","kubelet, n1","hi","10m",3,"x"])");
  CHECK(
      cells(manifest("events.k8s.io/v1", "Event",
                     "regarding: {kind: Node, name: n1}\nreason: R\nnote: Note\ntype: Warning\nreportingController: s\n"
                     "reportingInstance: i\neventTime: \"2026-01-01T23:59:30.123456Z\"\n")) ==
      R"(["29s","Warning","R","node/n1","","s, i","Note","29s",1,"x"])");
}

TEST_CASE("configuration, storage, policy") {
  CHECK(cells(manifest("v1", "Namespace", "status: {phase: Active}\n")) == R"(["x","Active","120m"])");
  CHECK(cells(manifest("v1", "ConfigMap", "data: {a: b}\nbinaryData: {c: ZA==}\n")) == R"(["x",2,"120m"])");
  CHECK(cells(manifest("v1", "Secret", "type: Opaque\ndata: {a: ZA==}\n")) == R"(["x","Opaque",1,"120m"])");
  CHECK(cells(manifest("v1", "ServiceAccount", "")) == R"(["x",0,"120m"])");
  CHECK(cells(manifest("coordination.k8s.io/v1", "Lease", "spec: {holderIdentity: me}\n")) == R"(["x","me","120m"])");
  CHECK(cells(manifest("rbac.authorization.k8s.io/v1", "ClusterRole", "")) == R"(["x","2026-01-01T22:00:00Z"])");
  CHECK(
      cells(manifest("rbac.authorization.k8s.io/v1", "RoleBinding",
                     "roleRef: {kind: Role, name: r}\nsubjects: [{kind: User, name: u}, {kind: User, name: v}, {kind: "
                     "ServiceAccount, name: s, namespace: ns}]\n")) == R"(["x","Role/r","120m","u, v","","ns/s"])");
  CHECK(cells(manifest("storage.k8s.io/v1", "StorageClass", "provisioner: p\n",
                       "  annotations: {storageclass.kubernetes.io/is-default-class: \"true\"}\n")) ==
        R"x(["x (default)","p","Delete","Immediate",false,"120m"])x");
  CHECK(cells(manifest("v1", "PersistentVolumeClaim",
                       "spec: {volumeName: pv, storageClassName: sc, volumeMode: Filesystem}\nstatus: {phase: Bound, "
                       "capacity: {storage: 1Gi}, accessModes: [ReadWriteMany, ReadWriteOnce]}\n")) ==
        R"(["x","Bound","pv","1Gi","RWO,RWX","sc","<unset>","120m","Filesystem"])");
  CHECK(cells(manifest("policy/v1", "PodDisruptionBudget",
                       "spec: {maxUnavailable: 25%}\nstatus: {disruptionsAllowed: 1}\n")) ==
        R"(["x","N/A","25%",1,"120m"])");
  CHECK(cells(manifest(
            "autoscaling/v2", "HorizontalPodAutoscaler",
            "spec:\n  scaleTargetRef: {kind: Deployment, name: d}\n  minReplicas: 1\n  maxReplicas: 9\n"
            "  metrics: [{type: Resource, resource: {name: cpu, target: {averageUtilization: 50}}}]\n"
            "status:\n  currentReplicas: 2\n  currentMetrics: [{type: Resource, resource: {name: cpu, current: "
            "{averageUtilization: 20}}}]\n")) == R"(["x","Deployment/d","cpu: 20%/50%","1",9,2,"120m"])");
  CHECK(cells(manifest("networking.k8s.io/v1", "NetworkPolicy", "spec: {podSelector: {}}\n")) ==
        R"(["x","<none>","120m"])");
}

TEST_CASE("every listable kind's row fits its columns") {
  for (const schema::resource& resource : schema::resources()) {
    if (!(resource.verbs & schema::verb_list) || resource.group == "metrics.k8s.io") continue;
    std::string version =
        (resource.group.empty() ? "" : std::string(resource.group) + "/") + std::string(resource.version);
    CHECK_NOTHROW_MESSAGE(cells(manifest(version, std::string(resource.kind), "")), version, resource.kind);
  }
}
